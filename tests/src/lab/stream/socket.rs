//! UDP sockets with room for bursts.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd as _,
    time::Duration,
};

use anyhow::{Context, Result};

/// Room for a second or more of small datagrams, each of which counts with its `skb` of about 800 bytes.
const BUFFER_BYTES: libc::c_int = 128 << 20;

/// Silence after which a receiver looks whether it should stop.
pub(super) const SILENCE: Duration = Duration::from_millis(300);

/// A socket that receives on `address`, with time stamps and the number of datagrams that did not fit.
pub(super) fn receiving(address: SocketAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind(address).with_context(|| format!("receiving on {address}"))?;
    set(&socket, libc::SO_RCVBUFFORCE, BUFFER_BYTES)?;
    set(&socket, libc::SO_TIMESTAMPNS, 1)?;
    set(&socket, libc::SO_RXQ_OVFL, 1)?;
    socket.set_read_timeout(Some(SILENCE))?;
    Ok(socket)
}

/// A socket with a port of its own that sends to `destination`.
pub(super) fn sending(destination: SocketAddr) -> Result<UdpSocket> {
    let any: SocketAddr =
        if destination.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(destination).with_context(|| format!("sending to {destination}"))?;
    set(&socket, libc::SO_SNDBUFFORCE, BUFFER_BYTES)?;
    Ok(socket)
}

fn set(socket: &UdpSocket, option: libc::c_int, value: libc::c_int) -> Result<()> {
    // SAFETY: the kernel reads one int from `value`, which lives through the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error()).with_context(|| format!("socket option {option}"))
    }
}
