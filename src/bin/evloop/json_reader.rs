//! Reading JSON: a value as a whole, or the members of an object one by one, without a tree of
//! values. Strings without escapes are not copied.
//!
//! A value nests to `DEPTH_MAX` at most, so rubbish cannot overflow the stack.

use std::borrow::Cow;

use crate::json::Json;

/// The protocol nests to a depth of 5.
const DEPTH_MAX: usize = 32;

/// Reads the one value of `text`.
///
/// # Errors
///
/// A sentence with the position in bytes, if the text is not JSON or nests too deep.
pub(crate) fn parse(text: &str) -> Result<Json<'_>, String> {
    let mut reader = Reader::new(text);
    let value = reader.value()?;
    reader.end()?;
    Ok(value)
}

/// Reads a text, value by value.
pub(crate) struct Reader<'a> {
    text: &'a str,
    /// The position, in bytes, between two characters.
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Reader<'a> {
        Reader { text, at: 0, depth: 0 }
    }

    /// Checks that the text ends here.
    pub(crate) fn end(&mut self) -> Result<(), String> {
        self.skip_space();
        if self.at < self.text.len() { Err(self.error("the end")) } else { Ok(()) }
    }

    /// Reads a value. Returns it if it is text.
    pub(crate) fn text(&mut self) -> Result<Option<Cow<'a, str>>, String> {
        self.skip_space();
        if self.peek() == Some(b'"') {
            return self.string().map(Some);
        }
        self.value().map(|_| None)
    }

    /// Reads a value. Returns a copy of it if it is text.
    pub(crate) fn owned(&mut self) -> Result<Option<String>, String> {
        Ok(self.text()?.map(Cow::into_owned))
    }

    /// Reads a value. Returns it if it is a whole number that fits.
    pub(crate) fn u64(&mut self) -> Result<Option<u64>, String> {
        Ok(self.value()?.u64())
    }

    /// Reads a value. If it is an object, calls `member` with each key; that has to read the value
    /// of the key.
    pub(crate) fn members(
        &mut self,
        member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), String>,
    ) -> Result<(), String> {
        self.skip_space();
        if self.peek() != Some(b'{') {
            return self.value().map(drop);
        }
        self.nested(|reader| reader.each_member(member))
    }

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

    pub(crate) fn value(&mut self) -> Result<Json<'a>, String> {
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

    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
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
        self.each_member(|reader, key| {
            members.push((key, reader.value()?));
            Ok(())
        })?;
        Ok(Json::Object(members))
    }

    fn each_member(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), String>,
    ) -> Result<(), String> {
        if self.accept(b'}') {
            return Ok(());
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
            member(self, key)?;
            if self.accept(b'}') {
                return Ok(());
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
        // Few numbers are negative, and those of 64 bits are read faster.
        let whole = || text.parse::<u64>().map(i128::from).or_else(|_| text.parse());
        match is_whole.then(whole) {
            Some(Ok(number)) => Ok(Json::Whole(number)),
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
    #[inline(always)]
    fn string(&mut self) -> Result<Cow<'a, str>, String> {
        self.at += 1;
        let plain = self.plain()?;
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        self.string_with_escapes(plain.to_owned()).map(Cow::Owned)
    }

    /// Reads the characters up to the next quotation mark or backslash.
    #[inline(always)]
    fn plain(&mut self) -> Result<&'a str, String> {
        let rest = &self.text[self.at..];
        let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        let Some(len) = rest.bytes().position(|byte| is_special(&byte)) else {
            self.at = self.text.len();
            return Err(self.error("the end of the string"));
        };
        self.at += len;
        Ok(&rest[..len])
    }

    /// Reads the rest of a string to the end of `copied`.
    fn string_with_escapes(&mut self, mut copied: String) -> Result<String, String> {
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(copied);
                }
                Some(b'\\') => {
                    self.at += 1;
                    copied.push(self.escape()?);
                    copied += self.plain()?;
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
#[path = "json_reader_tests.rs"]
mod tests;
