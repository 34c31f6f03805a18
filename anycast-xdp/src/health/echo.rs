//! Echo requests of all backends over one socket a family, in batches.

use std::{future::pending, io, net::IpAddr, time::Instant};

use super::{
    probe::{
        ProbeError,
        icmp::{BATCH, Echo, EchoSocket, Outgoing},
    },
    source_for,
};
use crate::desired::HealthFacts;

/// The families, in the order of [`Echoes::sockets`].
const FAMILIES: [IpAddr; 2] =
    [IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED)];

/// The sockets, and what is to be sent by them.
#[derive(Default)]
pub struct Echoes {
    facts: HealthFacts,
    sockets: [Option<EchoSocket>; 2],
    outgoing: [Vec<Outgoing>; 2],
}

impl Echoes {
    /// Asks from these addresses from now on.
    pub fn follow(&mut self, facts: &HealthFacts) {
        if self.facts != *facts {
            *self = Self { facts: *facts, ..Self::default() };
        }
    }

    /// Sends a request with the next batch of its family.
    pub fn push(&mut self, request: Outgoing) {
        self.outgoing[usize::from(request.to.is_ipv6())].push(request);
    }

    /// Sends what is to be sent; `failed` gets what was not.
    pub fn send(&mut self, mut failed: impl FnMut(Echo, ProbeError)) {
        for ((socket, outgoing), family) in self.sockets.iter_mut().zip(&mut self.outgoing).zip(FAMILIES) {
            if outgoing.is_empty() {
                continue;
            }
            match open(socket, &self.facts, family) {
                Ok(socket) => send(socket, outgoing, &mut failed),
                Err(error) => outgoing.iter().for_each(|request| failed(request.echo, error.clone())),
            }
            outgoing.clear();
        }
    }

    /// Waits until there is something to hear. Cancel-safe.
    pub async fn readable(&self) {
        tokio::select! {
            () = readable(self.sockets[0].as_ref()) => {}
            () = readable(self.sockets[1].as_ref()) => {}
        }
    }

    /// Hands on the replies that are there, with the time at which they were read.
    pub fn hear(&mut self, mut each: impl FnMut(Echo, Instant)) {
        for socket in &mut self.sockets {
            while let Some(open) = socket {
                match open.hear(|echo| each(echo, Instant::now())) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!("the socket of echo requests fails, and is opened anew: {error}");
                        *socket = None;
                    }
                }
            }
        }
    }
}

/// The socket of a family, opened where it is not.
fn open<'s>(
    socket: &'s mut Option<EchoSocket>,
    facts: &HealthFacts,
    family: IpAddr,
) -> Result<&'s EchoSocket, ProbeError> {
    if socket.is_none() {
        let source = source_for(facts, family).ok_or_else(|| ProbeError::NotSent("no health address".to_owned()))?;
        let opened = EchoSocket::open(source);
        *socket = Some(opened.map_err(|error| ProbeError::NotSent(format!("socket of {source}: {error}")))?);
    }
    socket.as_ref().ok_or_else(|| ProbeError::NotSent("no socket".to_owned()))
}

fn send(socket: &EchoSocket, mut requests: &[Outgoing], failed: &mut impl FnMut(Echo, ProbeError)) {
    while let Some(first) = requests.first() {
        let done = match socket.send(requests) {
            Ok(sent) => sent.max(1),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => {
                failed(first.echo, ProbeError::NotSent(format!("send: {error}")));
                1
            }
        };
        requests = &requests[done.min(requests.len()).min(BATCH)..];
    }
}

/// Never, where there is no socket.
async fn readable(socket: Option<&EchoSocket>) {
    match socket {
        // A failure shows again when it is read.
        Some(socket) => drop(socket.readable().await),
        None => pending().await,
    }
}
