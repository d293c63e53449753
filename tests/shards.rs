//! Several loops at once: their outcomes, their messages, their end.

use std::collections::HashSet;
use std::future::pending;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use evloop::shards::{Shard, try_shards};
use evloop::task::yield_now;
use evloop::time::sleep;
use evloop::{Handle, block_on, shards, spawn};

/// Counts its live instances.
struct Counts<'a>(&'a AtomicUsize);

impl<'a> Counts<'a> {
    fn new(live: &'a AtomicUsize) -> Counts<'a> {
        live.fetch_add(1, Ordering::SeqCst);
        Counts(live)
    }
}

impl Drop for Counts<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn each_shard_has_a_thread_and_the_first_uses_the_callers() {
    let own = thread::current().id();
    let outcomes = shards(4, async |shard| {
        yield_now().await;
        // The future need not be `Send`.
        let index = Rc::new(shard.index());
        yield_now().await;
        (*index, shard.count(), thread::current().id())
    });
    let outcomes: Vec<_> = outcomes.unwrap().into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().map(|outcome| outcome.0).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(outcomes.iter().all(|outcome| outcome.1 == 4));
    assert_eq!(outcomes[0].2, own);
    assert_eq!(outcomes.iter().map(|outcome| outcome.2).collect::<HashSet<_>>().len(), 4);
}

#[test]
fn zero_shards_and_one_shard_are_allowed() {
    assert!(shards(0, async |_| ()).unwrap().is_empty());
    let outcomes = shards(1, async |shard| {
        let mailbox = shard.mailbox();
        assert_eq!(mailbox.recv().await, None, "no other shard can send");
        mailbox.send(0, 7).await.unwrap();
        assert_eq!(shard.mailbox().recv().await, Some(7));
        mailbox.recv().await
    });
    assert_eq!(outcomes.unwrap().pop().unwrap().unwrap(), None);
}

#[test]
fn a_plain_closure_is_accepted() {
    let outcomes = shards(2, |shard: Shard| async move { shard.index() }).unwrap();
    assert_eq!(outcomes.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn messages_of_each_type_and_sender_keep_their_order() {
    const COUNT: usize = 5000;
    let outcomes = shards(3, async |shard| {
        let (pairs, texts) = (shard.mailbox(), shard.mailbox());
        let (to_pairs, to_texts, index) = (pairs.clone(), texts.clone(), shard.index());
        let sender = spawn(async move {
            for i in 0..COUNT {
                for to in 0..3 {
                    to_pairs.send(to, (index, i)).await.unwrap();
                    if i % 10 == 0 {
                        to_texts.send(to, format!("{i}")).await.unwrap();
                    }
                }
            }
        });
        let texts = spawn(async move {
            let mut count = 0;
            while count < 3 * COUNT / 10 {
                let text = texts.recv().await.unwrap();
                assert_eq!(text.parse::<usize>().unwrap() % 10, 0);
                count += 1;
            }
        });
        let mut next = [0; 3];
        for _ in 0..3 * COUNT {
            let (from, i) = pairs.recv().await.unwrap();
            assert_eq!(next[from], i);
            next[from] += 1;
        }
        sender.await.unwrap();
        texts.await.unwrap();
        next
    });
    for outcome in outcomes.unwrap() {
        assert_eq!(outcome.unwrap(), [COUNT; 3]);
    }
}

#[test]
fn several_tasks_receive_from_one_mailbox() {
    let outcomes = shards(2, async |shard| {
        let mailbox = shard.mailbox();
        if shard.index() == 1 {
            for i in 0..100 {
                mailbox.send(0, i).await.unwrap();
            }
            return Vec::new();
        }
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let mailbox = mailbox.clone();
                spawn(async move {
                    let mut received = Vec::new();
                    while let Some(i) = mailbox.recv().await {
                        received.push(i);
                    }
                    received
                })
            })
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        all.sort_unstable();
        all
    });
    let outcomes: Vec<_> = outcomes.unwrap().into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes[0], Vec::from_iter(0..100), "all messages, then the end");
}

