//! What the binaries on tokio share: all but how tasks are started, which each says for itself.

use std::future::Future;
use std::io;
use std::time::Duration;

use evloop_peers::job::{Job, announce};
use evloop_peers::peer::{Channels, Peer, Timers};
use evloop_peers::{channels, redis, tasks, timers, wakers};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time;

use crate::servers;

pub struct Tokio;

pub fn main() -> io::Result<()> {
    let job = Job::from_args();
    let port = job.n as u16;
    match job.workload.as_str() {
        "echo" => return Tokio::block_on(serve(job.n as usize, echo)),
        "echo_lean" => return Tokio::block_on(serve(job.n as usize, echo_lean)),
        "redis" => return Tokio::block_on(redis::serve::<Tokio>()),
        "redis_lines" => return Tokio::block_on(redis::serve_lines::<Tokio>()),
        "chat" => return Tokio::block_on(servers::chat(servers::send_lines)),
        "chat_batched" => return Tokio::block_on(servers::chat(servers::send_batches)),
        "proxy" => return Tokio::block_on(servers::proxy(port, servers::forward)),
        "proxy_sized" => return Tokio::block_on(servers::proxy(port, servers::forward_sized)),
        _ => {}
    }
    let sample = tasks::run::<Tokio>(&job)
        .or_else(|| timers::run::<Tokio>(&job))
        .or_else(|| wakers::run::<Tokio>(&job))
        .or_else(|| wakers::run_across_threads::<Tokio>(&job))
        .or_else(|| channels::run::<Tokio>(&job));
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
        Tokio::detach(Tokio::spawn(async move { handler(stream, buffer).await }));
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

/// The buffer is there only while data is.
async fn echo_lean(mut stream: TcpStream, buffer: usize) -> io::Result<()> {
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

impl Timers for Tokio {
    fn sleep(duration: Duration) -> impl Future {
        time::sleep(duration)
    }

    fn timeout<F: Future>(duration: Duration, fut: F) -> impl Future {
        time::timeout(duration, fut)
    }
}

impl Channels for Tokio {
    type Sender = mpsc::Sender<u64>;
    type Receiver = mpsc::Receiver<u64>;
    type UnboundedSender = mpsc::UnboundedSender<u64>;
    type UnboundedReceiver = mpsc::UnboundedReceiver<u64>;
    type OnceSender = oneshot::Sender<u64>;
    type OnceReceiver = oneshot::Receiver<u64>;

    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver) {
        mpsc::channel(capacity)
    }

    async fn send(tx: &mut Self::Sender, value: u64) {
        tx.send(value).await.expect("the receiver is there");
    }

    fn recv(rx: &mut Self::Receiver) -> impl Future<Output = Option<u64>> {
        rx.recv()
    }

    fn unbounded() -> (Self::UnboundedSender, Self::UnboundedReceiver) {
        mpsc::unbounded_channel()
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
