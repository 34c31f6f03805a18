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
    link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage},
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteType},
};
use rtnetlink::RouteMessageBuilder;

/// `RT_TABLE_LOCAL`, where the kernel keeps the host's own addresses (include/uapi/linux/rtnetlink.h).
const LOCAL_TABLE: u32 = 255;

/// What a configuration is checked against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Links by name.
    pub links: BTreeMap<String, LinkFacts>,
    /// Addresses of this host, on whatever link.
    pub addresses: BTreeSet<IpAddr>,
    /// Prefixes whose packets are for this host (routes of the kernel's type `local`), those of `addresses` among them.
    pub local_prefixes: BTreeSet<IpNet>,
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
        Ok(Self { links: links.iter().filter_map(link).collect(), addresses, local_prefixes })
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
    let mut name = None;
    let mut mtu_bytes = 0;
    for attribute in &message.attributes {
        if let LinkAttribute::IfName(found) = attribute {
            name = Some(found.clone());
        } else if let LinkAttribute::Mtu(found) = attribute {
            mtu_bytes = *found;
        }
    }
    let facts = LinkFacts {
        mtu_bytes,
        ethernet: message.header.link_layer_type == LinkLayerType::Ether,
        up: message.header.flags.contains(LinkFlags::Up),
    };
    Some((name?, facts))
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
