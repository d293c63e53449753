//! Event dispatch: a parser sends events, a coroutine makes records of them, filters pass them on.
//!
//! ```sh
//! cargo run --package evloop-book --example co_bus
//! ```
//!
//! prints
//!
//! ```text
//! bus 1485 of route 22 goes North Bound
//! bus 1567 of route 22 goes North Bound
//! ```
//!
//! The position of a coroutine in its code is its state. So the handler of the events needs no
//! table of states, and no variable that says what was read before.

use std::collections::BTreeMap;

use evloop::coroutine::Coroutine;

/// A coroutine that receives values and yields none.
type Sink<T> = Coroutine<'static, (), T>;

/// The fields of a bus, by name.
type Bus = BTreeMap<String, String>;

const DOCUMENT: &str = "
    <buses>
        <bus><id>1485</id><route>22</route><direction>North Bound</direction></bus>
        <bus><id>1506</id><route>22</route><direction>South Bound</direction></bus>
        <bus><id>2210</id><route>36</route><direction>North Bound</direction></bus>
        <bus><id>1567</id><route>22</route><direction>North Bound</direction></bus>
    </buses>";

fn main() {
    let printer = print_buses();
    let filters = filter("route", "22", filter("direction", "North Bound", printer));
    parse(DOCUMENT, to_records(filters));
}

/// An event of the parser.
enum Event<'a> {
    Start(&'a str),
    Text(&'a str),
    End(&'a str),
}

/// The source: sends an event for each tag and each text. Not a parser of all XML.
fn parse(document: &'static str, mut target: Sink<Event<'static>>) {
    target.next();
    for piece in document.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("each tag is closed");
        target.send(match tag.strip_prefix('/') {
            Some(name) => Event::End(name),
            None => Event::Start(tag),
        });
        if !text.trim().is_empty() {
            target.send(Event::Text(text));
        }
    }
}

/// Makes a record of the events between the start and the end of a bus.
fn to_records(mut target: Sink<Bus>) -> Sink<Event<'static>> {
    target.next();
    Coroutine::new(async move |co| {
        loop {
            // Ignores events until a bus starts.
            let Event::Start("bus") = co.yield_(()).await else { continue };
            let mut bus = Bus::new();
            let mut field = "";
            loop {
                match co.yield_(()).await {
                    Event::Start(name) => field = name,
                    Event::Text(text) => _ = bus.insert(field.to_string(), text.to_string()),
                    Event::End("bus") => break,
                    Event::End(_) => {}
                }
            }
            target.send(bus);
        }
    })
}

/// Forwards the buses whose `field` has this value.
fn filter(field: &'static str, value: &'static str, mut target: Sink<Bus>) -> Sink<Bus> {
    target.next();
    Coroutine::new(async move |co| {
        loop {
            let bus: Bus = co.yield_(()).await;
            if bus.get(field).is_some_and(|found| found == value) {
                target.send(bus);
            }
        }
    })
}

fn print_buses() -> Sink<Bus> {
    Coroutine::new(async |co| {
        loop {
            let bus: Bus = co.yield_(()).await;
            println!("bus {} of route {} goes {}", bus["id"], bus["route"], bus["direction"]);
        }
    })
}
