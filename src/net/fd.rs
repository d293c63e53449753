//! The descriptors of sockets. Unix only. Layer L4.

use std::os::fd::{AsFd, BorrowedFd};

use super::connection::Connection;
use super::datagram_socket::DatagramSocket;
use super::listener::Listener;
use super::messages::Protocol;
use super::transport::Transport;

impl<T: Transport> AsFd for Connection<T>
where
    T::Stream: AsFd,
{
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.get().as_fd()
    }
}

impl<T: Transport> AsFd for Listener<T>
where
    T::Listener: AsFd,
{
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io().as_fd()
    }
}

impl<P: Protocol> AsFd for DatagramSocket<P>
where
    P::Socket: AsFd,
{
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.get().as_fd()
    }
}
