//! Writing JSON Lines: one object a line, without spaces and without numbers in floating point.

use std::fmt::{self, Write};

/// Writes one object. The caller ends it.
pub(super) struct Object<'a> {
    out: &'a mut String,
    is_first: bool,
}

/// Writes nanoseconds as milliseconds.
pub(super) struct Millis(pub(super) u64);

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

    fn key(&mut self, key: &str) {
        if !self.is_first {
            self.out.push(',');
        }
        self.is_first = false;
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
    }

    /// Writes a number, or another value that is JSON.
    pub(super) fn raw(&mut self, key: &str, value: &dyn fmt::Display) {
        self.key(key);
        // Writing to a string cannot fail.
        let _ = write!(self.out, "{value}");
    }

    /// Writes a number, or null.
    pub(super) fn option(&mut self, key: &str, value: Option<u64>) {
        match value {
            Some(value) => self.raw(key, &value),
            None => self.raw(key, &"null"),
        }
    }

    /// Writes text, or null.
    pub(super) fn text(&mut self, key: &str, value: Option<&dyn fmt::Display>) {
        self.key(key);
        let Some(value) = value else { return self.out.push_str("null") };
        self.out.push('"');
        let _ = write!(Escaped(self.out), "{value}");
        self.out.push('"');
    }

    /// Begins an object in this one.
    pub(super) fn object(&mut self, key: &str) -> Object<'_> {
        self.key(key);
        Object::new(self.out)
    }

    pub(super) fn end(self) {
        self.out.push('}');
    }

    /// Ends the object and its line.
    pub(super) fn end_line(self) {
        self.out.push_str("}\n");
    }
}

/// Escapes what JSON does not allow in a string, and all other control characters.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '"' | '\\' => self.0.extend(['\\', c]),
                c if c.is_control() => {
                    write!(self.0, "\\u{:04x}", u32::from(c))?;
                }
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0 / 1000;
        write!(f, "{}.{:03}", micros / 1000, micros % 1000)
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
