//! Links: what the kernel says of one, and what frames to a hop on it leave by.

#![expect(clippy::wildcard_enum_match_arm, reason = "kernels add attributes; those of no interest are passed over")]

use std::collections::{BTreeMap, BTreeSet};

use netlink_packet_core::{DecodeError, Emitable as _, NlasIterator, ParseableParametrized as _};
use netlink_packet_route::{
    AddressFamily,
    link::{
        InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkHeader, LinkInfo, LinkLayerType, LinkMessage,
        VlanProtocol,
    },
};

use super::Access;

use super::Link;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_LINKINFO: u16 = 18;
const IFLA_LINK_NETNSID: u16 = 37;

/// What the kernel says of one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LinkFacts {
    pub name: String,
    /// None: not Ethernet.
    pub mac: Option<[u8; 6]>,
    pub mtu_bytes: u32,
    /// Administratively up and with carrier.
    pub up: bool,
    pub kind: Kind,
}

/// How frames leave by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// As they are (bonds too: their driver picks the port).
    Plain,
    /// With an 802.1Q tag, by the parent.
    Vlan { vlan_id: u16, parent_ifindex: u32 },
    /// In a way that the kernel program cannot: 802.1ad, or a parent in another network namespace.
    Other,
}

/// Links by ifindex; `None`: asked for, and not there.
pub(super) type Links = BTreeMap<u32, Option<LinkFacts>>;

/// Asks for one link.
pub(super) fn question(ifindex: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.interface_family = AddressFamily::Unspec;
    message.header.index = ifindex;
    message
}

/// Which link a reply is about.
pub(super) fn index(payload: &[u8]) -> Result<u32, DecodeError> {
    Ok(LinkHeader::parse(payload)?.index)
}

/// Reads the reply. Only the attributes of interest are decoded: what new kernels add to the others, and it is the
/// message that grows most, does no harm.
pub(super) fn reply(payload: &[u8]) -> Result<LinkFacts, DecodeError> {
    let header = LinkHeader::parse(payload)?;
    let (mut name, mut mac, mut mtu_bytes) = (String::new(), None, 0);
    let (mut parent, mut elsewhere, mut vlan) = (None, false, None);
    for nla in NlasIterator::new(payload.get(header.buffer_len()..).unwrap_or_default()) {
        let nla = nla?;
        if !matches!(nla.kind(), IFLA_ADDRESS | IFLA_IFNAME | IFLA_MTU | IFLA_LINK | IFLA_LINKINFO | IFLA_LINK_NETNSID)
        {
            continue;
        }
        match LinkAttribute::parse_with_param(&nla, header.interface_family)? {
            LinkAttribute::IfName(text) => name = text,
            LinkAttribute::Address(bytes) => mac = bytes.try_into().ok(),
            LinkAttribute::Mtu(bytes) => mtu_bytes = bytes,
            LinkAttribute::Link(ifindex) => parent = Some(ifindex),
            LinkAttribute::LinkNetNsId(_) => elsewhere = true,
            LinkAttribute::LinkInfo(infos) => vlan = vlan_of(&infos),
            _ => {}
        }
    }
    Ok(LinkFacts {
        name,
        mac: mac.filter(|_| header.link_layer_type == LinkLayerType::Ether),
        mtu_bytes,
        up: header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
        kind: match (vlan, parent) {
            (None, _) => Kind::Plain,
            (Some((VlanProtocol::Ieee8021Q, vlan_id)), Some(parent_ifindex)) if !elsewhere => {
                Kind::Vlan { vlan_id, parent_ifindex }
            }
            (Some(_), _) => Kind::Other,
        },
    })
}

