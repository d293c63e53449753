//! `select!`: waits for the first of several futures.
//!
//! `__select!` parses one branch after the other. Identifiers that a macro declares are different
//! in each expansion, so `future` and `is_enabled` of one branch are not those of another.

/// Waits for the first of several futures to complete, drops the others, and runs the handler of
/// the first: tokio's `select!`, gevent's `wait(count=1)`, asyncio's `wait(FIRST_COMPLETED)`.
///
/// ```text
/// pattern = future => handler,
/// pattern = future, if condition => handler,
/// else => handler,
/// ```
///
/// ```
/// use std::time::Duration;
///
/// use evloop::sync::mpsc;
/// use evloop::time::sleep;
///
/// evloop::block_on(async {
///     let (sender, mut receiver) = mpsc::bounded(8);
///     let task = evloop::spawn(async move {
///         for n in 1..=3 {
///             sender.send(n).await.unwrap();
///         }
///     });
///     let mut sum = 0;
///     loop {
///         evloop::select! {
///             received = receiver.recv() => match received {
///                 Some(n) => sum += n,
///                 None => break,
///             },
///             () = sleep(Duration::from_secs(20)) => panic!("nothing for 20 seconds"),
///         }
///     }
///     assert_eq!(sum, 6);
///     task.await.unwrap();
/// });
/// ```
///
/// It is an expression of an async function or block. Its steps are tokio's:
///
/// 1. All conditions are evaluated. One that is false disables its branch.
/// 2. All future expressions are evaluated, also those of disabled branches.
/// 3. The futures of the enabled branches are polled on this task. They may borrow, and need not be
///    `Unpin`.
/// 4. A future that completes with a value that the pattern does not match disables its branch, and
///    the others are polled on.
/// 5. When a value matches, all futures are dropped in the order of the branches. Then the handler
///    runs with the variables of the pattern.
/// 6. When all branches are disabled, the handler of `else` runs. It does not while one is enabled:
///    `Some(n) = receiver.recv()` beside a timer waits for the timer when the channel is closed.
///
/// A handler is an expression or a block. It runs in the function around the `select!`: it may use
/// `.await`, `?`, `return`, `break` and `continue`, and what the futures have borrowed. All the
/// handlers have the same type. After a block the comma may be left out. There are at most 64
/// branches.
///
/// For futures of one type, see [`task::race`](crate::task::race()). For two operations that both
/// must complete, see [`join!`](crate::join).
///
/// # In a loop
///
/// In each round the futures are made anew. To go on with one of them, make it before the loop and
/// select a `&mut` of it. A future that has completed must not be polled again: end the loop, or
/// disable the branch.
///
/// ```
/// use std::pin::pin;
/// use std::time::Duration;
///
/// use evloop::time::{interval, sleep};
///
/// evloop::block_on(async {
///     let mut work = pin!(sleep(Duration::from_millis(20)));
///     let mut ticks = interval(Duration::from_millis(5));
///     let mut count = 0;
///     loop {
///         evloop::select! {
///             () = &mut work => break,
///             _ = ticks.tick(), if count < 3 => count += 1,
///         }
///     }
///     assert!(count > 0);
/// });
/// ```
///
/// # Fairness
///
/// When several futures are ready, the one that is polled first wins. Each poll begins with the
/// branch after the one that the poll before began with, also from one round of a loop to the next:
/// two branches that are always ready win in turn. If another `select!` was polled in between,
/// the poll begins with a pseudo-random branch, so that tasks do not stay in step. The numbers come
/// from a generator that starts with the same state in each thread, so a program whose input does
/// not change makes the same choices in each run. tokio's are random.
///
/// With `biased;` in front, each poll begins with the first branch.
///
/// ```
/// use std::future::ready;
///
/// evloop::block_on(async {
///     let first = evloop::select! {
///         biased;
///         n = ready(1) => n,
///         n = ready(2) => n,
///     };
///     assert_eq!(first, 1);
/// });
/// ```
///
/// One poll of a task can take only a limited number of results from channels, sockets and other
/// objects of this crate. So a branch that is always ready delays neither the rest of the loop nor
/// the other branches for long, not even with `biased;`. Futures that are ready without such an
/// object, as `std::future::ready` is, have no limit: in a loop of them, call
/// [`yield_now`](crate::task::yield_now()).
///
/// # Panics
///
/// Panics if all branches are disabled and there is no `else`.
///
/// # Cancel safety
///
/// The futures that lose are dropped. So in a loop use only futures that are cancel safe, whose
/// documentation says so, or a `&mut` of a future that lives longer than the loop. Otherwise a part
/// of an operation may be done and its result lost. Dropping the future around a `select!` drops
/// all futures of the `select!`.
///
/// An `async fn` of several awaits is seldom cancel safe, even if each operation in it is: one that
/// reads a header and then a body loses the header if it is dropped while it waits for the body.
/// Instead of a loop around a `select!`, write one loop for each source of events, and a `select!`
/// around these loops; `examples/redis` does that.
#[doc(alias = "either")]
#[doc(alias = "FIRST_COMPLETED")]
#[doc(alias = "wait_readwrite")]
#[macro_export]
macro_rules! select {
    (biased; $($branches:tt)*) => {
        $crate::__select!(@names biased $($branches)*)
    };
    ($($branches:tt)*) => {
        $crate::__select!(@names fair $($branches)*)
    };
}

