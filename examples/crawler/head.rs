//! Reads the head of a response of HTTP/1: its status and its length.

use std::io;

use evloop::StreamReader;

pub(crate) struct Head {
    pub(crate) status: u16,
    /// `None` if the server does not send it.
    pub(crate) length: Option<u64>,
}

impl Head {
    pub(crate) async fn read(reader: &mut StreamReader) -> io::Result<Head> {
        let head = reader.read_until(b"\r\n\r\n").await?;
        let head = String::from_utf8_lossy(&head);
        let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.split_whitespace().nth(1));
        let status = status.and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other("the answer is not HTTP/1"))?;
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length = length.and_then(|(_, length)| length.trim().parse().ok());
        Ok(Head { status, length })
    }
}
