//! All links and addresses of the network namespace that this process is in, by netlink.

#![expect(clippy::wildcard_enum_match_arm, reason = "kernels add attributes; those of no interest are passed over")]

use std::{collections::BTreeMap, net::IpAddr};

use anyhow::{Context as _, Result};
use futures_util::TryStreamExt as _;
use netlink_packet_route::{
    address::{AddressAttribute, AddressMessage},
    link::{InfoBond, InfoData, InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage},
};

use crate::dataplane::interfaces::{XdpState, xdp_of};

/// One link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Kernel index.
    pub ifindex: u32,
    /// Longest IP packet, in bytes.
    pub mtu_bytes: u32,
    /// Its frames begin with an Ethernet header.
    pub ethernet: bool,
    /// Administratively up.
    pub up: bool,
    /// It has a carrier.
    pub carrier: bool,
    /// Kind of a virtual link: `veth`, `bond`, ...; empty: hardware.
    pub kind: String,
    /// Index of the link that this one is a port of.
    pub controller: Option<u32>,
    /// Index of the link that this one runs on (VLAN devices).
    pub parent: Option<u32>,
    /// Mode of a bond: `balance-rr`, ...
    pub bond_mode: Option<String>,
    /// The program on it.
    pub xdp: Option<XdpState>,
}

/// One address of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// Length of the prefix that is on the link.
    pub prefix_len_bits: u8,
    /// The link that has it.
    pub ifindex: u32,
}

pub(super) async fn read() -> Result<(BTreeMap<String, Link>, Vec<Address>)> {
    let (connection, handle, _) = rtnetlink::new_connection().context("cannot open a netlink socket")?;
    let connection = tokio::spawn(connection);
    let links: Vec<_> = handle.link().get().execute().try_collect().await.context("cannot list the links")?;
    let addresses: Vec<_> =
        handle.address().get().execute().try_collect().await.context("cannot list the addresses")?;
    connection.abort();
    Ok((links.iter().filter_map(link).collect(), addresses.iter().filter_map(address).collect()))
}

fn link(message: &LinkMessage) -> Option<(String, Link)> {
    let mut name = None;
    let flags = message.header.flags;
    let mut link = Link {
        ifindex: message.header.index,
        ethernet: message.header.link_layer_type == LinkLayerType::Ether,
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::LowerUp),
        xdp: xdp_of(message),
        ..Link::default()
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(found) => name = Some(found.clone()),
            LinkAttribute::Mtu(found) => link.mtu_bytes = *found,
            LinkAttribute::Controller(found) => link.controller = Some(*found).filter(|ifindex| *ifindex != 0),
            LinkAttribute::Link(found) => link.parent = Some(*found),
            LinkAttribute::LinkInfo(infos) => infos.iter().for_each(|info| inform(&mut link, info)),
            _ => {}
        }
    }
    Some((name?, link))
}

fn inform(link: &mut Link, info: &LinkInfo) {
    match info {
        LinkInfo::Kind(InfoKind::Other(kind)) => link.kind.clone_from(kind),
        LinkInfo::Kind(kind) => link.kind = kind.to_string(),
        LinkInfo::Data(InfoData::Bond(parts)) => {
            let mode = parts.iter().find_map(|part| if let InfoBond::Mode(mode) = part { Some(*mode) } else { None });
            link.bond_mode = mode.map(|mode| mode.to_string());
        }
        _ => {}
    }
}

fn address(message: &AddressMessage) -> Option<Address> {
    let own = |wanted: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(wanted);
    // `Local` where there is one: `Address` is then the peer's on a point-to-point link.
    let local = own(|attribute| if let AddressAttribute::Local(address) = attribute { Some(*address) } else { None });
    let other = own(|attribute| if let AddressAttribute::Address(address) = attribute { Some(*address) } else { None });
    let (prefix_len_bits, ifindex) = (message.header.prefix_len, message.header.index);
    Some(Address { address: local.or(other)?, prefix_len_bits, ifindex })
}
