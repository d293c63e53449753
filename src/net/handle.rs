//! The parts of sockets that only Windows has: handles. Layer L4.

use std::os::windows::io::{AsSocket, BorrowedSocket};

use super::connection::Connection;
use super::datagram_socket::DatagramSocket;
use super::listener::Listener;
use super::messages::Protocol;
use super::transport::Transport;

impl<T: Transport> AsSocket for Connection<T>
where
    T::Stream: AsSocket,
{
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.end.get().as_socket()
    }
}

impl<T: Transport> AsSocket for Listener<T>
where
    T::Listener: AsSocket,
{
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.io().as_socket()
    }
}

impl<P: Protocol> AsSocket for DatagramSocket<P>
where
    P::Socket: AsSocket,
{
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.end.get().as_socket()
    }
}