/// Those that lead to clients.
pub(super) fn access_of(access: &Access, links: &Links) -> BTreeSet<u32> {
    let is_one = |facts: &LinkFacts| access.interfaces.contains(&facts.name);
    let known = links.iter().filter_map(|(index, facts)| Some((*index, facts.as_ref()?)));
    let leads = known.filter(|(_, facts)| match facts.kind {
        _ if is_one(facts) => true,
        Kind::Vlan { parent_ifindex, .. } => {
            !access.others.contains(&facts.name)
                && links.get(&parent_ifindex).and_then(Option::as_ref).is_some_and(is_one)
        }
        Kind::Plain | Kind::Other => false,
    });
    leads.map(|(index, _)| index).collect()
}

/// Protocol and id, if the link is a VLAN device.
fn vlan_of(infos: &[LinkInfo]) -> Option<(VlanProtocol, u16)> {
    if !infos.contains(&LinkInfo::Kind(InfoKind::Vlan)) {
        return None;
    }
    let (mut protocol, mut vlan_id) = (VlanProtocol::default(), 0);
    for info in infos {
        let LinkInfo::Data(InfoData::Vlan(vlan)) = info else { continue };
        for part in vlan {
            match part {
                InfoVlan::Id(id) => vlan_id = *id,
                InfoVlan::Protocol(tag) => protocol = *tag,
                _ => {}
            }
        }
    }
    Some((protocol, vlan_id))
}

