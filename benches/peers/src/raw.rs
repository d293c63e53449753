//! A connection of the hand-written loops: edge-triggered, one buffer shared by all.

use std::io::{self, ErrorKind, Read, Write};

/// The socket and what it could not take yet.
pub struct Conn<S> {
    pub io: S,
    unsent: Vec<u8>,
    /// The loop also listens for "writable"; once a write has blocked it stays so.
    pub wants_write: bool,
}

/// What the loop does with the connection next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Wait,
    WaitWritable,
    Close,
}

impl<S: Read + Write> Conn<S> {
    pub fn new(io: S) -> Conn<S> {
        Conn { io, unsent: Vec::new(), wants_write: false }
    }

    /// Echoes what is there. A short read means that the socket is empty, unless the peer has
    /// closed (`to_the_end`): then there will be no further edge, and the zero must be read now.
    pub fn pump(&mut self, buf: &mut [u8], to_the_end: bool) -> io::Result<Next> {
        loop {
            if !self.unsent.is_empty() {
                let sent = match self.io.write(&self.unsent) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        return Ok(Next::WaitWritable);
                    }
                    sent => sent?,
                };
                self.unsent.drain(..sent);
                continue;
            }
            let got = match self.io.read(buf) {
                Ok(0) => return Ok(Next::Close),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Next::Wait),
                got => got?,
            };
            let sent = match self.io.write(&buf[..got]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                sent => sent?,
            };
            if sent < got {
                self.unsent.extend_from_slice(&buf[sent..got]);
            } else if got < buf.len() && !to_the_end {
                return Ok(Next::Wait);
            }
        }
    }
}
