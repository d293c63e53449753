//! The workloads on glommio: io_uring, and its own local channels.

use std::future::Future;
use std::io;
use std::time::Duration;

use evloop_peers::job::{Job, announce};
use evloop_peers::peer::{Channels, Peer, Timers};
use evloop_peers::{channels, tasks, timers, wakers};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::channels::local_channel::{self, LocalReceiver, LocalSender};
use glommio::net::{TcpListener, TcpStream};
use glommio::{LocalExecutorBuilder, Placement, Task, timer};

struct Glommio;

fn main() -> io::Result<()> {
    let job = Job::from_args();
    if job.workload == "echo" {
        return Glommio::block_on(serve(job.n as usize));
    }
    let sample = tasks::run::<Glommio>(&job)
        .or_else(|| timers::run::<Glommio>(&job))
        .or_else(|| wakers::run::<Glommio>(&job))
        .or_else(|| wakers::run_across_threads::<Glommio>(&job))
        .or_else(|| channels::run::<Glommio>(&job));
    job.report(sample);
    Ok(())
}

async fn serve(buffer: usize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    announce(listener.local_addr()?);
    loop {
        let stream = listener.accept().await?;
        stream.set_nodelay(true)?;
        glommio::spawn_local(echo(stream, buffer)).detach();
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

impl Peer for Glommio {
    const EAGER: bool = true;

    type Handle<T: 'static> = Task<T>;

    fn block_on<T: 'static>(fut: impl Future<Output = T> + 'static) -> T {
        LocalExecutorBuilder::new(Placement::Unbound).make().expect("an executor").run(fut)
    }

    fn spawn<T: 'static>(fut: impl Future<Output = T> + 'static) -> Task<T> {
        glommio::spawn_local(fut)
    }

    fn join<T: 'static>(handle: Task<T>) -> impl Future<Output = T> {
        handle
    }

    fn detach<T: 'static>(handle: Task<T>) {
        handle.detach();
    }

    async fn yield_now() {
        glommio::executor().yield_now().await;
    }
}

impl Timers for Glommio {
    fn sleep(duration: Duration) -> impl Future {
        timer::sleep(duration)
    }

    fn timeout<F: Future>(duration: Duration, fut: F) -> impl Future {
        timer::timeout(duration, async move { Ok::<_, glommio::GlommioError<()>>(fut.await) })
    }
}

impl Channels for Glommio {
    type Sender = LocalSender<u64>;
    type Receiver = LocalReceiver<u64>;
    type UnboundedSender = LocalSender<u64>;
    type UnboundedReceiver = LocalReceiver<u64>;
    type OnceSender = LocalSender<u64>;
    type OnceReceiver = LocalReceiver<u64>;

    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver) {
        local_channel::new_bounded(capacity)
    }

    async fn send(tx: &mut Self::Sender, value: u64) {
        tx.send(value).await.expect("the receiver is there");
    }

    fn recv(rx: &mut Self::Receiver) -> impl Future<Output = Option<u64>> {
        rx.recv()
    }

    fn unbounded() -> (Self::UnboundedSender, Self::UnboundedReceiver) {
        local_channel::new_unbounded()
    }

    fn send_unbounded(tx: &Self::UnboundedSender, value: u64) {
        tx.try_send(value).expect("the receiver is there");
    }

    fn recv_unbounded(rx: &mut Self::UnboundedReceiver) -> impl Future<Output = Option<u64>> {
        rx.recv()
    }

    fn oneshot() -> (Self::OnceSender, Self::OnceReceiver) {
        local_channel::new_bounded(1)
    }

    fn answer(tx: Self::OnceSender, value: u64) {
        tx.try_send(value).expect("the receiver is there");
    }

    async fn wait(rx: Self::OnceReceiver) -> u64 {
        rx.recv().await.expect("the task answers")
    }
}
