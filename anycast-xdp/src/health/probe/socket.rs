//! Sockets whose packets have the mark of a backend, bound to the health address.

use std::{
    io,
    mem::{size_of, zeroed},
    net::{SocketAddr, TcpStream},
    os::fd::{AsFd, AsRawFd as _},
};

use nix::{
    errno::Errno,
    setsockopt_impl, sockopt_impl,
    sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, setsockopt, socket, sockopt},
};
use tokio::net::UdpSocket;

use super::{ProbeError, Subject};

sockopt_impl!(
    /// Of a socket that connects: the acknowledgement of the SYN-ACK waits for what is sent, a fifth of a second at most (tcp(7),
    /// `tcp_rcv_synsent_state_process`).
    WithholdAck,
    SetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_DEFER_ACCEPT,
    bool
);

/// A TCP socket that is not connected. When it is closed its connection is reset: nothing of a probe stays on either side. A connection that is reset
/// as soon as there is a SYN-ACK is none to the other side, whose service hears nothing of it.
pub fn tcp(subject: &Subject) -> Result<TcpStream, ProbeError> {
    let open = || {
        let family = if subject.vip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let socket = socket(family, SockType::Stream, SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC, None)?;
        mark(&socket, subject)?;
        setsockopt(&socket, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
        setsockopt(&socket, WithholdAck, &true)?;
        // The port is chosen with the connection: thousands of probes do not share the ports of one address.
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(subject.source, 0)))?;
        Ok(TcpStream::from(socket))
    };
    open().map_err(|error: io::Error| ProbeError::of("socket", &error))
}

/// Begins a connection: it is made, or has failed, when the socket is writable.
pub fn begin(socket: &TcpStream, to: SocketAddr) -> Result<(), ProbeError> {
    match connect(socket.as_raw_fd(), &SockaddrStorage::from(to)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(()),
        Err(error) => Err(ProbeError::of("connect", &error.into())),
    }
}

/// Resets a connection and keeps the socket, with its address and its mark: the next connection has another port.
pub fn reset(socket: &TcpStream) -> io::Result<()> {
    // SAFETY: plain old data, for which zeroes are a value: the family AF_UNSPEC.
    let nobody: libc::sockaddr = unsafe { zeroed() };
    // SAFETY: the address lives until after the call, and its length is given; the kernel only reads it.
    let result = unsafe { libc::connect(socket.as_raw_fd(), &raw const nobody, size_of::<libc::sockaddr>() as u32) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A UDP socket that takes datagrams from this port of the VIP alone.
pub fn udp(subject: &Subject, port: u16) -> Result<UdpSocket, ProbeError> {
    let open = || {
        let socket = std::net::UdpSocket::bind(SocketAddr::new(subject.source, 0))?;
        socket.set_nonblocking(true)?;
        mark(&socket, subject)?;
        socket.connect(SocketAddr::new(subject.vip, port))?;
        UdpSocket::from_std(socket)
    };
    open().map_err(|error| ProbeError::of("socket", &error))
}

fn mark(socket: &impl AsFd, subject: &Subject) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::Mark, &subject.mark())?)
}
