//! Writing JSON Lines: one object a line, without spaces and without numbers in floating point.
//!
//! Inlined into the many lines of the answers, these functions would take several times their size.

use std::fmt::{self, Write};
use std::panic::Location;
use std::str;

/// Writes one object. The caller ends it.
pub(super) struct Object<'a> {
    out: &'a mut String,
    is_first: bool,
}

/// Writes one list. The caller ends it.
pub(super) struct List<'a> {
    out: &'a mut String,
    is_first: bool,
}

/// Writes a part of a whole, from 0 to 1.
pub(super) struct Share(pub(super) u64, pub(super) u64);

/// Writes the counts of the classes of times, those that are not 0: pairs of the upper end of a
/// class in microseconds, and its count.
pub(super) struct Histogram<'a>(pub(super) &'a [u32]);

impl<'a> Object<'a> {
    pub(super) fn new(out: &'a mut String) -> Object<'a> {
        out.push('{');
        Object { out, is_first: true }
    }

    #[inline(never)]
    fn key(&mut self, key: &str) {
        if !self.is_first {
            self.out.push(',');
        }
        self.is_first = false;
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
    }

    /// Writes another value that is JSON.
    #[inline(never)]
    pub(super) fn raw(&mut self, key: &str, value: &dyn fmt::Display) {
        self.key(key);
        // Writing to a string cannot fail.
        let _ = write!(self.out, "{value}");
    }

    #[inline(never)]
    pub(super) fn null(&mut self, key: &str) {
        self.key(key);
        self.out.push_str("null");
    }

    pub(super) fn number(&mut self, key: &str, value: impl Into<u64>) {
        self.option(key, Some(value.into()));
    }

    /// Writes a number, or null.
    #[inline(never)]
    pub(super) fn option(&mut self, key: &str, value: Option<u64>) {
        self.key(key);
        push_option(self.out, value);
    }

    /// Writes nanoseconds as milliseconds.
    #[inline(never)]
    pub(super) fn millis(&mut self, key: &str, nanos: u64) {
        let micros = nanos / 1000;
        self.number(key, micros / 1000);
        self.out.push('.');
        for unit in [100, 10, 1] {
            push_number(self.out, micros / unit % 10);
        }
    }

    /// Writes text that has nothing to escape.
    #[inline(never)]
    pub(super) fn word(&mut self, key: &str, word: &str) {
        self.key(key);
        self.out.push('"');
        self.out.push_str(word);
        self.out.push('"');
    }

    /// Writes a line of a source file, or null. A copy of each task has two.
    #[inline(never)]
    pub(super) fn place(&mut self, key: &str, place: Option<&Location<'_>>) {
        let Some(place) = place else { return self.null(key) };
        self.key(key);
        self.out.push('"');
        push_escaped(self.out, place.file());
        for number in [place.line(), place.column()] {
            self.out.push(':');
            push_number(self.out, number.into());
        }
        self.out.push('"');
    }

    /// Writes text, or null.
    #[inline(never)]
    pub(super) fn text(&mut self, key: &str, value: Option<&dyn fmt::Display>) {
        let Some(value) = value else { return self.null(key) };
        self.key(key);
        self.out.push('"');
        let _ = write!(Escaped(self.out), "{value}");
        self.out.push('"');
    }

    /// Begins an object in this one.
    pub(super) fn object(&mut self, key: &str) -> Object<'_> {
        self.key(key);
        Object::new(self.out)
    }

    /// Begins a list in this object.
    pub(super) fn list(&mut self, key: &str) -> List<'_> {
        self.key(key);
        self.out.push('[');
        List { out: self.out, is_first: true }
    }

    pub(super) fn end(self) {
        self.out.push('}');
    }

    /// Ends the object and its line.
    pub(super) fn end_line(self) {
        self.out.push_str("}\n");
    }
}

impl List<'_> {
    fn next(&mut self) {
        if !self.is_first {
            self.out.push(',');
        }
        self.is_first = false;
    }

    /// Writes a number, or null.
    pub(super) fn option(&mut self, value: Option<u64>) {
        self.next();
        push_option(self.out, value);
    }

    /// Begins an object in this list.
    pub(super) fn object(&mut self) -> Object<'_> {
        self.next();
        Object::new(self.out)
    }

    pub(super) fn end(self) {
        self.out.push(']');
    }
}

fn push_option(out: &mut String, number: Option<u64>) {
    match number {
        Some(number) => push_number(out, number),
        None => out.push_str("null"),
    }
}

/// Writes the digits without the machinery of formats: an answer may have a million numbers.
#[inline(never)]
fn push_number(out: &mut String, mut number: u64) {
    let mut digits = [0; 20];
    let mut begin = digits.len();
    loop {
        begin -= 1;
        digits[begin] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.push_str(str::from_utf8(&digits[begin..]).expect("digits are text"));
}

/// Escapes what JSON does not allow in a string, and all other control characters.
fn push_escaped(out: &mut String, text: &str) {
    let is_plain = |byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        return out.push_str(text);
    }
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// Escapes what is written to it.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_escaped(self.0, text);
        Ok(())
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Share(part, whole) = *self;
        let share = part * 10_000 / whole.max(1);
        write!(f, "{}.{:04}", share / 10_000, share % 10_000)
    }
}

impl fmt::Display for Histogram<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "[";
        for (class, count) in self.0.iter().enumerate().filter(|(_, count)| **count > 0) {
            write!(f, "{separator}[{},{count}]", 1u64 << class)?;
            separator = ",";
        }
        f.write_str(if separator == "[" { "[]" } else { "]" })
    }
}