/// What frames leave by; `None`: the kernel program cannot transmit there. A stack of VLANs is one such: a next hop
/// has room for one tag.
pub(super) fn egress(ifindex: u32, links: &Links) -> Option<Link> {
    let facts = links.get(&ifindex)?.as_ref()?;
    let (egress_ifindex, vlan_id, parent) = match facts.kind {
        Kind::Plain => (ifindex, None, facts),
        Kind::Vlan { vlan_id, parent_ifindex } => {
            let parent = links.get(&parent_ifindex)?.as_ref()?;
            (parent_ifindex, Some(vlan_id), Some(parent).filter(|p| p.kind == Kind::Plain)?)
        }
        Kind::Other => return None,
    };
    Some(Link {
        name: facts.name.clone(),
        egress_ifindex,
        mac: facts.mac?,
        vlan_id,
        mtu_bytes: facts.mtu_bytes.min(parent.mtu_bytes),
        up: facts.up && parent.up,
    })
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::Parseable as _;

    use super::*;

    const UP: LinkFlags = LinkFlags::Up.union(LinkFlags::LowerUp);

    fn message(name: &str, flags: LinkFlags, more: Vec<LinkAttribute>) -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.link_layer_type = LinkLayerType::Ether;
        message.header.flags = flags;
        message.attributes = vec![
            LinkAttribute::IfName(name.into()),
            LinkAttribute::Mtu(1500),
            LinkAttribute::Address(vec![2, 0, 0, 0, 0, 1]),
        ];
        message.attributes.extend(more);
        message
    }

    fn vlan(protocol: VlanProtocol) -> LinkAttribute {
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Vlan),
            LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Protocol(protocol), InfoVlan::Id(42)])),
        ])
    }

    fn read(message: &LinkMessage) -> LinkFacts {
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        reply(&bytes).unwrap()
    }

    #[test]
    fn ethernet_link_leaves_by_itself() {
        let links = Links::from([(5, Some(read(&message("bb0", UP, vec![]))))]);
        assert_eq!(
            egress(5, &links).unwrap(),
            Link {
                name: "bb0".into(),
                egress_ifindex: 5,
                mac: [2, 0, 0, 0, 0, 1],
                vlan_id: None,
                mtu_bytes: 1500,
                up: true,
            }
        );
    }

    #[test]
    fn vlan_device_leaves_by_its_parent_with_the_tag_and_is_down_with_it() {
        let device = read(&message("bb0.42", UP, vec![LinkAttribute::Link(5), vlan(VlanProtocol::Ieee8021Q)]));
        assert_eq!(device.kind, Kind::Vlan { vlan_id: 42, parent_ifindex: 5 });
        let mut links = Links::from([(7, Some(device)), (5, Some(read(&message("bb0", UP, vec![]))))]);
        let link = egress(7, &links).unwrap();
        assert_eq!((link.name.as_str(), link.egress_ifindex, link.vlan_id, link.up), ("bb0.42", 5, Some(42), true));
        links.insert(5, Some(read(&message("bb0", LinkFlags::Up, vec![]))));
        assert!(!egress(7, &links).unwrap().up);
        links.insert(5, None);
        assert_eq!(egress(7, &links), None);
    }

    #[test]
    fn vlan_on_vlan_8021ad_and_parent_in_another_namespace_have_no_egress() {
        let inner = read(&message("a.1.42", UP, vec![LinkAttribute::Link(7), vlan(VlanProtocol::Ieee8021Q)]));
        let outer = read(&message("a.1", UP, vec![LinkAttribute::Link(5), vlan(VlanProtocol::Ieee8021Q)]));
        let links = Links::from([(8, Some(inner)), (7, Some(outer)), (5, Some(read(&message("a", UP, vec![]))))]);
        assert!(egress(7, &links).is_some());
        assert_eq!(egress(8, &links), None);

        let provider = read(&message("a.1", UP, vec![LinkAttribute::Link(5), vlan(VlanProtocol::Ieee8021Ad)]));
        assert_eq!(provider.kind, Kind::Other);
        let foreign = [LinkAttribute::Link(5), LinkAttribute::LinkNetNsId(0), vlan(VlanProtocol::Ieee8021Q)];
        assert_eq!(read(&message("a.1", UP, foreign.into())).kind, Kind::Other);
    }

    #[test]
    fn veth_whose_peer_is_in_another_namespace_is_plain() {
        let peer = [LinkAttribute::Link(5), LinkAttribute::LinkNetNsId(0)];
        assert_eq!(read(&message("veth0", UP, peer.into())).kind, Kind::Plain);
    }

    #[test]
    fn access_is_by_name_and_by_vlan_devices_without_another_purpose() {
        let vlan = |name| read(&message(name, UP, vec![LinkAttribute::Link(5), vlan(VlanProtocol::Ieee8021Q)]));
        let links = Links::from([
            (5, Some(read(&message("in0", UP, vec![])))),
            (6, Some(read(&message("bb0", UP, vec![])))),
            (7, Some(vlan("in0.42"))),
            (8, Some(vlan("in0.43"))),
            (9, None),
        ]);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let access = |interfaces: &[&str], others: &[&str]| {
            access_of(&Access { interfaces: names(interfaces), others: names(others) }, &links)
        };
        assert_eq!(access(&["in0"], &["in0.43", "bb0"]), BTreeSet::from([5, 7]));
        assert_eq!(access(&["in0.42"], &["in0"]), BTreeSet::from([7]));
        assert_eq!(access(&["gone"], &[]), BTreeSet::new());
        assert_eq!(access(&[], &[]), BTreeSet::new());
    }

    #[test]
    fn link_without_ethernet_has_no_egress() {
        let mut tun = message("tun0", UP, vec![]);
        tun.header.link_layer_type = LinkLayerType::None;
        assert_eq!(egress(5, &Links::from([(5, Some(read(&tun)))])), None);
    }

    #[test]
    fn link_without_carrier_or_set_down_is_down() {
        assert!(!read(&message("bb0", LinkFlags::Up, vec![])).up);
        assert!(!read(&message("bb0", LinkFlags::LowerUp, vec![])).up);
    }

    #[test]
    fn attributes_of_no_interest_are_not_decoded() {
        let mut bytes = vec![0; message("bb0", UP, vec![]).buffer_len()];
        message("bb0", UP, vec![]).emit(&mut bytes);
        // IFLA_TXQLEN (13) of one byte, which a full decoder refuses.
        bytes.extend([5, 0, 13, 0, 1, 0, 0, 0]);
        assert!(LinkMessage::parse(&bytes).is_err());
        assert_eq!(reply(&bytes).unwrap().name, "bb0");
    }
}
