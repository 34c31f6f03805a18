//! UDP questions and answers.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
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