#[test]
fn a_full_mailbox_makes_senders_wait() {
    let sent = AtomicUsize::new(0);
    let outcomes = shards(2, async |shard| {
        let mailbox = shard.mailbox();
        if shard.index() == 1 {
            for i in 0..3000 {
                mailbox.send(0, i).await.unwrap();
                sent.fetch_add(1, Ordering::SeqCst);
            }
            return 0;
        }
        while sent.load(Ordering::SeqCst) < 1024 {
            yield_now().await;
        }
        sleep(Duration::from_millis(20)).await;
        assert_eq!(sent.load(Ordering::SeqCst), 1024);
        let mut count = 0;
        while let Some(i) = mailbox.recv().await {
            assert_eq!(i, count);
            count += 1;
        }
        count
    });
    assert_eq!(outcomes.unwrap().swap_remove(0).unwrap(), 3000);
}

#[test]
fn a_message_to_an_ended_shard_is_returned() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    #[derive(Debug)]
    struct Message;
    impl Drop for Message {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::SeqCst);
        }
    }
    let outcomes = shards(2, async |shard| {
        if shard.index() == 1 {
            return;
        }
        // The other shard ends sometime; messages that reached its mailbox before are dropped.
        let mailbox = shard.mailbox();
        let mut sent = 0;
        while mailbox.send(1, Message).await.is_ok() {
            sent += 1;
            yield_now().await;
        }
        assert!(mailbox.recv().await.is_none());
        assert!(shard.mailbox().send(1, "another type").await.is_err());
        while DROPS.load(Ordering::SeqCst) < sent + 1 {
            yield_now().await;
        }
        assert_eq!(DROPS.load(Ordering::SeqCst), sent + 1);
    });
    assert!(outcomes.unwrap().iter().all(Result::is_ok));
}

#[test]
fn a_panic_stops_the_others_and_is_returned() {
    let live = AtomicUsize::new(0);
    let line = line!() + 1;
    let outcomes = shards(3, async |shard| {
        let _counts = Counts::new(&live);
        drop(spawn(pending::<()>()));
        if shard.index() == 1 {
            yield_now().await;
            panic!("out of paper");
        }
        pending::<()>().await
    });
    let mut outcomes = outcomes.unwrap();
    let last = outcomes.pop().unwrap().unwrap_err();
    assert!(last.is_cancelled(), "{last}");
    let panicked = outcomes.pop().unwrap().unwrap_err();
    let text = format!("(spawned at {}:{line}:20) panicked: out of paper", file!());
    assert!(panicked.to_string().ends_with(&text), "{panicked}");
    assert!(outcomes.pop().unwrap().unwrap_err().is_cancelled());
    assert_eq!(live.load(Ordering::SeqCst), 0, "destructors ran");
}

#[test]
fn a_panicking_destructor_at_the_end_of_a_loop_is_a_panic_of_its_shard() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("a destructor's");
        }
    }
    // The message stays in a mailbox: one that its shard has opened, or one that it never opened.
    for is_opened in [true, false] {
        let outcomes = shards(2, async |shard| {
            let sent = shard.mailbox();
            if shard.index() == 1 {
                let _mailbox = is_opened.then(|| shard.mailbox::<Panics>());
                sent.recv().await.unwrap();
                return;
            }
            shard.mailbox().send(1, Panics).await.ok();
            sent.send(1, ()).await.unwrap();
            pending().await
        });
        let outcomes = outcomes.unwrap();
        assert!(outcomes[0].as_ref().unwrap_err().is_cancelled());
        assert!(outcomes[1].as_ref().unwrap_err().is_panic());
    }
}

#[test]
fn stop_all_ends_all_shards_except_one_that_completes() {
    let outcomes = shards(3, async |shard| {
        if shard.index() == 2 {
            yield_now().await;
            shard.stop_all();
            return 7;
        }
        pending().await
    });
    let outcomes = outcomes.unwrap();
    assert!(outcomes[..2].iter().all(|outcome| outcome.as_ref().unwrap_err().is_cancelled()));
    assert_eq!(*outcomes[2].as_ref().unwrap(), 7);
    let outcomes = shards(1, async |shard| {
        shard.stop_all();
        yield_now().await;
    });
    assert!(outcomes.unwrap()[0].as_ref().unwrap_err().is_cancelled(), "the caller's shard too");
}

