//! What a prober sends: packets from a health address, with the mark of a backend.

use std::{
    io::Read as _,
    net::{IpAddr, SocketAddr, TcpStream},
    os::fd::{AsRawFd as _, OwnedFd},
    time::Duration,
};

use anycast_tests::{lab::Namespace, packet::Packet};
use anyhow::{Context as _, Result, ensure};
use nix::sys::{
    socket::{
        AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, connect, sendto, setsockopt,
        socket,
        sockopt::{Mark, ReceiveTimeout, SendTimeout},
    },
    time::TimeVal,
};

const LIMIT_SECS: i64 = 3;

/// How many of so many echo requests are answered.
pub fn ping(host: &Namespace, to: IpAddr, from: IpAddr, mark: u32, count: u32) -> Result<u32> {
    let mut command = host.command("ping");
    command.args(["-n", "-q", "-i", "0.02", "-W", "1", "-c", &count.to_string(), "-m", &mark.to_string()]);
    command.args(["-I", &from.to_string(), &to.to_string()]);
    let output = command.output().context("ping")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let received = text.split(", ").find_map(|part| part.strip_suffix(" received"));
    received
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("what ping says: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// Sends a packet with a mark, of no socket: whatever answers comes too late for it.
pub fn send(host: &Namespace, to: IpAddr, packet: Packet, mark: u32) -> Result<()> {
    let packet = packet.build_ip();
    host.enter(|| {
        let family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let socket: OwnedFd = socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw)?;
        setsockopt(&socket, Mark, &mark)?;
        let to = SockaddrStorage::from(SocketAddr::new(to, 0));
        sendto(socket.as_raw_fd(), &packet, &to, MsgFlags::empty())?;
        Ok(())
    })?
}

/// The number with which a server greets a connection.
pub fn greeting(host: &Namespace, server: SocketAddr, from: IpAddr, mark: u32) -> Result<u8> {
    host.enter(|| {
        let family = if server.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let socket: OwnedFd = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        setsockopt(&socket, Mark, &mark)?;
        setsockopt(&socket, SendTimeout, &TimeVal::new(LIMIT_SECS, 0))?;
        setsockopt(&socket, ReceiveTimeout, &TimeVal::new(LIMIT_SECS, 0))?;
        bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(from, 0)))?;
        connect(socket.as_raw_fd(), &SockaddrStorage::from(server))
            .with_context(|| format!("connecting to {server}"))?;
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(Duration::from_secs(LIMIT_SECS.unsigned_abs())))?;
        let mut number = [0];
        ensure!(stream.read(&mut number)? == 1, "no greeting");
        Ok(number[0])
    })?
}
