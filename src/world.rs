//! L0: a simulated world.
#![allow(dead_code)]

mod trace;
mod trace_difference;
mod trace_entry;
mod trace_events;
mod trace_hash;
mod trace_mermaid;
mod trace_record;
#[cfg(test)]
mod trace_tests;
mod trace_text;
