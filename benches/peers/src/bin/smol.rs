//! The workloads on smol: `LocalExecutor`, async-io's reactor, async-channel.

use std::future::Future;
use std::io;
use std::time::Duration;

use evloop_peers::job::{Job, announce};
use evloop_peers::peer::{Channels, Peer, Timers};
use evloop_peers::{channels, tasks, timers, wakers};
use smol::channel::{self, Receiver, Sender};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use smol::{LocalExecutor, Task, Timer, future};

thread_local! {
    static EXECUTOR: &'static LocalExecutor<'static> = Box::leak(Box::new(LocalExecutor::new()));
}

struct Smol;

fn main() -> io::Result<()> {
    let job = Job::from_args();
    if job.workload == "echo" {
        return Smol::block_on(serve(job.n as usize));
    }
    let sample = tasks::run::<Smol>(&job)
        .or_else(|| timers::run::<Smol>(&job))
        .or_else(|| wakers::run::<Smol>(&job))
        .or_else(|| wakers::run_across_threads::<Smol>(&job))
        .or_else(|| channels::run::<Smol>(&job));
    job.report(sample);
    Ok(())
}

async fn serve(buffer: usize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Smol::spawn(echo(stream, buffer)).detach();
    }
}

async fn echo(mut stream: TcpStream, buffer: usize) -> io::Result<()> {
    let mut buf = vec![0; buffer];
    loop {
        let got = stream.read(&mut buf).await?;
        if got == 0 {
            return Ok(());
        }
        stream.write_all(&buf[..got]).await?;
    }
}

impl Peer for Smol {
    type Handle<T: 'static> = Task<T>;

    fn block_on<T: 'static>(fut: impl Future<Output = T> + 'static) -> T {
        smol::block_on(EXECUTOR.with(|executor| executor.run(fut)))
    }

    fn spawn<T: 'static>(fut: impl Future<Output = T> + 'static) -> Task<T> {
        EXECUTOR.with(|executor| executor.spawn(fut))
    }

    fn join<T: 'static>(handle: Task<T>) -> impl Future<Output = T> {
        handle
    }

    fn detach<T: 'static>(handle: Task<T>) {
        handle.detach();
    }

    fn yield_now() -> impl Future<Output = ()> {
        future::yield_now()
    }
}

impl Timers for Smol {
    fn sleep(duration: Duration) -> impl Future {
        Timer::after(duration)
    }

    fn timeout<F: Future>(duration: Duration, fut: F) -> impl Future {
        let inner = async { Some(fut.await) };
        future::or(inner, async move {
            Timer::after(duration).await;
            None
        })
    }
}

impl Channels for Smol {
    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;
    type UnboundedSender = Sender<u64>;
    type UnboundedReceiver = Receiver<u64>;
    type OnceSender = Sender<u64>;
    type OnceReceiver = Receiver<u64>;

    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver) {
        channel::bounded(capacity)
    }

    async fn send(tx: &mut Self::Sender, value: u64) {
        tx.send(value).await.expect("the receiver is there");
    }

    async fn recv(rx: &mut Self::Receiver) -> Option<u64> {
        rx.recv().await.ok()
    }

    fn unbounded() -> (Self::UnboundedSender, Self::UnboundedReceiver) {
        channel::unbounded()
    }

    fn send_unbounded(tx: &Self::UnboundedSender, value: u64) {
        tx.try_send(value).expect("the receiver is there");
    }

    async fn recv_unbounded(rx: &mut Self::UnboundedReceiver) -> Option<u64> {
        rx.recv().await.ok()
    }

    fn oneshot() -> (Self::OnceSender, Self::OnceReceiver) {
        channel::bounded(1)
    }

    fn answer(tx: Self::OnceSender, value: u64) {
        tx.try_send(value).expect("the receiver is there");
    }

    async fn wait(rx: Self::OnceReceiver) -> u64 {
        rx.recv().await.expect("the task answers")
    }
}
