//! What the checks look at, gathered once. Nothing here changes anything.

mod device;
mod instance;
mod links;
mod rights;
pub(super) mod sysctls;
mod system;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, UdpSocket},
};

use anyhow::{Context as _, Result};
use ipnet::IpNet;

pub use self::{
    device::{AtEgress, Device},
    instance::{Instance, Pinned, Rise, State},
    links::{Address, Link},
    rights::{Rights, Socket},
    sysctls::Sysctls,
    system::System,
};
pub use crate::config::host::CLIENTS;
use crate::{
    config::host::{ClientLink, HostFacts, LinkFacts, sysctl},
    dataplane::pins::Pins,
    desired::{Config, Role},
    netlink::snapshot::{self, Snapshot, StackRoute},
};

/// A fact, or why it is not known.
pub type Known<T> = Result<T, String>;

/// What the checks look at.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The machine and this process.
    pub system: System,
    /// All links, by name.
    pub links: BTreeMap<String, Link>,
    /// All addresses of this host.
    pub addresses: Vec<Address>,
    /// Prefixes of tunnel sources that are routed to this host.
    pub local_sources: BTreeSet<IpNet>,
    /// What drivers tell of the links of the configuration, of the members of bonds among them, and of those that tunnels
    /// leave by.
    pub devices: BTreeMap<String, Device>,
    /// Values under `/proc/sys/net`.
    pub sysctls: Sysctls,
    /// The ways to the backends.
    pub ways: Known<Snapshot>,
    /// Where the stack sends packets to the VIPs and to [`CLIENTS`] (gateways, and PoPs that answers go through).
    pub stack_routes: Known<BTreeMap<IpAddr, Option<StackRoute>>>,
    /// What is pinned and running.
    pub instance: Instance,
    /// Users, groups, and what they may.
    pub rights: Rights,
}

impl Facts {
    /// Gathers them for a configuration.
    ///
    /// # Errors
    ///
    /// Links and addresses cannot be read. What else is not known is told by the checks that need it.
    pub async fn gather(config: &Config, instance: &str) -> Result<Self> {
        let (links, addresses) = links::read().await.context("cannot read links and addresses")?;
        let ways = snapshot::look(&backends(config)).map_err(|error| format!("netlink: {error}"));
        let names: BTreeSet<String> = config.local.interfaces.iter().map(|interface| interface.name.clone()).collect();
        let egress = ways.iter().flat_map(|ways| ways.view.links.values()).map(|link| link.egress_ifindex);
        let egress: BTreeSet<u32> = egress.collect();
        // Members of a bond are what has offloads and queues.
        let named: BTreeSet<u32> = names.iter().filter_map(|name| Some(links.get(name)?.ifindex)).collect();
        let is_wanted = |name: &String, link: &Link| {
            names.contains(name)
                || egress.contains(&link.ifindex)
                || link.controller.is_some_and(|ifindex| named.contains(&ifindex))
        };
        let wanted = links.iter().filter(|(name, link)| is_wanted(name, link));
        let devices = device::read(wanted, instance);
        let rights = Rights::read(instance, Pins::of(instance).daemon_pid());
        let instance = Instance::read(instance);
        Ok(Self {
            rights,
            system: System::read(&instance.name, instance.daemon_pid),
            sysctls: Sysctls::read(links.keys()),
            stack_routes: stack_routes(config),
            links,
            addresses,
            local_sources: local_sources(config),
            devices,
            ways,
            instance,
        })
    }

    /// The link with this index.
    pub fn link_by_index(&self, ifindex: u32) -> Option<(&String, &Link)> {
        self.links.iter().find(|(_, link)| link.ifindex == ifindex)
    }

    /// The link that a link is a VLAN of.
    pub fn vlan_parent(&self, link: &Link) -> Option<(&String, &Link)> {
        self.link_by_index(link.parent.filter(|_| link.kind == "vlan")?)
    }

    /// Whether this host has an address.
    pub fn has_address(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.address == address)
    }

    /// What the checks of `check` and `run` look at.
    pub fn as_host(&self) -> HostFacts {
        let link = |name: &String, link: &Link| {
            let forwards = |is_ipv4| self.sysctls.get(&sysctl::forwarding(name, is_ipv4)).ok().map(|value| value != 0);
            LinkFacts {
                mtu_bytes: link.mtu_bytes,
                ethernet: link.ethernet,
                up: link.up,
                forwards_ipv4: forwards(true),
                forwards_ipv6: forwards(false),
            }
        };
        let client_link = |ifindex: &u32| {
            let (name, link) = self.link_by_index(*ifindex)?;
            Some(ClientLink { name: name.clone(), vlan_of: self.vlan_parent(link).map(|(name, _)| name.clone()) })
        };
        let client_links = CLIENTS.into_iter().filter_map(|client| {
            let route = self.stack_routes.as_ref().ok()?.get(&client)?.as_ref()?;
            Some((client, route.ifindexes.iter().filter_map(client_link).collect()))
        });
        HostFacts {
            links: self.links.iter().map(|(name, facts)| (name.clone(), link(name, facts))).collect(),
            addresses: self.addresses.iter().map(|own| own.address).collect(),
            local_prefixes: self.local_sources.clone(),
            client_links: client_links.collect(),
        }
    }
}

/// Those prefixes of tunnel sources whose packets are for this host: a socket can be bound there.
fn local_sources(config: &Config) -> BTreeSet<IpNet> {
    let Role::Pop(pop) = &config.local.role else { return BTreeSet::new() };
    let sources = pop.tunnel_source_ipv4.map(IpNet::V4).into_iter().chain(pop.tunnel_source_ipv6.map(IpNet::V6));
    let is_local = |source: &IpNet| source.hosts().next().is_some_and(|address| UdpSocket::bind((address, 0)).is_ok());
    sources.filter(is_local).collect()
}

/// The addresses that tunnels go to.
fn backends(config: &Config) -> BTreeSet<IpAddr> {
    config.services.pools.iter().flat_map(|pool| &pool.backends).map(|backend| backend.address).collect()
}

fn stack_routes(config: &Config) -> Known<BTreeMap<IpAddr, Option<StackRoute>>> {
    if matches!(config.local.role, Role::Pop(_)) && !config.services.has_returning() {
        return Ok(BTreeMap::new());
    }
    let vips = config.services.vips.iter().map(|vip| vip.address);
    snapshot::stack_routes(vips.chain(CLIENTS)).map_err(|error| format!("netlink: {error}"))
}
