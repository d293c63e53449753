//! The system calls on a TCP socket. None waits.

use std::net::{Shutdown, SocketAddr};

use super::failure::Failure;
use super::state::State;
use super::table::Id;
use super::tcp_flow::{EndState, Side};

impl State {
    /// Moves bytes that have arrived into `buf`.
    pub(super) fn tcp_read(
        &mut self,
        (id, side): (Id, Side),
        buf: &mut [u8],
    ) -> Result<usize, Failure> {
        let flow = self.flows.get_mut(id).ok_or(Failure::NetworkDown)?;
        let (end, half) = (&mut flow.ends[side], &mut flow.halves[1 - side]);
        let unread = half.unread().min(buf.len());
        if unread == 0 || end.state == EndState::Gone || !end.is_open {
            return self.tcp_read_nothing((id, side), buf.is_empty());
        }
        let n = match self.settings.short_io {
            0.0 => unread,
            _ => self.shorten(unread),
        };
        let flow = self.flows.get_mut(id).ok_or(Failure::NetworkDown)?;
        let (end, half) = (&flow.ends[side], &mut flow.halves[1 - side]);
        half.bytes.read(buf, n);
        half.read += n as u64;
        // The sender learns of free space when half of the buffer is free (RFC 9293, 3.8.6.2.2).
        let buffer = end.options.receive_buffer as u64;
        if half.read + buffer - half.told_edge >= buffer.div_ceil(2) && end.state == EndState::Open
        {
            self.acknowledge(id, side);
        }
        Ok(n)
    }

    /// The result of a read that finds no byte.
    fn tcp_read_nothing(
        &mut self,
        (id, side): (Id, Side),
        has_no_space: bool,
    ) -> Result<usize, Failure> {
        let flow = self.flows.get_mut(id).ok_or(Failure::NetworkDown)?;
        let is_finished = flow.halves[1 - side].is_finished();
        let end = &mut flow.ends[side];
        if end.state == EndState::Gone || !end.is_open {
            return Err(Failure::NetworkDown);
        }
        if has_no_space || is_finished {
            // After the end of the stream, Linux reports no error.
            return Ok(0);
        }
        match (end.error.take(), end.state) {
            (Some(failure), _) => Err(failure),
            (None, EndState::Dead) => Ok(0),
            (None, _) if end.is_read_shut => Ok(0),
            (None, _) => Err(Failure::WouldBlock),
        }
    }

    pub(super) fn tcp_peek(
        &mut self,
        (id, side): (Id, Side),
        buf: &mut [u8],
    ) -> Result<usize, Failure> {
        let flow = self.flows.get(id).ok_or(Failure::NetworkDown)?;
        let half = &flow.halves[1 - side];
        match half.bytes.peek(buf, half.unread()) {
            0 => self.tcp_read_nothing((id, side), buf.is_empty()),
            n => Ok(n),
        }
    }

    pub(super) fn tcp_write(
        &mut self,
        (id, side): (Id, Side),
        bufs: &[&[u8]],
    ) -> Result<usize, Failure> {
        let now = self.now;
        let flow = self.flows.get_mut(id).ok_or(Failure::NetworkDown)?;
        let (end, half) = (&mut flow.ends[side], &mut flow.halves[side]);
        match (end.state, end.error.take()) {
            (EndState::Gone, _) => return Err(Failure::NetworkDown),
            _ if !end.is_open => return Err(Failure::NetworkDown),
            (_, Some(failure)) => return Err(failure),
            (EndState::SynSent, None) => return Err(Failure::WouldBlock),
            (EndState::Dead, None) => return Err(Failure::BrokenPipe),
            _ if half.fin => return Err(Failure::BrokenPipe),
            _ => {}
        }
        half.take_acks(now);
        let total: usize = bufs.iter().map(|buf| buf.len()).sum();
        let free = end.options.send_buffer.saturating_sub(half.unacked());
        let n = total.min(free);
        if n < total {
            half.is_blocked = true;
            self.plan_acks(id, side);
        }
        if n == 0 {
            return if total == 0 { Ok(0) } else { Err(Failure::WouldBlock) };
        }
        let n = match self.settings.short_io {
            0.0 => n,
            _ => self.shorten(n),
        };
        let flow = self.flows.get_mut(id).ok_or(Failure::NetworkDown)?;
        let (half, mut left) = (&mut flow.halves[side], n);
        for buf in bufs {
            let part = &buf[..left.min(buf.len())];
            half.bytes.push(part);
            left -= part.len();
        }
        self.pump(id, side);
        Ok(n)
    }

