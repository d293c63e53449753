//! The workloads on monoio, with local-sync's channels, which its authors made.

use std::future::Future;
use std::io;
use std::time::Duration;

use evloop_peers::job::{Job, announce};
use evloop_peers::peer::{Channels, Peer, Timers};
use evloop_peers::{channels, redis, tasks, timers, wakers};
use local_sync::mpsc::{bounded, unbounded};
use local_sync::oneshot;
use monoio::buf::IoBuf;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use monoio::task::JoinHandle;
use monoio::{RuntimeBuilder, time};

use crate::Driver;

pub struct Monoio;

pub fn main() -> io::Result<()> {
    let job = Job::from_args();
    match job.workload.as_str() {
        "echo" => return Monoio::block_on(serve(job.n as usize)),
        "redis" => return Monoio::block_on(redis::serve::<Monoio>()),
        _ => {}
    }
    let sample = tasks::run::<Monoio>(&job)
        .or_else(|| timers::run::<Monoio>(&job))
        .or_else(|| wakers::run::<Monoio>(&job))
        .or_else(|| channels::run::<Monoio>(&job));
    job.report(sample);
    Ok(())
}

async fn serve(buffer: usize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    announce(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        monoio::spawn(echo(stream, buffer));
    }
}

async fn echo(mut stream: TcpStream, buffer: usize) -> io::Result<()> {
    let mut buf = Vec::with_capacity(buffer);
    loop {
        let (got, filled) = stream.read(buf).await;
        let got = got?;
        if got == 0 {
            return Ok(());
        }
        let (sent, slice) = stream.write_all(filled.slice(..got)).await;
        sent?;
        buf = slice.into_inner();
    }
}

impl Peer for Monoio {
    type Handle<T: 'static> = JoinHandle<T>;

    fn block_on<T: 'static>(fut: impl Future<Output = T> + 'static) -> T {
        let runtime = RuntimeBuilder::<Driver>::new().enable_timer().build();
        runtime.expect("a runtime").block_on(fut)
    }

    fn spawn<T: 'static>(fut: impl Future<Output = T> + 'static) -> JoinHandle<T> {
        monoio::spawn(fut)
    }

    fn join<T: 'static>(handle: JoinHandle<T>) -> impl Future<Output = T> {
        handle
    }
}

impl Timers for Monoio {
    fn sleep(duration: Duration) -> impl Future {
        time::sleep(duration)
    }

    fn timeout<F: Future>(duration: Duration, fut: F) -> impl Future {
        time::timeout(duration, fut)
    }
}

impl Channels for Monoio {
    type Sender = bounded::Tx<u64>;
    type Receiver = bounded::Rx<u64>;
    type UnboundedSender = unbounded::Tx<u64>;
    type UnboundedReceiver = unbounded::Rx<u64>;
    type OnceSender = oneshot::Sender<u64>;
    type OnceReceiver = oneshot::Receiver<u64>;

    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver) {
        bounded::channel(capacity)
    }

    async fn send(tx: &mut Self::Sender, value: u64) {
        tx.send(value).await.expect("the receiver is there");
    }

    fn recv(rx: &mut Self::Receiver) -> impl Future<Output = Option<u64>> {
        rx.recv()
    }

    fn unbounded() -> (Self::UnboundedSender, Self::UnboundedReceiver) {
        unbounded::channel()
    }

    fn send_unbounded(tx: &Self::UnboundedSender, value: u64) {
        tx.send(value).expect("the receiver is there");
    }

    fn recv_unbounded(rx: &mut Self::UnboundedReceiver) -> impl Future<Output = Option<u64>> {
        rx.recv()
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