/// Parses the branches of `select!`, and expands to the code.
///
/// The state is in brackets: the order, the branches that were parsed, the futures in reverse
/// order (variables are dropped in the reverse order of their declarations), and the names and
/// numbers that are left for branches.
#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    (@names $order:ident) => {
        ::core::compile_error!("select! needs a branch: `pattern = future => handler`")
    };
    (@names $order:ident $($branches:tt)+) => {
        $crate::__select!(
            [$order] [] []
            [
                (B0 0) (B1 1) (B2 2) (B3 3) (B4 4) (B5 5) (B6 6) (B7 7) (B8 8) (B9 9) (B10 10)
                (B11 11) (B12 12) (B13 13) (B14 14) (B15 15) (B16 16) (B17 17) (B18 18) (B19 19)
                (B20 20) (B21 21) (B22 22) (B23 23) (B24 24) (B25 25) (B26 26) (B27 27) (B28 28)
                (B29 29) (B30 30) (B31 31) (B32 32) (B33 33) (B34 34) (B35 35) (B36 36) (B37 37)
                (B38 38) (B39 39) (B40 40) (B41 41) (B42 42) (B43 43) (B44 44) (B45 45) (B46 46)
                (B47 47) (B48 48) (B49 49) (B50 50) (B51 51) (B52 52) (B53 53) (B54 54) (B55 55)
                (B56 56) (B57 57) (B58 58) (B59 59) (B60 60) (B61 61) (B62 62) (B63 63) (B64 64)
            ]
            $($branches)+
        )
    };

    (
        @expand [$order:ident] $count:literal
        [$({
            $name:ident $index:literal $init:ident $future:ident $is_enabled:ident
            ($pattern:pat) ($expr:expr) ($($condition:expr)?) ($handler:expr)
        })*]
        [$(($reverse_init:ident $reverse_future:ident))*]
        ($else:expr)
    ) => {{
        enum __EvloopSelect<$($name),*> {
            $($name($name),)*
            Disabled,
        }
        #[allow(unused_mut, reason = "a pattern may have `ref mut`")]
        let mut selected = {
            $(let mut $is_enabled = true $(&& $condition)?;)*
            $(let $init = $expr;)*
            $(let mut $reverse_future =
                ::core::pin::pin!(::core::future::IntoFuture::into_future($reverse_init));)*
            let rotation = $crate::task::Rotation::$order();
            ::core::future::poll_fn(|cx| {
                let first = rotation.begin($count);
                let mut is_pending = false;
                // The branches from `first` on, then those before it.
                for is_from_first in [true, false] {
                    $(if $is_enabled && ($index >= first) == is_from_first {
                        match ::core::future::Future::poll($future.as_mut(), cx) {
                            ::core::task::Poll::Pending => is_pending = true,
                            #[allow(unused_mut, reason = "as above")]
                            ::core::task::Poll::Ready(mut output) => {
                                let mut is_match = false;
                                // The guard refuses a value that matches, so that the pattern does
                                // not take the value apart yet.
                                #[allow(unused, reason = "the handler uses the variables")]
                                match output {
                                    $pattern if {
                                        is_match = true;
                                        false
                                    } => {}
                                    output if is_match => {
                                        return ::core::task::Poll::Ready(
                                            __EvloopSelect::$name(output),
                                        );
                                    }
                                    _ => $is_enabled = false,
                                }
                            }
                        }
                    })*
                }
                if is_pending {
                    ::core::task::Poll::Pending
                } else {
                    ::core::task::Poll::Ready(__EvloopSelect::Disabled)
                }
            })
            .await
        };
        match selected {
            $(__EvloopSelect::$name($pattern) => $handler,)*
            __EvloopSelect::Disabled => $else,
            #[allow(unreachable_patterns, reason = "all patterns may be irrefutable")]
            _ => ::core::unreachable!("the pattern matched before"),
        }
    }};

    // The end.
    ($order:tt $parsed:tt $futures:tt [($name:ident $count:literal) $($names:tt)*]) => {
        $crate::__select!(@expand $order $count $parsed $futures (::core::panic!(
            "select!: all branches are disabled, and there is no `else` branch"
        )))
    };
    (
        $order:tt $parsed:tt $futures:tt [($name:ident $count:literal) $($names:tt)*]
        else => $handler:expr $(,)?
    ) => {
        $crate::__select!(@expand $order $count $parsed $futures ($handler))
    };
    ($order:tt $parsed:tt $futures:tt $names:tt else => $handler:expr, $($rest:tt)+) => {
        ::core::compile_error!("the branch `else` of select! must be the last one")
    };
    ($order:tt $parsed:tt $futures:tt $names:tt else => $handler:block $($rest:tt)+) => {
        ::core::compile_error!("the branch `else` of select! must be the last one")
    };
    ($order:tt $parsed:tt $futures:tt [$last:tt] $($rest:tt)+) => {
        ::core::compile_error!("select! has at most 64 branches")
    };

    // One branch: with a block and a comma, with a block, and the last one or with a comma.
    (
        $order:tt [$($parsed:tt)*] [$($futures:tt)*] [($name:ident $index:literal) $($names:tt)*]
        $pattern:pat = $expr:expr $(, if $condition:expr)? => $handler:block, $($rest:tt)*
    ) => {
        $crate::__select!(
            $order
            [$($parsed)* {
                $name $index init future is_enabled
                ($pattern) ($expr) ($($condition)?) ($handler)
            }]
            [(init future) $($futures)*]
            [$($names)*]
            $($rest)*
        )
    };
    (
        $order:tt [$($parsed:tt)*] [$($futures:tt)*] [($name:ident $index:literal) $($names:tt)*]
        $pattern:pat = $expr:expr $(, if $condition:expr)? => $handler:block $($rest:tt)*
    ) => {
        $crate::__select!(
            $order
            [$($parsed)* {
                $name $index init future is_enabled
                ($pattern) ($expr) ($($condition)?) ($handler)
            }]
            [(init future) $($futures)*]
            [$($names)*]
            $($rest)*
        )
    };
    (
        $order:tt [$($parsed:tt)*] [$($futures:tt)*] [($name:ident $index:literal) $($names:tt)*]
        $pattern:pat = $expr:expr $(, if $condition:expr)? => $handler:expr $(, $($rest:tt)*)?
    ) => {
        $crate::__select!(
            $order
            [$($parsed)* {
                $name $index init future is_enabled
                ($pattern) ($expr) ($($condition)?) ($handler)
            }]
            [(init future) $($futures)*]
            [$($names)*]
            $($($rest)*)?
        )
    };

    // Mistakes.
    ($order:tt $parsed:tt $futures:tt $names:tt $pattern:pat => $($rest:tt)*) => {
        ::core::compile_error!(
            "a branch of select! is `pattern = future => handler`: begin it with `_ =` if the \
             output does not matter"
        )
    };
}
