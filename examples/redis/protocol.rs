//! RESP, the protocol of Redis: reads commands, writes replies.

use std::io;
use std::rc::Rc;
use std::str::FromStr;

use evloop::{StreamReader, StreamWriter};

const WORDS_MAX: usize = 1024;
const WORD_LEN_MAX: usize = 1 << 20;

/// Reads a command: an array of strings with their lengths, or a line of words. Returns `None` at
/// the end of the input.
///
/// # Errors
///
/// Kind `InvalidData` if it is no command.
pub(crate) async fn read_command(reader: &mut StreamReader) -> io::Result<Option<Vec<Vec<u8>>>> {
    let line = reader.read_line().await?;
    if !line.starts_with(b"*") {
        let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        return Ok((!line.is_empty()).then(|| words.map(<[u8]>::to_vec).collect()));
    }
    let len = length(&line, b'*', WORDS_MAX)?;
    let mut words = Vec::with_capacity(len);
    for _ in 0..len {
        let len = length(&reader.read_line().await?, b'$', WORD_LEN_MAX)?;
        let mut word = reader.read_exact(len + 2).await?;
        word.truncate(len);
        words.push(word);
    }
    Ok(Some(words))
}

/// Returns the length in a line such as `$5`.
fn length(line: &[u8], mark: u8, max: usize) -> io::Result<usize> {
    let digits = line.strip_prefix(&[mark]).and_then(|line| line.strip_suffix(b"\r\n"));
    digits.and_then(parse).filter(|len| *len <= max).ok_or_else(|| {
        let sentence = format!("'{}' and a length up to {max} expected", char::from(mark));
        io::Error::new(io::ErrorKind::InvalidData, sentence)
    })
}

/// Returns the number that `text` is.
pub(crate) fn parse<T: FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

pub(crate) fn write_integer(writer: &StreamWriter, number: i64) {
    writer.write(format!(":{number}\r\n"));
}

pub(crate) fn write_value(writer: &StreamWriter, value: Option<Rc<[u8]>>) {
    match value {
        Some(value) => write_string(writer, &value),
        None => writer.write("$-1\r\n"),
    }
}

/// Writes the message or the confirmation of a subscription: an array of three. Of a confirmation
/// the third element, a number, follows.
pub(crate) fn write_array(writer: &StreamWriter, strings: &[&[u8]]) {
    writer.write("*3\r\n");
    strings.iter().for_each(|string| write_string(writer, string));
}

fn write_string(writer: &StreamWriter, string: &[u8]) {
    writer.write(format!("${}\r\n", string.len()));
    writer.write(string);
    writer.write("\r\n");
}
