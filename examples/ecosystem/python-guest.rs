//! A Python extension that runs evloop inside asyncio's loop: asyncio watches the descriptor, and a
//! wake of a task calls `loop.call_soon_threadsafe`. The extension has no thread of its own.
//!
//! ```sh
//! cd examples/ecosystem
//! cargo build --features python --example python_guest
//! cp target/debug/examples/libpython_guest.so python_guest.so
//! python3 python-guest.py
//! ```
//!
//! prints
//!
//! ```text
//! python: tick 1
//! rust: the server answered HELLO
//! python: tick 2
//! rust: slept 30 ms
//! python: the task raised ConnectionRefusedError
//! ```

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use evloop::Runtime;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

#[pymodule]
mod python_guest {
    #[pymodule_export]
    use super::Guest;
}

/// evloop as the guest of a loop of asyncio.
#[pyclass(unsendable)]
struct Guest {
    /// The running loop of asyncio.
    host: Py<PyAny>,
    state: RefCell<Option<State>>,
}

/// `None` in a closed guest.
struct State {
    runtime: Runtime,
    waker: Waker,
    /// asyncio's handle of the timed call of the next turn.
    timer: Option<Py<PyAny>>,
}

/// Calls the guest's `turn` in asyncio's loop, from any thread.
struct CallSoon {
    host: Py<PyAny>,
    turn: Py<PyAny>,
}

impl Wake for CallSoon {
    fn wake(self: Arc<Self>) {
        // It fails if the loop of asyncio is closed: then nothing runs any more.
        let _ = Python::attach(|py| {
            self.host.call_method1(py, "call_soon_threadsafe", (&self.turn, false))
        });
    }
}

#[pymethods]
impl Guest {
    #[new]
    fn new(host: Py<PyAny>) -> Guest {
        Guest { host, state: RefCell::new(None) }
    }

    /// Opens the guest: from here on asyncio's loop drives it.
    fn __enter__<'py>(slf: &Bound<'py, Guest>) -> PyResult<Bound<'py, Guest>> {
        let (py, guest) = (slf.py(), slf.borrow());
        let (runtime, turn) = (Runtime::new()?, slf.getattr("turn")?);
        let fd = runtime.as_fd().as_raw_fd();
        guest.host.call_method1(py, "add_reader", (fd, &turn, true))?;
        let waker = CallSoon { host: guest.host.clone_ref(py), turn: turn.unbind() };
        let waker = Waker::from(Arc::new(waker));
        guest.state.replace(Some(State { runtime, waker, timer: None }));
        Guest::turn(slf, false)?;
        Ok(slf.clone())
    }

    /// Closes the guest: its tasks are dropped.
    #[pyo3(signature = (*_error))]
    fn __exit__(&self, py: Python<'_>, _error: Py<PyAny>) -> PyResult<()> {
        let state = self.state.take();
        if let Some(State { runtime, timer, .. }) = state {
            self.host.call_method1(py, "remove_reader", (runtime.as_fd().as_raw_fd(),))?;
            if let Some(timer) = timer {
                timer.call_method0(py, "cancel")?;
            }
        }
        Ok(())
    }

    /// Runs one turn, and makes asyncio call the next one in time.
    fn turn(slf: &Bound<'_, Guest>, is_readable: bool) -> PyResult<()> {
        let (py, guest) = (slf.py(), slf.borrow());
        let mut state = guest.state.borrow_mut();
        // A call that asyncio had scheduled before the guest was closed.
        let Some(State { runtime, waker, timer }) = state.as_mut() else { return Ok(()) };
        let turn = runtime.turn_hosted(waker, is_readable)?;
        let left = turn.next_deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let left = if turn.is_work_left { Some(Duration::ZERO) } else { left };
        if let Some(old) = timer.take() {
            old.call_method0(py, "cancel")?;
        }
        if let Some(left) = left {
            let call = (left.as_secs_f64(), slf.getattr("turn")?, false);
            *timer = Some(guest.host.call_method1(py, "call_later", call)?);
        }
        Ok(())
    }

    /// Returns a future of asyncio: the answer of a line server.
    fn ask(&self, py: Python<'_>, port: u16, line: String) -> PyResult<Py<PyAny>> {
        self.spawn(py, async move {
            let (mut reader, writer) = evloop::open_connection(("127.0.0.1", port)).await?;
            writer.write(line + "\n");
            let answer = reader.read_line().await?;
            Ok(format!("the server answered {}", String::from_utf8_lossy(&answer).trim()))
        })
    }

    /// Returns a future of asyncio that is done after so many milliseconds.
    fn sleep(&self, py: Python<'_>, ms: u64) -> PyResult<Py<PyAny>> {
        self.spawn(py, async move {
            evloop::time::sleep(Duration::from_millis(ms)).await;
            Ok(format!("slept {ms} ms"))
        })
    }
}

impl Guest {
    /// Spawns a task. Returns a future of asyncio that receives its output.
    fn spawn<F>(&self, py: Python<'_>, task: F) -> PyResult<Py<PyAny>>
    where
        F: Future<Output = io::Result<String>> + 'static,
    {
        let future = self.host.call_method0(py, "create_future")?;
        let receiver = future.clone_ref(py);
        let task = async move {
            let output = task.await;
            if let Err(error) = Python::attach(|py| set(receiver.bind(py), output)) {
                eprintln!("a future of asyncio was not set: {error}");
            }
        };
        match self.state.try_borrow() {
            Ok(state) if state.is_some() => {
                state.as_ref().expect("it is open").runtime.spawn(task).detach();
                Ok(future)
            }
            _ => Err(PyRuntimeError::new_err("the guest is closed, or in a turn")),
        }
    }
}

/// Ends a future of asyncio, unless it was cancelled.
fn set(future: &Bound<'_, PyAny>, output: io::Result<String>) -> PyResult<()> {
    if future.call_method0("done")?.extract()? {
        return Ok(());
    }
    match output {
        Ok(text) => future.call_method1("set_result", (text,))?,
        Err(error) => future.call_method1("set_exception", (PyErr::from(error),))?,
    };
    Ok(())
}
