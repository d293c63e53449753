//! `join!` and `try_join!`: all outputs of several futures of different types.

/// Awaits several futures at once and returns a tuple of their outputs: tokio's `join!`, asyncio's
/// `gather(a(), b())`.
///
/// ```
/// evloop::block_on(async {
///     let word = String::from("await");
///     let (length, upper) = evloop::join!(
///         async { word.len() },
///         async { word.to_uppercase() },
///     );
///     assert_eq!((length, upper.as_str()), (5, "AWAIT"));
/// });
/// ```
///
/// The futures may have different types, may borrow, and need not be `Unpin`. They are polled on
/// this task, each in every poll until it has completed; then it is dropped. For many futures of
/// one type use [`task::gather`](crate::task::gather()), which polls only those that were woken.
///
/// The first poll begins with the first future, the next poll with the second, and so on. With
/// `biased;` in front, each poll begins with the first one.
///
/// # Cancel safety
///
/// Dropping the future around it drops all futures and the outputs of those that have completed.
#[doc(alias = "gather")]
#[doc(alias = "joinall")]
#[macro_export]
macro_rules! join {
    (biased; $($future:expr),* $(,)?) => {
        $crate::__join!(join [true] [] [] [0] $($future,)*)
    };
    ($($future:expr),* $(,)?) => {
        $crate::__join!(join [false] [] [] [0] $($future,)*)
    };
}

/// Awaits several futures at once until the first fails. Returns a tuple of their `Ok` values:
/// tokio's `try_join!`.
///
/// The first `Err` drops the other futures, in their order. In all else this is as
/// [`join!`](crate::join). For many futures of one type use
/// [`task::try_gather`](crate::task::try_gather).
///
/// # Errors
///
/// Returns the first error. All futures have the same type of error.
///
/// # Cancel safety
///
/// As for [`join!`](crate::join).
///
/// ```
/// use std::num::ParseIntError;
///
/// async fn parse(text: &str) -> Result<u8, ParseIntError> {
///     text.parse()
/// }
///
/// evloop::block_on(async {
///     let name = async { Ok("ada") };
///     assert_eq!(evloop::try_join!(parse("36"), name), Ok((36, "ada")));
///     assert!(evloop::try_join!(parse("many"), std::future::pending::<Result<(), _>>()).is_err());
/// });
/// ```
#[doc(alias = "gather")]
#[doc(alias = "joinall")]
#[macro_export]
macro_rules! try_join {
    (biased; $($future:expr),* $(,)?) => {
        $crate::__join!(try_join [true] [] [] [0] $($future,)*)
    };
    ($($future:expr),* $(,)?) => {
        $crate::__join!(try_join [false] [] [] [0] $($future,)*)
    };
}

/// Parses the futures of `join!` and `try_join!`, and expands to the code.
///
/// The state is in brackets: whether the order is fixed, the futures that were parsed, the same in
/// reverse order (variables are dropped in the reverse order of their declarations), and the number
/// of futures.
#[doc(hidden)]
#[macro_export]
macro_rules! __join {
    (
        $kind:ident $is_biased:tt [$($parsed:tt)*] [$($futures:tt)*] [$($index:tt)*]
        $expr:expr, $($rest:tt)*
    ) => {
        $crate::__join!(
            $kind $is_biased
            [$($parsed)* { [$($index)*] init future output ($expr) }]
            [(init future) $($futures)*]
            [$($index)* + 1]
            $($rest)*
        )
    };

    // A future that has completed: what its output leads to.
    (@store join $output:ident $value:ident) => {
        $output = ::core::option::Option::Some($value)
    };
    (@store try_join $output:ident $value:ident) => {
        match $value {
            ::core::result::Result::Ok(value) => $output = ::core::option::Option::Some(value),
            ::core::result::Result::Err(error) => {
                return ::core::task::Poll::Ready(::core::result::Result::Err(error));
            }
        }
    };
    (@return join $outputs:expr) => {
        $outputs
    };
    (@return try_join $outputs:expr) => {
        ::core::result::Result::Ok($outputs)
    };

    // No future.
    ($kind:ident $is_biased:tt [] [] [0]) => {
        ::core::future::ready($crate::__join!(@return $kind ())).await
    };
    (
        $kind:ident [$is_biased:literal]
        [$({
            [$($index:tt)*] $init:ident $future:ident $output:ident ($expr:expr)
        })+]
        [$(($reverse_init:ident $reverse_future:ident))+]
        [$($count:tt)*]
    ) => {{
        $(let $init = $expr;)+
        $(let mut $output = ::core::option::Option::None;)+
        $(let mut $reverse_future = ::core::pin::pin!(::core::option::Option::Some(
            ::core::future::IntoFuture::into_future($reverse_init)
        ));)+
        let mut next = 0_usize;
        ::core::future::poll_fn(|cx| {
            let first = next;
            next = if $is_biased || first + 1 == ($($count)*) { 0 } else { first + 1 };
            let mut is_pending = false;
            // The futures from `first` on, then those before it.
            for is_from_first in [true, false] {
                $(if (($($index)*) >= first) == is_from_first {
                    if let ::core::option::Option::Some(future) = $future.as_mut().as_pin_mut() {
                        match ::core::future::Future::poll(future, cx) {
                            ::core::task::Poll::Pending => is_pending = true,
                            ::core::task::Poll::Ready(output) => {
                                $crate::__join!(@store $kind $output output);
                                $future.set(::core::option::Option::None);
                            }
                        }
                    }
                })+
            }
            if is_pending {
                return ::core::task::Poll::Pending;
            }
            ::core::task::Poll::Ready($crate::__join!(@return $kind (
                $($output.take().expect("a future that is not pending has completed"),)+
            )))
        })
        .await
    }};
}
