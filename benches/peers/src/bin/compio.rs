//! The workloads on compio: its io_uring driver, and futures' channels, as it has none.

use std::future::Future;
use std::io;
use std::time::Duration;

use compio::BufResult;
use compio::buf::{IntoInner, IoBuf};
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream};
use compio::runtime::{JoinHandle, Runtime};
use compio::time;
use evloop_peers::job::{Job, announce};
use evloop_peers::peer::{Channels, Peer, Timers};
use evloop_peers::{channels, tasks, timers, wakers};
use futures::channel::{mpsc, oneshot};
use futures::{SinkExt, StreamExt};

struct Compio;

fn main() -> io::Result<()> {
    let job = Job::from_args();
    if job.workload == "echo" {
        return Compio::block_on(serve(job.n as usize));
    }
    let sample = tasks::run::<Compio>(&job)
        .or_else(|| timers::run::<Compio>(&job))
        .or_else(|| wakers::run::<Compio>(&job))
        .or_else(|| wakers::run_across_threads::<Compio>(&job))
        .or_else(|| channels::run::<Compio>(&job));
    job.report(sample);
    Ok(())
}

async fn serve(buffer: usize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        compio::runtime::spawn(echo(stream, buffer)).detach();
    }
}

async fn echo(mut stream: TcpStream, buffer: usize) -> io::Result<()> {
    let mut buf = Vec::with_capacity(buffer);
    loop {
        let BufResult(got, filled) = stream.read(buf).await;
        let got = got?;
        if got == 0 {
            return Ok(());
        }
        let BufResult(sent, slice) = stream.write_all(filled.slice(..got)).await;
        sent?;
        buf = slice.into_inner();
        buf.clear();
    }
}

impl Peer for Compio {
    type Handle<T: 'static> = JoinHandle<T>;

    fn block_on<T: 'static>(fut: impl Future<Output = T> + 'static) -> T {
        Runtime::new().expect("a runtime").block_on(fut)
    }

    fn spawn<T: 'static>(fut: impl Future<Output = T> + 'static) -> JoinHandle<T> {
        compio::runtime::spawn(fut)
    }

    async fn join<T: 'static>(handle: JoinHandle<T>) -> T {
        handle.await.expect("the task ends well")
    }

    fn detach<T: 'static>(handle: JoinHandle<T>) {
        handle.detach();
    }
}

impl Timers for Compio {
    fn sleep(duration: Duration) -> impl Future {
        time::sleep(duration)
    }

    fn timeout<F: Future>(duration: Duration, fut: F) -> impl Future {
        time::timeout(duration, fut)
    }
}

impl Channels for Compio {
    type Sender = mpsc::Sender<u64>;
    type Receiver = mpsc::Receiver<u64>;
    type UnboundedSender = mpsc::UnboundedSender<u64>;
    type UnboundedReceiver = mpsc::UnboundedReceiver<u64>;
    type OnceSender = oneshot::Sender<u64>;
    type OnceReceiver = oneshot::Receiver<u64>;

    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver) {
        // Each sender has a slot of its own on top of the buffer.
        mpsc::channel(capacity - 1)
    }

    async fn send(tx: &mut Self::Sender, value: u64) {
        tx.send(value).await.expect("the receiver is there");
    }

    fn recv(rx: &mut Self::Receiver) -> impl Future<Output = Option<u64>> {
        rx.next()
    }

    fn unbounded() -> (Self::UnboundedSender, Self::UnboundedReceiver) {
        mpsc::unbounded()
    }

    fn send_unbounded(tx: &Self::UnboundedSender, value: u64) {
        tx.unbounded_send(value).expect("the receiver is there");
    }

    fn recv_unbounded(rx: &mut Self::UnboundedReceiver) -> impl Future<Output = Option<u64>> {
        rx.next()
    }

    fn oneshot() -> (Self::OnceSender, Self::OnceReceiver) {
        oneshot::channel()
    }

    fn answer(tx: Self::OnceSender, value: u64) {
        tx.send(value).expect("the receiver is there");
    }

    async fn wait(rx: Self::OnceReceiver) -> u64 {
        rx.await.expect("the task answers")
    }
}
