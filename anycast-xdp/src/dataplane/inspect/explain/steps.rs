//! The names of what the stages gave.

use std::net::IpAddr;

use anycast_common::{
    map::{
        BackendRoute, Explanation, GROUP_PICKS, GroupEntry, LinkEntry, NextHop, PoolDescriptor, PoolRef, STAGE_BACKEND,
        STAGE_CELLS, STAGE_FLOW, STAGE_L4, STAGE_NEXT_HOP, STAGE_ROUTE, STAGE_SLOT, STAGE_VIP,
    },
    outer_patch::source_bits,
};
use ipnet::IpNet;

use super::{
    super::{
        super::inventory::{BackendRecord, PoolRecord, VipRecord},
        Inspector,
    },
    name_of,
};
use crate::{
    config::parse_listener,
    netlink,
    view::{ExplainedBackend, ExplainedFlow, ExplainedListener, ExplainedNextHop, ExplainedPool, ExplainedVip},
};

/// What the stages gave, and who knows its names.
pub(super) struct Steps<'a> {
    inspector: &'a Inspector,
    explanation: &'a Explanation,
}

impl<'a> Steps<'a> {
    pub fn new(inspector: &'a Inspector, explanation: &'a Explanation) -> Self {
        Self { inspector, explanation }
    }

    pub fn vip(&self) -> Option<ExplainedVip> {
        let vip = self.vip_record()?;
        Some(ExplainedVip { name: vip.name.clone(), address: vip.address, listeners: vip.listeners.clone() })
    }

    pub fn listener(&self) -> Option<ExplainedListener> {
        let explanation = self.explanation.has(STAGE_L4).then_some(self.explanation)?;
        let protocol = explanation.protocol;
        let [_, _, high, low] = explanation.ports;
        let port = (explanation.has_ports != 0).then_some(u16::from_be_bytes([high, low]));
        let takes = |written: &&String| {
            parse_listener(written).is_ok_and(|listener| {
                let within = |port: u16| listener.ports.is_none_or(|(first, last)| (first..=last).contains(&port));
                listener.protocol == protocol && port.is_none_or(within)
            })
        };
        let taken_by = self.vip_record().and_then(|vip| vip.listeners.iter().find(takes)).cloned();
        Some(ExplainedListener { protocol, port, taken_by })
    }

    pub fn flow(&self) -> Option<ExplainedFlow> {
        let explanation = self.explanation.has(STAGE_FLOW).then_some(self.explanation)?;
        let [a, b, c, d] = explanation.hashed_ports;
        let ports = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
        let protocol = (explanation.hashed_protocol != 0).then_some(explanation.hashed_protocol);
        Some(ExplainedFlow {
            client: IpAddr::from(explanation.source).to_canonical(),
            hashed_ports: protocol.filter(|_| explanation.has_ports != 0).map(|_| ports),
            hashed_protocol: protocol,
            hash: format!("0x{:016x}", explanation.flow_hash),
        })
    }

    pub fn pool(&self) -> Option<ExplainedPool> {
        let explanation = self.explanation.has(STAGE_SLOT).then_some(self.explanation)?;
        let pool = self.pool_record()?;
        let table = PoolDescriptor::from_cell(explanation.table);
        let why = self.bound_index().and_then(|index| self.inspector.why(index)).filter(|why| !why.is_empty());
        Some(ExplainedPool {
            name: pool.name.clone(),
            home_region: pool.home_region.clone(),
            slot: explanation.slot.wrapping_sub(table.offset),
            slots: table.size,
            why,
        })
    }

    pub fn backend(&self) -> Option<ExplainedBackend> {
        let backend = self.backend_record()?;
        let route = self.explanation.has(STAGE_ROUTE).then(|| BackendRoute::from_cell(self.explanation.route));
        Some(ExplainedBackend {
            address: backend.address,
            source: backend.source.map(|source| source_of(source, self.explanation.flow_hash)),
            weight: backend.weight,
            encap: backend.encap.clone(),
            mtu_bytes: route.map(|route| route.mtu_bytes).filter(|mtu_bytes| *mtu_bytes != 0),
            is_down_by_health: backend.is_down,
        })
    }

