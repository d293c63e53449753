//! `#[evloop::main]` and `#[evloop::test]`.
#![cfg(feature = "macros")]

use std::cell::Cell;
use std::error::Error;
use std::num::ParseIntError;
use std::rc::Rc;

use evloop::task::{self, yield_now};

#[evloop::main]
async fn runs() -> Result<u8, ParseIntError> {
    let number: u8 = "7".parse()?;
    yield_now().await;
    if number > 6 {
        return Ok(number);
    }
    Ok(0)
}

/// A comment, an attribute and a visibility stay.
#[evloop::main(debug = true, crate = ::evloop,)]
#[must_use]
pub(crate) async fn is_running() -> bool {
    task::current().is_some()
}

mod renamed {
    pub(crate) use evloop as other;
}

#[evloop::main(crate = crate::renamed::other, debug = false)]
async fn with_another_path() -> Rc<Cell<i32>> {
    Rc::new(Cell::new(1))
}

/// In the body the name is the async function, as it is written.
#[evloop::main]
async fn nothing() {
    if false {
        let () = Box::pin(nothing()).await;
    }
}

#[test]
fn main_runs_an_async_function() {
    assert_eq!(runs(), Ok(7));
    assert!(is_running());
    assert_eq!(with_another_path().get(), 1);
    nothing();
}

#[evloop::test]
async fn a_test_runs_on_a_loop() {
    let task = evloop::spawn(async { 1 });
    assert_eq!(task.await.unwrap(), 1);
}

#[evloop::test]
async fn a_test_may_return_a_result() -> Result<(), Box<dyn Error>> {
    let local = Rc::new(1);
    yield_now().await;
    assert_eq!(format!("{local}").parse::<i32>()?, 1);
    Ok(())
}

#[evloop::test(debug = true)]
#[should_panic(expected = "too large")]
async fn attributes_apply_to_the_test() {
    panic!("too large");
}

thread_local! {
    static FAILS: Cell<bool> = const { Cell::new(false) };
}

#[evloop::test]
async fn returns_its_result() -> Result<(), String> {
    if FAILS.get() { Err("it ran".into()) } else { Ok(()) }
}

/// The harness reports the error that such a function returns.
#[test]
fn the_result_of_a_test_is_returned() {
    FAILS.set(true);
    assert_eq!(returns_its_result(), Err("it ran".to_string()));
}
