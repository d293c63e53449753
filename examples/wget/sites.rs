//! Three small sites on loopback, so that the example runs without a network.

use std::io;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream};
use evloop::time::sleep;

/// A site sends the same pieces to every client, and waits for `delay` before each piece.
#[derive(Clone, Copy)]
struct Site {
    name: &'static str,
    delay: Duration,
    pieces: &'static [&'static str],
}

/// One site for each way in which a body can end.
const SITES: [Site; 3] = [
    Site {
        name: "sized",
        delay: Duration::from_millis(50),
        pieces: &["HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n", "Hello, world!"],
    },
    Site {
        name: "chunked",
        delay: Duration::from_millis(50),
        pieces: &[
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "7\r\nHello, \r\n",
            "6\r\nworld!\r\n0\r\n\r\n",
        ],
    },
    Site {
        name: "slow",
        delay: Duration::from_millis(500),
        pieces: &["HTTP/1.0 200 OK\r\nServer: tortoise\r\n\r\n", "Hello", ", world!"],
    },
];

/// Starts the sites on the running loop. Returns their URLs.
pub(crate) async fn start() -> io::Result<Vec<String>> {
    let mut urls = Vec::new();
    for site in SITES {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        urls.push(format!("http://{}/{}", listener.local_addr()?, site.name));
        evloop::spawn(serve(listener, site)).detach();
    }
    Ok(urls)
}

async fn serve(listener: TcpListener, site: Site) {
    loop {
        match listener.accept().await {
            // The error is ignored: a client may disconnect at any time.
            Ok((stream, _)) => evloop::spawn(answer(stream, site)).on_done(drop),
            Err(error) => eprintln!("the site {}: {error}", site.name),
        }
    }
}

/// Answers one request.
async fn answer(stream: TcpStream, site: Site) -> io::Result<()> {
    read_request(&stream).await?;
    for piece in site.pieces {
        sleep(site.delay).await;
        stream.write_all(piece.as_bytes()).await?;
    }
    Ok(())
}

/// Reads up to the empty line that ends a request without a body.
async fn read_request(stream: &TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    let mut buf = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buf).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => request.extend_from_slice(&buf[..n]),
        }
    }
    Ok(())
}
