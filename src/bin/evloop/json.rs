//! JSON, read and written. Reads one value from a text; strings without escapes are not copied.
//!
//! A value nests to `DEPTH_MAX` at most, so rubbish cannot overflow the stack. Whole numbers keep
//! all their digits up to 64 bits.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// The protocol nests to a depth of 5.
const DEPTH_MAX: usize = 32;

/// One value of JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// A number without fraction and exponent that fits.
    Whole(i128),
    Number(f64),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    /// In the order of the text. The first of two equal keys counts.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Returns the member `key` of an object; of anything else, [`Json::Null`].
    pub(crate) fn get(&self, key: &str) -> &Json<'a> {
        let Json::Object(members) = self else { return &Json::Null };
        members.iter().find(|(name, _)| name == key).map_or(&Json::Null, |(_, value)| value)
    }

    /// Returns whether an object has the member `key`, which may be `null`.
    pub(crate) fn has(&self, key: &str) -> bool {
        let Json::Object(members) = self else { return false };
        members.iter().any(|(name, _)| name == key)
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn owned(&self) -> Option<String> {
        self.text().map(str::to_owned)
    }

    pub(crate) fn u64(&self) -> Option<u64> {
        if let Json::Whole(number) = self { u64::try_from(*number).ok() } else { None }
    }

    pub(crate) fn f64(&self) -> Option<f64> {
        match self {
            Json::Whole(number) => Some(*number as f64),
            Json::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn is_true(&self) -> bool {
        *self == Json::Bool(true)
    }

    pub(crate) fn list(&self) -> &[Json<'a>] {
        if let Json::List(values) = self { values } else { &[] }
    }
}

/// Writes the value on one line.
impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Whole(number) => write!(f, "{number}"),
            // JSON has no infinity.
            Json::Number(number) if !number.is_finite() => f.write_str("null"),
            Json::Number(number) => write!(f, "{number}"),
            Json::Text(text) => write_text(f, text),
            Json::List(values) => {
                f.write_char('[')?;
                for (at, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if at == 0 { "" } else { "," })?;
                }
                f.write_char(']')
            }
            Json::Object(members) => {
                f.write_char('{')?;
                for (at, (key, value)) in members.iter().enumerate() {
                    f.write_str(if at == 0 { "" } else { "," })?;
                    write_text(f, key)?;
                    write!(f, ":{value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            '\n' => f.write_str("\\n")?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// Returns an object of these members.
pub(crate) fn object<'a>(members: impl IntoIterator<Item = (&'a str, Json<'a>)>) -> Json<'a> {
    Json::Object(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

impl<'a> From<&'a str> for Json<'a> {
    fn from(text: &'a str) -> Json<'a> {
        Json::Text(text.into())
    }
}

impl From<u64> for Json<'_> {
    fn from(number: u64) -> Self {
        Json::Whole(number.into())
    }
}

impl<'a, T: Into<Json<'a>>> From<Option<T>> for Json<'a> {
    fn from(value: Option<T>) -> Json<'a> {
        value.map_or(Json::Null, Into::into)
    }
}

/// Reads the one value of `text`.
///
/// # Errors
///
/// A sentence with the position in bytes, if the text is not JSON or nests too deep.
pub(crate) fn parse(text: &str) -> Result<Json<'_>, String> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let value = parser.value()?;
    parser.skip_space();
    if parser.at < text.len() { Err(parser.error("the end")) } else { Ok(value) }
}

struct Parser<'a> {
    text: &'a str,
    /// The position, in bytes, between two characters.
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn error(&self, expected: &str) -> String {
        format!("byte {} is not {expected}", self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    /// Passes `byte`, and space before it, if it comes next.
    fn accept(&mut self, byte: u8) -> bool {
        self.skip_space();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, String> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.error("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn value(&mut self) -> Result<Json<'a>, String> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b'n') => self.word("null", Json::Null),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.error("a value")),
        }
    }

    fn nested(
        &mut self,
        read: fn(&mut Self) -> Result<Json<'a>, String>,
    ) -> Result<Json<'a>, String> {
        if self.depth == DEPTH_MAX {
            return Err(format!("byte {} nests deeper than {DEPTH_MAX}", self.at));
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Result<Json<'a>, String> {
        let mut values = Vec::new();
        if self.accept(b']') {
            return Ok(Json::List(values));
        }
        loop {
            values.push(self.value()?);
            if self.accept(b']') {
                return Ok(Json::List(values));
            } else if !self.accept(b',') {
                return Err(self.error("`,` or `]`"));
            }
        }
    }

    fn object(&mut self) -> Result<Json<'a>, String> {
        let mut members = Vec::new();
        if self.accept(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.error("a key"));
            }
            let key = self.string()?;
            if !self.accept(b':') {
                return Err(self.error("`:`"));
            }
            members.push((key, self.value()?));
            if self.accept(b'}') {
                return Ok(Json::Object(members));
            } else if !self.accept(b',') {
                return Err(self.error("`,` or `}`"));
            }
        }
    }

    /// Reads a number by the grammar of RFC 8259: no `+`, no leading zero, digits after a point.
    fn number(&mut self) -> Result<Json<'a>, String> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let has_leading_zero = self.peek() == Some(b'0');
        let digits = self.digits()?;
        if has_leading_zero && digits > 1 {
            return Err(self.error("the end of a number that begins with 0"));
        }
        let mut is_whole = true;
        if self.peek() == Some(b'.') {
            (self.at, is_whole) = (self.at + 1, false);
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            (self.at, is_whole) = (self.at + 1, false);
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        match text.parse() {
            Ok(number) if is_whole => Ok(Json::Whole(number)),
            _ => text.parse().map(Json::Number).map_err(|_| self.error("a number")),
        }
    }

    fn digits(&mut self) -> Result<usize, String> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.error("a digit")) } else { Ok(self.at - start) }
    }

    /// Reads a string. The next byte is its first quotation mark.
    fn string(&mut self) -> Result<Cow<'a, str>, String> {
        self.at += 1;
        let mut copied = String::new();
        loop {
            let rest = &self.text[self.at..];
            let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
            let Some(len) = rest.bytes().position(|byte| is_special(&byte)) else {
                self.at = self.text.len();
                return Err(self.error("the end of the string"));
            };
            let plain = &rest[..len];
            self.at += len;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(if copied.is_empty() {
                        plain.into()
                    } else {
                        (copied + plain).into()
                    });
                }
                Some(b'\\') => {
                    copied += plain;
                    self.at += 1;
                    copied.push(self.escape()?);
                }
                _ => return Err(self.error("allowed in a string")),
            }
        }
    }

    /// Reads what follows a backslash. Half a surrogate pair becomes U+FFFD.
    fn escape(&mut self) -> Result<char, String> {
        let byte = self.peek().ok_or_else(|| self.error("an escape"))?;
        let c = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.error("an escape")),
        };
        self.at += 1;
        Ok(c)
    }

    fn unicode(&mut self) -> Result<char, String> {
        let first = self.hex4()?;
        if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
            let before = self.at;
            self.at += 2;
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u32, String> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let digits = digits.ok_or_else(|| self.error("four hexadecimal digits"))?;
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| self.error("four hexadecimal digits"))
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
