//! A site with one page for each way in which a body can end.

use std::io;

use evloop::net::{TcpListener, TcpStream};

/// Serves until the host ends.
pub(crate) async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("[::]:80").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        evloop::spawn(answer(stream)).on_done(drop);
    }
}

async fn answer(stream: TcpStream) -> io::Result<()> {
    let (mut request, mut buf) = (Vec::new(), [0; 1_000]);
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buf).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => request.extend_from_slice(&buf[..n]),
        }
    }
    let request = String::from_utf8(request).unwrap();
    let response = match request.split(' ').nth(1) {
        Some("/sized") => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        Some("/chunked") => {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        }
        _ => "HTTP/1.0 200 OK\r\n\r\nhello",
    };
    stream.write_all(response.as_bytes()).await
}