    pub fn next_hop(&self) -> Option<ExplainedNextHop> {
        let link = self.link()?;
        let next_hop = NextHop::from_cell(self.explanation.next_hop);
        Some(ExplainedNextHop {
            addresses: self.addresses(&link, next_hop.mac),
            mac: next_hop.mac.map(|byte| format!("{byte:02x}")).join(":"),
            interface: name_of(link.ifindex),
            sixteenths: self.sixteenths(),
        })
    }

    /// The addresses of the next hop, those of the backend's family first. Only its MAC is in the tables.
    fn addresses(&self, link: &LinkEntry, mac: [u8; 6]) -> Vec<IpAddr> {
        // The neighbour of a tagged link is on the VLAN's device, the entry names its parent.
        let ifindex = (link.vlan_tci == [0; 2]).then_some(link.ifindex);
        let mut addresses = netlink::addresses_of(mac, ifindex).unwrap_or_default();
        let is_v4 = self.backend_record().is_some_and(|backend| backend.address.is_ipv4());
        addresses.sort_by_key(|address| address.is_ipv4() != is_v4);
        addresses
    }

    /// The link that the next hop is on.
    pub fn link(&self) -> Option<LinkEntry> {
        let explanation = self.explanation.has(STAGE_NEXT_HOP).then_some(self.explanation)?;
        let index = u32::from(NextHop::link_of(explanation.next_hop));
        let links = &self.inspector.kernel.read().links;
        (index != 0 && index < links.len()).then(|| links.get(index))
    }

    /// How many of the group's places lead to the member that was picked.
    fn sixteenths(&self) -> u8 {
        let group_index = BackendRoute::from_cell(self.explanation.route).group_index;
        let groups = &self.inspector.kernel.read().groups;
        if group_index >= groups.len() {
            return 0;
        }
        let group = groups.get(group_index);
        let member_of = |place: u64| u32::from(group.members[GroupEntry::position(group.picks, place)]);
        (0..GROUP_PICKS as u64).filter(|place| member_of(*place) == self.explanation.member).count() as u8
    }

    /// Index of the VIP.
    pub fn vip_index(&self) -> Option<u32> {
        self.explanation.has(STAGE_VIP).then_some(self.explanation.vip_index)
    }

    fn vip_record(&self) -> Option<&'a VipRecord> {
        let index = self.vip_index()?;
        self.inspector.inventory.vips.iter().find(|vip| vip.index == index)
    }

    /// What the VIP's packets are led by: the index of a pool, or of a binding of several.
    fn bound_index(&self) -> Option<u32> {
        let cell = self.explanation.has(STAGE_CELLS).then_some(self.explanation)?.pool;
        Some(PoolRef::from_cell(cell).pool_index)
    }

    /// The pool of the backend that was chosen; before that, the one that the VIP is bound to alone.
    fn pool_record(&self) -> Option<&'a PoolRecord> {
        let pools = &self.inspector.inventory.pools;
        let chosen = self.explanation.has(STAGE_BACKEND).then_some(self.explanation.backend_index);
        let has_chosen = |pool: &&PoolRecord| pool.backends.iter().any(|backend| Some(backend.index) == chosen);
        let bound = self.bound_index()?;
        pools.iter().find(has_chosen).or_else(|| pools.iter().find(|pool| pool.index == bound))
    }

    fn backend_record(&self) -> Option<&'a BackendRecord> {
        let index = self.explanation.has(STAGE_BACKEND).then_some(self.explanation.backend_index)?;
        self.inspector.inventory.pools.iter().flat_map(|pool| &pool.backends).find(|backend| backend.index == index)
    }
}

/// The outer source of a flow's packets, out of the prefix of all of them.
fn source_of(sources: IpNet, flow_hash: u64) -> IpAddr {
    let bits = |mask: [u8; 2]| u16::from_be_bytes(source_bits(flow_hash, u16::from_ne_bytes(mask)).to_ne_bytes());
    match (sources.network(), sources.hostmask()) {
        (IpAddr::V4(first), IpAddr::V4(mask)) => {
            let [.., high, low] = mask.octets();
            IpAddr::V4((first.to_bits() | u32::from(bits([high, low]))).into())
        }
        (IpAddr::V6(first), IpAddr::V6(mask)) => {
            let [.., high, low] = mask.octets();
            IpAddr::V6((first.to_bits() | u128::from(bits([high, low]))).into())
        }
        (first, _) => first,
    }
}