    pub(super) fn tcp_shutdown(
        &mut self,
        (id, side): (Id, Side),
        how: Shutdown,
    ) -> Result<(), Failure> {
        let flow = self.flows.get_mut(id).ok_or(Failure::NetworkDown)?;
        let end = &mut flow.ends[side];
        if end.state != EndState::Open || !end.is_open {
            return Err(Failure::NotConnected);
        }
        end.is_read_shut |= how != Shutdown::Write;
        flow.halves[side].fin |= how != Shutdown::Read;
        let (readable, writable) = (flow.is_readable(side), flow.is_writable(side));
        let end = &mut flow.ends[side];
        self.hosts.note(end.host, &mut end.watch, readable, writable);
        self.pump(id, side);
        Ok(())
    }

    /// Closes the socket: after its bytes the FIN, or a RST if bytes are unread or it lingers for
    /// no time.
    pub(super) fn tcp_close(&mut self, (id, side): (Id, Side)) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let end = &mut flow.ends[side];
        if !end.is_open {
            // The host has died.
            return;
        }
        end.is_open = false;
        end.watch.deregister(&mut self.hosts[end.host].ready);
        let is_reset = flow.halves[1 - side].unread() > 0
            || end.options.linger.is_some_and(|linger| linger.is_zero());
        match end.state {
            EndState::Open if is_reset => return self.send_reset(id, side),
            EndState::Open => {
                let is_finished = flow.halves[side].is_finished();
                flow.halves[side].fin = true;
                if is_finished {
                    end.state = EndState::Dead;
                } else {
                    self.pump(id, side);
                }
            }
            EndState::SynSent => end.state = EndState::Dead,
            _ => {}
        }
        self.bury(id);
    }

    pub(super) fn tcp_peer_addr(&self, (id, side): (Id, Side)) -> Result<SocketAddr, Failure> {
        let flow = self.flows.get(id).ok_or(Failure::NetworkDown)?;
        match flow.ends[side].state {
            EndState::Open => Ok(flow.ends[side].shown(flow.ends[1 - side].addr)),
            _ => Err(Failure::NotConnected),
        }
    }

    pub(super) fn tcp_accept(&mut self, id: Id) -> Result<(Id, SocketAddr), Failure> {
        let listener = self.listeners.get_mut(id).ok_or(Failure::NetworkDown)?;
        let accepted = listener.queue.pop_front().ok_or(Failure::WouldBlock)?;
        let flow = self.flows.get(accepted).ok_or(Failure::NetworkDown)?;
        Ok((accepted, flow.ends[1].shown(flow.ends[0].addr)))
    }

    /// Closes a listener: the connections that wait in it are reset.
    pub(super) fn close_listener(&mut self, id: Id) {
        let Some(listener) = self.listeners.remove(id) else { return };
        let mut watch = listener.watch;
        let host = &mut self.hosts[listener.host];
        watch.deregister(&mut host.ready);
        let port = listener.addr.port();
        host.ports.release(super::ports::Protocol::Tcp, port, listener.port_serial);
        for flow in listener.queue {
            if let Some(flow) = self.flows.get_mut(flow) {
                flow.ends[1].is_open = false;
            }
            self.send_reset(flow, 1);
        }
    }

    /// Resets both ends of a connection: the network forged an RST.
    pub(super) fn reset_flow(&mut self, id: Id) {
        // The server's end may still wait for the last packet of the handshake.
        self.reset_arrived(id, 0);
        self.reset_arrived(id, 1);
    }

    /// The host of an end loses its power: the end sends no more.
    pub(super) fn lose_end(&mut self, (id, side): (Id, Side)) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.halves[side].abandon();
        let end = &mut flow.ends[side];
        (end.state, end.is_open, end.port_serial) = (EndState::Gone, false, None);
        self.bury(id);
    }
}
