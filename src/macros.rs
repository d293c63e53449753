//! The attributes of the feature `macros`. They are of a crate of their own, as attributes have to
//! be; their documentation is here, where its examples can use this crate.

// Layer L4.

/// Runs an async function on a new loop, by [`block_on`](crate::block_on): tokio's `main`.
///
#[cfg_attr(feature = "streams", doc = "```")]
#[cfg_attr(not(feature = "streams"), doc = "```ignore")]
/// use std::io;
///
/// #[evloop::main]
/// async fn main() -> io::Result<()> {
///     let server = evloop::start_server("127.0.0.1:0", async |_reader, _writer| ()).await?;
///     println!("listening on {}", server.local_addrs()[0]);
///     Ok(())
/// }
/// ```
///
/// It is short for:
///
/// ```
/// # use std::io;
/// fn main() -> io::Result<()> {
///     async fn main() -> io::Result<()> {
///         // …
///         # Ok(())
///     }
///     evloop::block_on(main())
/// }
/// ```
///
/// It takes any async function without parameters, and these options:
///
/// - `debug = true`: the loop runs in [debug mode](crate::runtime::Builder::debug).
/// - `crate = path`: the path of this crate, if it is not `::evloop`.
///
/// For other settings call [`Runtime::builder`](crate::Runtime::builder) in a plain function.
///
/// ```
/// #[evloop::main(debug = true)]
/// async fn answer() -> u32 {
///     evloop::task::yield_now().await;
///     42
/// }
///
/// assert_eq!(answer(), 42);
/// ```
pub use evloop_macros::main;
/// Makes a test of an async function: it runs on a new loop. tokio's `test`, trio's `trio_test`,
/// `IsolatedAsyncioTestCase`.
///
/// ```
/// #[evloop::test]
/// async fn parses() -> Result<(), std::num::ParseIntError> {
///     let task = evloop::spawn(async { "7".parse::<u8>() });
///     assert_eq!(task.await.unwrap()?, 7);
///     Ok(())
/// }
///
/// #[evloop::test(debug = true)]
/// #[should_panic(expected = "too large")]
/// async fn fails() {
///     panic!("too large");
/// }
/// # fn main() {}
/// ```
///
/// As with `#[test]`, a function may return a `Result`, and other attributes such as `#[ignore]`
/// apply. The options are those of [`main`](macro@main).
pub use evloop_macros::test;

/// Functions that the attributes refuse.
///
/// ```compile_fail
/// #[evloop::main]
/// fn main() {}
/// ```
///
/// ```compile_fail
/// #[evloop::main]
/// async fn main(arguments: Vec<String>) {}
/// ```
///
/// ```compile_fail
/// #[evloop::main]
/// async fn main<T>() {}
/// ```
///
/// ```compile_fail
/// #[evloop::main(worker_threads = 4)]
/// async fn main() {}
/// ```
///
/// ```compile_fail
/// #[evloop::main(debug = 1)]
/// async fn main() {}
/// ```
///
/// ```compile_fail
/// #[evloop::main(debug)]
/// async fn main() {}
/// ```
///
/// ```compile_fail
/// #[evloop::main]
/// struct Main;
/// ```
///
/// ```compile_fail
/// #[evloop::main]
/// async fn main() -> u8 { "text" }
/// ```
///
/// ```compile_fail
/// #[evloop::test]
/// #[test]
/// async fn twice() {}
/// # fn main() {}
/// ```
#[cfg(doctest)]
struct Refused;
