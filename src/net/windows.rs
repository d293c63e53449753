//! What TCP sockets have on Windows alone: their handles.

use std::os::windows::io::{AsSocket, BorrowedSocket};

use super::tcp_listener::TcpListener;
use super::tcp_stream::TcpStream;

impl AsSocket for TcpStream {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.io().as_socket()
    }
}

impl AsSocket for TcpListener {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.io().as_socket()
    }
}
