//! Coroutines that receive values: a consumer, a pipeline, one source for several sinks, events.
//!
//! ```sh
//! cargo run --example coroutines
//! ```
//!
//! prints
//!
//! ```text
//! [PRODUCER] Producing 1...
//! [CONSUMER] Consuming 1...
//! [PRODUCER] Consumer return: 200 OK
//! [PRODUCER] Producing 2...
//! [CONSUMER] Consuming 2...
//! [PRODUCER] Consumer return: 200 OK
//! [PRODUCER] Producing 3...
//! [CONSUMER] Consuming 3...
//! [PRODUCER] Consumer return: 200 OK
//! [PRODUCER] Producing 4...
//! [CONSUMER] Consuming 4...
//! [PRODUCER] Consumer return: 200 OK
//! [PRODUCER] Producing 5...
//! [CONSUMER] Consuming 5...
//! [PRODUCER] Consumer return: 200 OK
//! pipeline: python generators rock!
//! pipeline: a python is a snake
//! broadcast to python: python generators rock!
//! broadcast to generators: python generators rock!
//! broadcast to generators: so do generators in Rust
//! broadcast to python: a python is a snake
//! events: bus 1485 goes North Bound
//! events: bus 1567 goes North Bound
//! ```

use evloop::coroutine::{Coroutine, Step};

/// A coroutine that receives lines and yields no values.
type Sink = Coroutine<'static, (), &'static str>;

const LOG: [&str; 4] =
    ["python generators rock!", "so do generators in Rust", "a python is a snake", "the end"];

fn main() {
    produce(consumer());

    let mut pipeline = grep("python", printer("pipeline"));
    follow(&LOG, &mut pipeline);

    let sinks = ["python", "generators"].map(|word| {
        let name = format!("broadcast to {word}");
        grep(word, printer(name))
    });
    follow(&LOG, &mut broadcast(sinks));

    let mut buses = on_buses("North Bound");
    buses.next();
    for event in bus_events() {
        buses.send(event);
    }
}

/// A consumer: yields an answer to each number that it receives.
fn consumer() -> Coroutine<'static, &'static str, u32> {
    Coroutine::new(async |co| {
        let mut answer = "";
        loop {
            let n = co.yield_(answer).await;
            println!("[CONSUMER] Consuming {n}...");
            answer = "200 OK";
        }
    })
}

fn produce(mut consumer: Coroutine<'_, &str, u32>) {
    consumer.next();
    for n in 1..=5 {
        println!("[PRODUCER] Producing {n}...");
        if let Step::Yielded(answer) = consumer.send(n) {
            println!("[PRODUCER] Consumer return: {answer}");
        }
    }
    consumer.close();
}

/// The source: sends lines one by one, as `tail -f` does.
fn follow(lines: &[&'static str], target: &mut Sink) {
    target.next();
    for line in lines {
        target.send(line);
    }
}

/// A filter: forwards the lines that contain `word`.
fn grep(word: &'static str, mut target: Sink) -> Sink {
    target.next();
    Coroutine::new(async move |co| {
        loop {
            let line: &str = co.yield_(()).await;
            if line.contains(word) {
                target.send(line);
            }
        }
    })
}

/// A sink: prints the lines that it receives.
fn printer(name: impl Into<String>) -> Sink {
    let name = name.into();
    Coroutine::new(async move |co| {
        loop {
            println!("{name}: {}", co.yield_(()).await);
        }
    })
}

/// Forwards every line to all of `targets`.
fn broadcast<const N: usize>(mut targets: [Sink; N]) -> Sink {
    targets.iter_mut().for_each(|target| _ = target.next());
    Coroutine::new(async move |co| {
        loop {
            let line: &str = co.yield_(()).await;
            targets.iter_mut().for_each(|target| _ = target.send(line));
        }
    })
}

/// An event of a parser that reads a document.
enum Event {
    Start(&'static str),
    Text(&'static str),
    End(&'static str),
}

/// Handles events. Its position in the code is its state, so it needs no table of states.
fn on_buses(direction: &'static str) -> Coroutine<'static, (), Event> {
    Coroutine::new(async move |co| {
        loop {
            // Skips events until a bus starts, and then reads its fields until it ends.
            let Event::Start("bus") = co.yield_(()).await else { continue };
            let (mut id, mut goes) = ("", "");
            loop {
                match co.yield_(()).await {
                    Event::Start(field) => {
                        if let Event::Text(text) = co.yield_(()).await {
                            let place = if field == "id" { &mut id } else { &mut goes };
                            *place = text;
                        }
                    }
                    Event::End("bus") => break,
                    _ => {}
                }
            }
            if goes == direction {
                println!("events: bus {id} goes {goes}");
            }
        }
    })
}

/// The events of a document with three buses.
fn bus_events() -> impl Iterator<Item = Event> {
    let buses = [("1485", "North Bound"), ("1506", "South Bound"), ("1567", "North Bound")];
    Coroutine::new(async move |co| {
        for (id, direction) in buses {
            co.yield_(Event::Start("bus")).await;
            for (field, text) in [("id", id), ("direction", direction)] {
                co.yield_(Event::Start(field)).await;
                co.yield_(Event::Text(text)).await;
                co.yield_(Event::End(field)).await;
            }
            co.yield_(Event::End("bus")).await;
        }
    })
}
