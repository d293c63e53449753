//! The workloads on evloop, with its released defaults.

use std::future::Future;
use std::io;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream};
use evloop::sync::{mpsc, oneshot};
use evloop::task::{self, JoinHandle};
use evloop::time;
use evloop_peers::job::{Job, announce};
use evloop_peers::peer::{Channels, Peer, Timers};
use evloop_peers::{channels, redis, tasks, timers, wakers};

mod servers;

struct Evloop;

fn main() -> io::Result<()> {
    let job = Job::from_args();
    match job.workload.as_str() {
        "echo" => return evloop::block_on(serve(job.n as usize, echo)),
        "echo_streams" => return evloop::block_on(serve_streams(job.n as usize)),
        "echo_lean" => return evloop::block_on(serve(job.n as usize, echo_lean)),
        "redis" => return evloop::block_on(redis::serve::<Evloop>()),
        "redis_lines" => return evloop::block_on(redis::serve_lines::<Evloop>()),
        "chat" | "chat_batched" => return evloop::block_on(servers::chat()),
        "proxy" | "proxy_sized" => return evloop::block_on(servers::proxy(job.n as u16)),
        _ => {}
    }
    let sample = tasks::run::<Evloop>(&job)
        .or_else(|| timers::run::<Evloop>(&job))
        .or_else(|| wakers::run::<Evloop>(&job))
        .or_else(|| wakers::run_across_threads::<Evloop>(&job))
        .or_else(|| channels::run::<Evloop>(&job));
    job.report(sample);
    Ok(())
}

async fn serve(
    buffer: usize,
    handler: impl AsyncFn(TcpStream, usize) -> io::Result<()> + Copy + 'static,
) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        drop(evloop::spawn(async move { handler(stream, buffer).await }));
    }
}

async fn echo(stream: TcpStream, buffer: usize) -> io::Result<()> {
    let mut buf = vec![0; buffer];
    loop {
        let got = stream.read(&mut buf).await?;
        if got == 0 {
            return Ok(());
        }
        stream.write_all(&buf[..got]).await?;
    }
}

/// By the streams layer, as an asyncio program has it.
async fn serve_streams(buffer: usize) -> io::Result<()> {
    let server = evloop::start_server("127.0.0.1:0", async move |mut reader, writer| {
        loop {
            let data = reader.read(buffer).await?;
            if data.is_empty() {
                return io::Result::Ok(());
            }
            writer.write(&data);
            writer.drain().await?;
        }
    });
    let server = server.await?;
    announce(server.local_addrs()[0]);
    server.serve_forever().await
}

/// The buffer is there only while data is.
async fn echo_lean(stream: TcpStream, buffer: usize) -> io::Result<()> {
    loop {
        stream.readable().await?;
        let mut buf = vec![0; buffer];
        match stream.try_read(&mut buf) {
            Ok(0) => return Ok(()),
            Ok(got) => stream.write_all(&buf[..got]).await?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

impl Peer for Evloop {
    type Handle<T: 'static> = JoinHandle<T>;

    fn block_on<T: 'static>(fut: impl Future<Output = T> + 'static) -> T {
        evloop::block_on(fut)
    }

    fn spawn<T: 'static>(fut: impl Future<Output = T> + 'static) -> JoinHandle<T> {
        evloop::spawn(fut)
    }

    async fn join<T: 'static>(handle: JoinHandle<T>) -> T {
        handle.await.expect("the task ends well")
    }

    fn yield_now() -> impl Future<Output = ()> {
        task::yield_now()
    }
}

impl Timers for Evloop {
    fn sleep(duration: Duration) -> impl Future {
        time::sleep(duration)
    }

    fn timeout<F: Future>(duration: Duration, fut: F) -> impl Future {
        time::timeout(duration, fut)
    }
}

impl Channels for Evloop {
    type Sender = mpsc::Sender<u64>;
    type Receiver = mpsc::Receiver<u64>;
    type UnboundedSender = mpsc::UnboundedSender<u64>;
    type UnboundedReceiver = mpsc::Receiver<u64>;
    type OnceSender = oneshot::Sender<u64>;
    type OnceReceiver = oneshot::Receiver<u64>;

    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver) {
        mpsc::bounded(capacity)
    }

    async fn send(tx: &mut Self::Sender, value: u64) {
        tx.send(value).await.expect("the receiver is there");
    }

    fn recv(rx: &mut Self::Receiver) -> impl Future<Output = Option<u64>> {
        rx.recv()
    }

    fn unbounded() -> (Self::UnboundedSender, Self::UnboundedReceiver) {
        mpsc::unbounded()
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