#[test]
fn the_first_error_stops_the_others() {
    let result = try_shards(3, async |shard| {
        if shard.index() == 1 {
            yield_now().await;
            return Err(io::Error::other("out of paper"));
        }
        pending::<io::Result<()>>().await
    });
    assert_eq!(result.unwrap_err().to_string(), "out of paper");
    let result = try_shards(3, async |shard| io::Result::Ok(shard.index()));
    assert_eq!(result.unwrap(), [0, 1, 2]);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        try_shards(2, async |shard| match shard.index() {
            0 => pending::<io::Result<()>>().await,
            _ => panic!("out of ink"),
        })
    }));
    assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "out of ink");
}

#[test]
fn handles_reach_every_loop() {
    let outcomes = shards(3, async |shard| {
        let mut ids = Vec::new();
        for handle in shard.handles() {
            ids.push(handle.spawn(|| async { thread::current().id() }).await.unwrap());
        }
        // No shard ends before the others have used its loop.
        let mailbox = shard.mailbox();
        for to in 0..3 {
            mailbox.send(to, ()).await.unwrap();
        }
        for _ in 0..3 {
            mailbox.recv().await.unwrap();
        }
        (ids, thread::current().id(), thread::current().name().map(String::from))
    });
    let outcomes: Vec<_> = outcomes.unwrap().into_iter().map(Result::unwrap).collect();
    let own: Vec<_> = outcomes.iter().map(|outcome| outcome.1).collect();
    assert!(outcomes.iter().all(|outcome| outcome.0 == own));
    assert_eq!(outcomes[2].2.as_deref(), Some("shard-2"));
}

#[test]
fn shards_panics_inside_a_loop() {
    let panic = block_on(async { catch_unwind(|| shards(1, async |_| ())) }).unwrap_err();
    let message =
        "shards was called inside of a running event loop, which it would block: call it in main";
    assert_eq!(*panic.downcast::<&str>().unwrap(), message);
}

#[test]
fn no_shard_begins_before_all_loops_exist() {
    let begun = Mutex::new(Vec::new());
    let outcomes = shards(4, async |shard| {
        begun.lock().unwrap().push(shard.index());
        assert_eq!(shard.handles().len(), 4);
        assert!(Handle::try_current().is_some());
    });
    assert!(outcomes.unwrap().iter().all(Result::is_ok));
    assert_eq!(begun.lock().unwrap().len(), 4);
}

#[cfg(target_os = "linux")]
#[test]
fn listeners_share_a_port() {
    use std::net::SocketAddr;

    use evloop::net::{ListenOptions, TcpListener, TcpStream};
    let options = ListenOptions { reuse_port: true, ..ListenOptions::default() };
    // Port 0: the first listener chooses the port.
    let addr: SocketAddr = ([127, 0, 0, 1], 0).into();
    let served = try_shards(3, async |shard| -> io::Result<usize> {
        // The first shard chooses the port; the last one connects until both others have answered.
        let mailbox = shard.mailbox();
        let listener = match shard.index() {
            0 => {
                let listener = TcpListener::bind_with(addr, &options).await?;
                for to in 1..3 {
                    mailbox.send(to, listener.local_addr()?).await.ok();
                }
                listener
            }
            1 => {
                let addr = mailbox.recv().await.unwrap();
                let listener = TcpListener::bind_with(addr, &options).await?;
                mailbox.send(2, listener.local_addr()?).await.ok();
                listener
            }
            _ => {
                let addr = mailbox.recv().await.unwrap();
                assert_eq!(mailbox.recv().await, Some(addr));
                let mut answers = HashSet::new();
                while answers.len() < 2 {
                    let stream = TcpStream::connect(addr).await?;
                    let mut buf = [0];
                    stream.read_exact(&mut buf).await?;
                    answers.insert(buf[0]);
                }
                shard.stop_all();
                return Ok(answers.len());
            }
        };
        loop {
            let (stream, _) = listener.accept().await?;
            stream.write_all(&[shard.index() as u8]).await?;
        }
    });
    assert_eq!(served.unwrap(), [2]);
}
