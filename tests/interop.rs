//! Futures of other crates: the combinators, spawners and I/O traits of `futures` on this loop.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, ready};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream};
use evloop::task::yield_now;
use evloop::time::sleep;
use evloop::{Handle, Runtime, block_on, spawn};
use futures::channel::{mpsc, oneshot};
use futures::io::{AsyncBufReadExt, BufReader, copy};
use futures::stream::FuturesUnordered;
use futures::task::{LocalSpawn, LocalSpawnExt, Spawn, SpawnExt};
use futures::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, FutureExt, SinkExt, StreamExt, join, select,
};
use futures_concurrency::future::Race;

const HOUR: Duration = Duration::from_secs(3600);

/// The two ends of a connection.
async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, server) = join!(client, listener.accept());
    (client.unwrap(), server.unwrap().0)
}

/// Records its name at each of three steps.
async fn three_steps(name: char, trace: Rc<RefCell<String>>) -> char {
    for _ in 0..3 {
        trace.borrow_mut().push(name);
        yield_now().await;
    }
    name
}

#[test]
fn join_polls_its_futures_in_turn() {
    let trace: Rc<RefCell<String>> = Rc::default();
    let step = |name| three_steps(name, trace.clone());
    let names = block_on(async { join!(step('a'), step('b'), spawn(step('c'))) });
    assert_eq!((names.0, names.1, names.2.unwrap()), ('a', 'b', 'c'));
    assert_eq!(*trace.borrow(), "abcabcabc");
}

#[test]
fn select_takes_the_first_ready_future() {
    block_on(async {
        let mut sleeps = 0;
        let mut long = Box::pin(sleep(HOUR).fuse());
        let mut task = spawn(yield_now()).fuse();
        loop {
            let mut short = Box::pin(sleep(Duration::from_millis(1)).fuse());
            select! {
                () = long => panic!("an hour has not passed"),
                result = task => result.unwrap(),
                () = short => sleeps += 1,
            }
            if sleeps == 2 {
                break;
            }
        }
    });
}

#[test]
fn macros_of_this_crate_and_of_futures_stand_side_by_side() {
    block_on(async {
        let (first, (second, third)) =
            evloop::join!(async { join!(ready(1), yield_now()).0 }, async {
                futures::future::join(ready(2), async { evloop::join!(ready(3)).0 }).await
            },);
        assert_eq!([first, second, third], [1, 2, 3]);
        let tried = futures::try_join!(ready(Ok::<_, ()>(1)), async {
            evloop::try_join!(ready(Ok::<_, ()>(2)), ready(Ok(3)))
        });
        assert_eq!(tried, Ok((1, (2, 3))));
        let selected = evloop::select! {
            n = async {
                let mut inner = Box::pin(async {
                    evloop::select! { () = pending() => 0, () = yield_now() => 4 }
                }.fuse());
                select! { n = inner => n, () = pending::<()>().fuse() => 0 }
            } => n,
            () = sleep(HOUR) => 0,
        };
        assert_eq!(selected, 4);
        let raced = futures_lite::future::race(
            evloop::task::race([
                Box::pin(sleep(HOUR)) as Pin<Box<dyn Future<Output = ()>>>,
                Box::pin(yield_now()),
            ]),
            pending(),
        );
        raced.await;
        let raced = (evloop::task::race([ready(5)]), ready(5)).race();
        assert_eq!(raced.await, 5);
    });
}

#[test]
fn a_select_of_futures_polls_a_stream_of_a_coroutine() {
    block_on(async {
        let mut numbers = evloop::coroutine::stream(async |y| {
            for n in 1..=3 {
                yield_now().await;
                y.yield_(n).await;
            }
        });
        let mut sum = 0;
        loop {
            select! {
                n = numbers.select_next_some() => sum += n,
                complete => break,
            }
        }
        assert_eq!(sum, 6);
    });
}

#[test]
fn a_task_that_loses_a_select_can_be_awaited_later() {
    block_on(async {
        let (release, released) = oneshot::channel();
        let mut task = spawn(released);
        select! {
            _ = (&mut task).fuse() => panic!("it was not released"),
            () = yield_now().fuse() => {}
        }
        release.send(7).unwrap();
        assert_eq!(task.await.unwrap(), Ok(7));
    });
}

#[test]
fn futures_unordered_yields_as_tasks_end() {
    block_on(async {
        let steps = |n: usize| async move {
            for _ in 0..n {
                yield_now().await;
            }
            n
        };
        let tasks: FuturesUnordered<_> =
            [3, 1, 2, 0].map(|n| spawn(steps(n))).into_iter().collect();
        let ended: Vec<_> = tasks.map(Result::unwrap).collect().await;
        assert_eq!(ended, [0, 1, 2, 3]);
    });
}

