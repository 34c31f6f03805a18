//! UDP questions and answers.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    ops::Range,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use super::super::Namespace;

/// Sends one datagram and waits up to a second for an answer with the same bytes from the same address.
pub fn udp_round_trip(client: &Namespace, server: SocketAddr, payload: &[u8]) -> Result<()> {
    let any: SocketAddr =
        if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = client.enter(|| UdpSocket::bind(any))?.context("binding a UDP socket")?;
    // A connected socket takes answers from this server only.
    socket.connect(server).with_context(|| format!("connecting to {server}"))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.send(payload).with_context(|| format!("sending to {server}"))?;
    let mut answer = vec![0; 65_536];
    let len = socket.recv(&mut answer).with_context(|| format!("no answer from {server}"))?;
    ensure!(&answer[..len] == payload, "{server} answered with other bytes");
    Ok(())
}

/// The number that a [numbered server](super::super::server::UdpEcho::numbered) answers with, from each of these ports of the
/// client: one flow each, the same whenever it is asked again.
pub fn udp_servers(client: &Namespace, server: SocketAddr, ports: Range<u16>) -> Result<Vec<u8>> {
    let any = |port| -> SocketAddr {
        if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, port).into() } else { (Ipv6Addr::UNSPECIFIED, port).into() }
    };
    let ask = |port: u16| -> Result<u8> {
        let socket = UdpSocket::bind(any(port)).with_context(|| format!("binding UDP port {port}"))?;
        socket.connect(server).with_context(|| format!("connecting to {server}"))?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        socket.send(b"who").with_context(|| format!("sending to {server}"))?;
        let mut answer = [0];
        socket.recv(&mut answer).with_context(|| format!("no answer from {server} to port {port}"))?;
        Ok(answer[0])
    };
    client.enter(|| ports.map(ask).collect())?
}
