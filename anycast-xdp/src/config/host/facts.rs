//! Facts of this host, read by netlink: sysfs would show the network namespace it was mounted in, not ours.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use ipnet::IpNet;
use netlink_packet_route::{
    address::{AddressAttribute, AddressMessage, AddressScope},
    link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage},
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteType},
};
use rtnetlink::RouteMessageBuilder;

use super::sysctl;
use crate::netlink::snapshot;

/// `RT_TABLE_LOCAL`, where the kernel keeps the host's own addresses (include/uapi/linux/rtnetlink.h).
const LOCAL_TABLE: u32 = 255;

/// Addresses for documentation (RFC 5737, RFC 9637), which nobody routes but by the default route: where do answers to
/// clients leave?
pub const CLIENTS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), IpAddr::V6(Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 1))];

/// What a configuration is checked against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Links by name.
    pub links: BTreeMap<String, LinkFacts>,
    /// Addresses of this host, on whatever link.
    pub addresses: BTreeSet<IpAddr>,
    /// Prefixes whose packets are for this host (routes of the kernel's type `local`), those of `addresses` among them.
    pub local_prefixes: BTreeSet<IpNet>,
    /// Links that the stack sends packets by to each of [`CLIENTS`]; a family without a route to them has none.
    pub client_links: BTreeMap<IpAddr, BTreeSet<ClientLink>>,
}

/// A link that packets leave by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientLink {
    /// Its name.
    pub name: String,
    /// Name of the link that it is a VLAN of.
    pub vlan_of: Option<String>,
}

impl ClientLink {
    /// Names of the links whose egress its packets pass.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        [&self.name].into_iter().chain(&self.vlan_of)
    }
}

/// Facts of one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkFacts {
    /// Longest IP packet, in bytes.
    pub mtu_bytes: u32,
    /// Its frames begin with an Ethernet header.
    pub ethernet: bool,
    /// Administratively up.
    pub up: bool,
    /// IPv4 packets that come in here are forwarded; none: not known.
    pub forwards_ipv4: Option<bool>,
    /// The same for IPv6.
    pub forwards_ipv6: Option<bool>,
}

impl HostFacts {
    /// Reads the links and addresses of the network namespace that this process is in.
    pub async fn read() -> anyhow::Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection().context("cannot open a netlink socket")?;
        let connection = tokio::spawn(connection);
        let links: Vec<_> = handle.link().get().execute().try_collect().await.context("cannot list the links")?;
        let addresses: Vec<_> =
            handle.address().get().execute().try_collect().await.context("cannot list the addresses")?;
        let all = [
            RouteMessageBuilder::<Ipv4Addr>::new().table_id(LOCAL_TABLE).build(),
            RouteMessageBuilder::<Ipv6Addr>::new().table_id(LOCAL_TABLE).build(),
        ];
        let mut local_prefixes = BTreeSet::new();
        for request in all {
            let routes: Vec<_> =
                handle.route().get(request).execute().try_collect().await.context("cannot list the routes")?;
            local_prefixes.extend(routes.iter().filter_map(local_prefix));
        }
        connection.abort();
        let addresses = addresses.iter().filter_map(address).collect();
        let routes = snapshot::stack_routes(CLIENTS.into_iter()).context("cannot look up the routes to clients")?;
        let links_of = |ifindexes: BTreeSet<u32>| ifindexes.into_iter().filter_map(|index| client_link(&links, index));
        let client_links =
            routes.into_iter().filter_map(|(client, route)| Some((client, links_of(route?.ifindexes).collect())));
        Ok(Self {
            links: links.iter().filter_map(link).collect(),
            addresses,
            local_prefixes,
            client_links: client_links.collect(),
        })
    }
}

/// The addresses of one interface that are valid everywhere, as the kernel lists them.
pub async fn global_addresses(ifindex: u32) -> anyhow::Result<Vec<IpAddr>> {
    let (connection, handle, _) = rtnetlink::new_connection().context("cannot open a netlink socket")?;
    let connection = tokio::spawn(connection);
    let addresses = handle.address().get().set_link_index_filter(ifindex).execute();
    let addresses: Vec<_> = addresses.try_collect().await.context("cannot list the addresses")?;
    connection.abort();
    let global = addresses.iter().filter(|message| message.header.scope == AddressScope::Universe);
    Ok(global.filter_map(address).collect())
}

fn link(message: &LinkMessage) -> Option<(String, LinkFacts)> {
    let name = name_of(message)?;
    let mtu_bytes = message
        .attributes
        .iter()
        .find_map(|attribute| if let LinkAttribute::Mtu(found) = attribute { Some(*found) } else { None });
    let forwards = |is_ipv4| sysctl::value(&sysctl::forwarding(&name, is_ipv4)).ok().map(|value| value != 0);
    let facts = LinkFacts {
        mtu_bytes: mtu_bytes.unwrap_or(0),
        ethernet: message.header.link_layer_type == LinkLayerType::Ether,
        up: message.header.flags.contains(LinkFlags::Up),
        forwards_ipv4: forwards(true),
        forwards_ipv6: forwards(false),
    };
    Some((name, facts))
}

fn name_of(message: &LinkMessage) -> Option<String> {
    let mut attributes = message.attributes.iter();
    attributes.find_map(|attribute| if let LinkAttribute::IfName(name) = attribute { Some(name.clone()) } else { None })
}

fn client_link(links: &[LinkMessage], ifindex: u32) -> Option<ClientLink> {
    let find = |ifindex: u32| links.iter().find(|link| link.header.index == ifindex);
    let link = find(ifindex)?;
    let (mut is_vlan, mut parent) = (false, None);
    for attribute in &link.attributes {
        if let LinkAttribute::LinkInfo(infos) = attribute {
            is_vlan = infos.contains(&LinkInfo::Kind(InfoKind::Vlan));
        } else if let LinkAttribute::Link(found) = attribute {
            parent = find(*found).and_then(name_of);
        }
    }
    // Links of other kinds name their peers in the same attribute.
    Some(ClientLink { name: name_of(link)?, vlan_of: parent.filter(|_| is_vlan) })
}

/// The destination of a local route; the kernel's answer may hold other routes as well.
fn local_prefix(message: &RouteMessage) -> Option<IpNet> {
    if message.header.kind != RouteType::Local {
        return None;
    }
    let destination = message
        .attributes
        .iter()
        .find_map(|attribute| if let RouteAttribute::Destination(address) = attribute { Some(address) } else { None });
    let address: IpAddr = if let Some(RouteAddress::Inet(address)) = destination {
        (*address).into()
    } else if let Some(RouteAddress::Inet6(address)) = destination {
        (*address).into()
    } else {
        return None;
    };
    IpNet::new(address, message.header.destination_prefix_length).ok()
}

/// The host's own address: `Local` where there is one, because `Address` is then the peer's on a point-to-point link.
fn address(message: &AddressMessage) -> Option<IpAddr> {
    let mut own = None;
    for attribute in &message.attributes {
        if let AddressAttribute::Local(address) = attribute {
            return Some(*address);
        } else if let AddressAttribute::Address(address) = attribute {
            own = Some(*address);
        }
    }
    own
}