#[test]
fn channels_of_futures_pass_values_between_tasks() {
    block_on(async {
        let (mut sender, receiver) = mpsc::channel(1);
        let producer = spawn(async move {
            for i in 0..100 {
                sender.send(i).await.unwrap();
            }
        });
        assert_eq!(receiver.collect::<Vec<_>>().await, (0..100).collect::<Vec<_>>());
        producer.await.unwrap();
    });
}

#[test]
fn a_handle_is_a_local_spawner() {
    block_on(async {
        let handle = Handle::current();
        let local = Rc::new(Cell::new(0));
        let shared = local.clone();
        handle.spawn_local(async move { shared.set(7) }).unwrap();
        yield_now().await;
        assert_eq!(local.get(), 7);
        let output = handle.spawn_local_with_handle(async move { local.get() + 1 }).unwrap();
        assert_eq!(output.await, 8);
        assert!(handle.status_local().is_ok());
    });
}

#[test]
fn a_handle_spawns_locally_on_its_own_loop_only() {
    let runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    assert!(handle.spawn_local(pending()).unwrap_err().is_shutdown());
    block_on(async {
        assert!(handle.status_local().unwrap_err().is_shutdown());
        assert!(handle.spawn_local(pending()).unwrap_err().is_shutdown());
    });
    let guard = runtime.enter();
    assert!(handle.spawn_local(pending()).is_ok());
    drop(guard);
    let thread = thread::spawn(move || handle.status_local().unwrap_err().is_shutdown());
    assert!(thread.join().unwrap());
}

#[test]
fn a_handle_is_a_spawner_on_other_threads() {
    let mut runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let spawner = handle.clone();
    let output = thread::spawn(move || spawner.spawn_with_handle(ready(7)).unwrap());
    assert_eq!(runtime.block_on(output.join().unwrap()), 7);
    assert!(handle.status().is_ok());
    drop(runtime);
    assert!(handle.status().unwrap_err().is_shutdown());
    assert!(SpawnExt::spawn(&handle, ready(())).unwrap_err().is_shutdown());
}

/// Writes through the trait: streams have methods of the same names.
async fn send(mut writer: impl AsyncWrite + Unpin, bytes: &[u8]) -> io::Result<()> {
    writer.write_all(bytes).await?;
    writer.flush().await?;
    writer.close().await
}

/// Writes and reads in turn, through the traits.
async fn ask_a_hundred_times(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut buf = [0; 4];
    for i in 0..100u32 {
        stream.write_all(&i.to_be_bytes()).await?;
        stream.read_exact(&mut buf).await?;
        assert_eq!(u32::from_be_bytes(buf), i);
    }
    stream.close().await
}

#[test]
fn a_stream_reads_and_writes_by_reference() {
    block_on(async {
        let (client, server) = connection().await;
        let bytes = vec![7; 300_000];
        let writes = send(&client, &bytes);
        let mut received = Vec::new();
        let mut reader = &server;
        let reads = reader.read_to_end(&mut received);
        let (written, read) = join!(writes, reads);
        written.unwrap();
        assert_eq!((read.unwrap(), received.len()), (300_000, 300_000));
        assert!(received.iter().all(|byte| *byte == 7));
    });
}

#[test]
fn one_reference_can_read_and_write_at_once() {
    block_on(async {
        let (client, server) = connection().await;
        let echo = async { copy(&server, &mut &server).await };
        let requests = ask_a_hundred_times(&client);
        let (echoed, answered) = join!(echo, requests);
        answered.unwrap();
        assert_eq!(echoed.unwrap(), 400);
    });
}

#[test]
fn bufreader_of_futures_reads_lines() {
    block_on(async {
        let (client, server) = connection().await;
        send(client, b"one\ntwo\r\nthree").await.unwrap();
        let lines: io::Result<Vec<_>> =
            BufReader::new(server).lines().collect::<Vec<_>>().await.into_iter().collect();
        assert_eq!(lines.unwrap(), ["one", "two", "three"]);
    });
}

#[test]
fn split_of_futures_serves_two_tasks() {
    block_on(async {
        let (client, server) = connection().await;
        let (mut reader, mut writer) = AsyncReadExt::split(client);
        let echo = spawn(async move { copy(&server, &mut &server).await.unwrap() });
        let send = spawn(async move {
            writer.write_all(b"through two halves").await.unwrap();
            writer.close().await.unwrap();
        });
        let mut received = String::new();
        reader.read_to_string(&mut received).await.unwrap();
        assert_eq!(received, "through two halves");
        send.await.unwrap();
        assert_eq!(echo.await.unwrap(), 18);
    });
}

#[test]
fn a_task_completes_under_another_executor() {
    let mut runtime = Runtime::new().unwrap();
    let task = runtime.spawn(ready(7));
    runtime.run_until_stalled().unwrap();
    assert_eq!(futures::executor::block_on(task).unwrap(), 7);
}
