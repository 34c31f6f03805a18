//! Which messages are believed. Whoever may send packets to this host can write one, so it must have come from the
//! backbone, quote a packet that this host could have sent, and tell something that could be true of its path.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use anycast_common::header::protocol;
use ipnet::IpNet;
use thiserror::Error;

use super::message::{Message, Quoted};
use crate::{
    desired::outer_mtu_min_bytes,
    netlink::{Route, View},
};

/// What a message is held against.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The interfaces of the backbone, as the kernel names those that packets come in by.
    pub backbones: BTreeSet<u32>,
    /// What the tunnels of this host look like.
    pub tunnels: &'a Tunnels,
    /// The route to each backend, or PoP host.
    pub routes: &'a BTreeMap<IpAddr, Route>,
}

/// What the tunnels of this host look like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tunnels {
    /// Outer sources.
    pub sources: Vec<IpNet>,
    /// UDP ports that the far ends take GUE at.
    pub gue_ports: BTreeSet<u16>,
    /// On a gateway: the prefixes of PoP hosts. What is true of one address is of its host, whose route is that of the first.
    pub hosts: Vec<IpNet>,
}

/// A message that is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Tunnel address of the backend, or the first one of the PoP host.
    pub backend: IpAddr,
    /// Longest outer packet that its path takes, in bytes.
    pub mtu_bytes: u16,
}

/// Why a message is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Doubt {
    /// Only the backbone knows.
    #[error("it did not come in by a backbone interface")]
    Interface,
    /// The checksum is wrong.
    #[error("its checksum is wrong")]
    Checksum,
    /// Not of the kind, or not about a tunnel of this shape.
    #[error("it does not say that a tunnel packet was too big")]
    Kind,
    /// This host sent nothing like it.
    #[error("it quotes a packet that this host could not have sent")]
    Quote,
    /// The route's own MTU is no larger, or the quoted packet would have fitted.
    #[error("its MTU is not below that of the packet and of the route")]
    NotBelow,
    /// No path has to be believed that small.
    #[error("its MTU is below what every path takes")]
    BelowMinimum,
}

impl<'a> Facts<'a> {
    /// Of a host whose backbone interfaces have these indexes. Packets that come in by a VLAN device on one of them
    /// bear the device's index: the one that routes name.
    pub fn new(backbones: impl IntoIterator<Item = u32>, tunnels: &'a Tunnels, view: &'a View) -> Self {
        let mut backbones: BTreeSet<u32> = backbones.into_iter().collect();
        let above = view.links.iter().filter(|(_, link)| backbones.contains(&link.egress_ifindex));
        let above: Vec<_> = above.map(|(ifindex, _)| *ifindex).collect();
        backbones.extend(above);
        Self { backbones, tunnels, routes: &view.routes }
    }

    /// The far end of a packet that this host could have sent, and the route there.
    fn far_end_of(&self, quoted: &Quoted) -> Option<(IpAddr, &'a Route)> {
        let far_end = self.tunnels.far_end(quoted.destination);
        let route = self.routes.get(&far_end)?;
        let could_be_sent = self.tunnels.could_send(quoted) && quoted.length_bytes <= u32::from(route.mtu_bytes);
        could_be_sent.then_some((far_end, route))
    }
}

impl Tunnels {
    /// The address that stands for the far end with this address.
    fn far_end(&self, address: IpAddr) -> IpAddr {
        let holding = self.hosts.iter().filter(|host| host.contains(&address));
        holding.max_by_key(|host| host.prefix_len()).map_or(address, IpNet::network)
    }

    /// Is it from a source of this host's tunnels, and a tunnel packet?
    fn could_send(&self, quoted: &Quoted) -> bool {
        let is_tunnel = match quoted.protocol {
            protocol::IPIP | protocol::IPV6 | protocol::GRE => true,
            protocol::UDP => quoted.port.is_some_and(|port| self.gue_ports.contains(&port)),
            _ => false,
        };
        is_tunnel && self.sources.iter().any(|source| source.contains(&quoted.source))
    }
}

/// What `message` tells, if it is to be believed.
pub fn believe(message: &Message<'_>, facts: &Facts<'_>) -> Result<Told, Doubt> {
    if !facts.backbones.contains(&message.ifindex) {
        return Err(Doubt::Interface);
    }
    if !message.is_intact() {
        return Err(Doubt::Checksum);
    }
    let too_big = message.too_big().ok_or(Doubt::Kind)?;
    let quoted = too_big.quoted;
    let far_end = facts.far_end_of(&quoted).filter(|_| message.destination == quoted.source);
    let (backend, route) = far_end.ok_or(Doubt::Quote)?;
    let below = quoted.length_bytes.min(route.mtu_bytes.into());
    let mtu_bytes = u16::try_from(too_big.mtu_bytes).ok().filter(|mtu_bytes| u32::from(*mtu_bytes) < below);
    let mtu_bytes = mtu_bytes.ok_or(Doubt::NotBelow)?;
    if mtu_bytes < outer_mtu_min_bytes(quoted.destination) {
        return Err(Doubt::BelowMinimum);
    }
    Ok(Told { backend, mtu_bytes })
}
