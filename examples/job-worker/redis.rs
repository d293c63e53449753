//! A client of Redis: sends commands in the order of the calls and returns their replies.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use evloop::sync::{mpsc, oneshot};
use evloop::time::timeout;
use evloop::{StreamReader, StreamWriter, open_connection};

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A reply.
pub(crate) enum Value {
    Nil,
    Integer(i64),
    Text(String),
    Array(Vec<Value>),
    Error(String),
}

impl Value {
    pub(crate) fn integer(&self) -> Option<i64> {
        if let Value::Integer(integer) = self { Some(*integer) } else { None }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    /// Returns an element of an array.
    pub(crate) fn at(&self, index: usize) -> Option<&Value> {
        if let Value::Array(values) = self { values.get(index) } else { None }
    }
}

/// A connection. Tasks share it: the replies come in the order of the commands.
pub(crate) struct Redis {
    writer: StreamWriter,
    waiting: mpsc::UnboundedSender<oneshot::Sender<io::Result<Value>>>,
}

impl Redis {
    pub(crate) async fn connect(addr: &str) -> io::Result<Redis> {
        let (reader, writer) = timeout(PATIENCE, open_connection(addr)).await??;
        let (waiting, receiver) = mpsc::unbounded();
        evloop::spawn(read_replies(reader, receiver)).detach();
        Ok(Redis { writer, waiting })
    }

    /// Sends a command and returns its reply. A dropped call leaves the connection in order: its
    /// reply is read and discarded.
    ///
    /// # Errors
    ///
    /// An error reply, or an error of the connection, which every later call returns too.
    pub(crate) async fn call(&self, words: &[&str]) -> io::Result<Value> {
        let (sender, reply) = oneshot::channel();
        self.waiting.send(sender).map_err(|_| lost())?;
        self.writer.write(format!("*{}\r\n", words.len()));
        for word in words {
            self.writer.write(format!("${}\r\n{word}\r\n", word.len()));
        }
        match timeout(PATIENCE, reply).await?.map_err(|_| lost())?? {
            Value::Error(error) => Err(io::Error::other(error)),
            value => Ok(value),
        }
    }
}

fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the connection to Redis is lost")
}

/// Reads a reply for each call until the connection fails. Then the calls that wait fail too, since
/// their senders are dropped with the channel.
async fn read_replies(
    mut reader: StreamReader,
    mut waiting: mpsc::Receiver<oneshot::Sender<io::Result<Value>>>,
) {
    while let Some(sender) = waiting.recv().await {
        let reply = read_value(&mut reader).await;
        let failed = reply.is_err();
        // An error: the call was dropped.
        let _ = sender.send(reply);
        if failed {
            return;
        }
    }
}

/// Reads a value of RESP 2.
fn read_value(reader: &mut StreamReader) -> Pin<Box<dyn Future<Output = io::Result<Value>> + '_>> {
    Box::pin(async {
        let line = text(reader.read_line().await?);
        let line = line.strip_suffix("\r\n").ok_or_else(lost)?;
        let (mark, rest) = line.split_at_checked(1).unwrap_or_default();
        let number = || {
            let invalid = |_| io::Error::new(io::ErrorKind::InvalidData, format!("reply {line:?}"));
            rest.parse::<i64>().map_err(invalid)
        };
        Ok(match mark {
            "+" => Value::Text(rest.to_owned()),
            "-" => Value::Error(rest.to_owned()),
            ":" => Value::Integer(number()?),
            "$" => match usize::try_from(number()?) {
                Ok(len) => {
                    let mut bytes = reader.read_exact(len + 2).await?;
                    bytes.truncate(len);
                    Value::Text(text(bytes))
                }
                Err(_) => Value::Nil,
            },
            "*" => match usize::try_from(number()?) {
                Ok(len) => {
                    let mut values = Vec::new();
                    for _ in 0..len {
                        values.push(read_value(reader).await?);
                    }
                    Value::Array(values)
                }
                Err(_) => Value::Nil,
            },
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("reply {line:?}"))),
        })
    })
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}
