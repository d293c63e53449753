//! The errors of the sockets of a world: those of the system that runs the world, by number.

use std::io;

/// A reason for which an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    AddressInUse,
    AddressNotAvailable,
    BrokenPipe,
    ConnectionRefused,
    ConnectionReset,
    DestinationRequired,
    FamilyNotSupported,
    InvalidArgument,
    MessageTooLong,
    NetworkDown,
    NotConnected,
    NotFound,
    NotPermitted,
    PermissionDenied,
    TimedOut,
    WouldBlock,
    WrongType,
}

impl Failure {
    #[cfg(unix)]
    fn number(self) -> i32 {
        use rustix::io::Errno;
        let errno = match self {
            Failure::AddressInUse => Errno::ADDRINUSE,
            Failure::AddressNotAvailable => Errno::ADDRNOTAVAIL,
            Failure::BrokenPipe => Errno::PIPE,
            Failure::ConnectionRefused => Errno::CONNREFUSED,
            Failure::ConnectionReset => Errno::CONNRESET,
            Failure::DestinationRequired => Errno::DESTADDRREQ,
            Failure::FamilyNotSupported => Errno::AFNOSUPPORT,
            Failure::InvalidArgument => Errno::INVAL,
            Failure::MessageTooLong => Errno::MSGSIZE,
            Failure::NetworkDown => Errno::NETDOWN,
            Failure::NotConnected => Errno::NOTCONN,
            Failure::NotFound => Errno::NOENT,
            Failure::NotPermitted => Errno::PERM,
            Failure::PermissionDenied => Errno::ACCESS,
            Failure::TimedOut => Errno::TIMEDOUT,
            Failure::WouldBlock => Errno::AGAIN,
            Failure::WrongType => Errno::PROTOTYPE,
        };
        errno.raw_os_error()
    }

    #[cfg(not(unix))]
    fn number(self) -> i32 {
        // The numbers of Windows Sockets, or of Windows where those have no such kind of error.
        match self {
            Failure::AddressInUse => 10048,
            Failure::AddressNotAvailable => 10049,
            Failure::BrokenPipe => 109,
            Failure::ConnectionRefused => 10061,
            Failure::ConnectionReset => 10054,
            Failure::DestinationRequired => 10039,
            Failure::FamilyNotSupported => 10047,
            Failure::InvalidArgument => 10022,
            Failure::MessageTooLong => 10040,
            Failure::NetworkDown => 10050,
            Failure::NotConnected => 10057,
            Failure::NotFound => 2,
            Failure::NotPermitted => 5,
            Failure::PermissionDenied => 10013,
            Failure::TimedOut => 10060,
            Failure::WouldBlock => 10035,
            Failure::WrongType => 10041,
        }
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> io::Error {
        io::Error::from_raw_os_error(failure.number())
    }
}
