//! Nexthop objects (`ip nexthop`), where a route reply names one without its members.
//!
//! The kernel adds the members to the reply for the sake of older programs, unless `net.ipv4.nexthop_compat_mode` is
//! 0. The layouts are those of `linux/nexthop.h`; the netlink crates do not know this message.

use std::net::IpAddr;

use netlink_packet_core::{DecodeError, Emitable, NlasIterator, parse_u32};

use super::fib::Member;

pub(super) const RTM_NEWNEXTHOP: u16 = 104;
pub(super) const RTM_DELNEXTHOP: u16 = 105;
pub(super) const RTM_GETNEXTHOP: u16 = 106;

/// `struct nhmsg`: family, scope, protocol, reserved; flags (u32).
const HEADER_BYTES: usize = 8;
/// `struct nexthop_grp`: id (u32); weight - 1 (u8), its high byte (u8, Linux 6.12); reserved (u16).
const GROUP_MEMBER_BYTES: usize = 8;
const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_BLACKHOLE: u16 = 4;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
const NHA_ENCAP_TYPE: u16 = 7;
/// Dead, link down, unresolved: `RTNH_F_*` of `linux/rtnetlink.h`.
const DOWN: u32 = 1 | 16 | 32;

/// Asks for the object of this id.
pub(super) struct Question(pub u32);

impl Emitable for Question {
    fn buffer_len(&self) -> usize {
        HEADER_BYTES + 8
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer[..HEADER_BYTES].fill(0);
        buffer[8..10].copy_from_slice(&8u16.to_ne_bytes());
        buffer[10..12].copy_from_slice(&NHA_ID.to_ne_bytes());
        buffer[12..16].copy_from_slice(&self.0.to_ne_bytes());
    }
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Nexthop {
    /// One way, of weight 1; `None`: it carries no traffic.
    Single(Option<Member>),
    /// Ids and weights.
    Group(Vec<(u32, u16)>),
}

/// Reads the reply.
pub(super) fn reply(payload: &[u8]) -> Result<Nexthop, DecodeError> {
    let too_short = || DecodeError::from("nexthop message shorter than its header");
    let (header, attributes) = payload.split_at_checked(HEADER_BYTES).ok_or_else(too_short)?;
    let mut usable = parse_u32(&header[4..])? & DOWN == 0;
    let (mut ifindex, mut gateway) = (None, None);
    for nla in NlasIterator::new(attributes) {
        let nla = nla?;
        match nla.kind() {
            NHA_GROUP => return Ok(Nexthop::Group(group(nla.value()))),
            NHA_BLACKHOLE | NHA_ENCAP_TYPE => usable = false,
            NHA_OIF => ifindex = Some(parse_u32(nla.value())?),
            NHA_GATEWAY => gateway = Some(address(nla.value())?),
            _ => {}
        }
    }
    let member = ifindex.map(|ifindex| Member { ifindex, gateway, weight: 1 });
    Ok(Nexthop::Single(member.filter(|_| usable)))
}

fn group(value: &[u8]) -> Vec<(u32, u16)> {
    let (members, _) = value.as_chunks::<GROUP_MEMBER_BYTES>();
    members
        .iter()
        .map(|&[a, b, c, d, low, high, _, _]| {
            (u32::from_ne_bytes([a, b, c, d]), u16::from_le_bytes([low, high]).saturating_add(1))
        })
        .collect()
}

fn address(value: &[u8]) -> Result<IpAddr, DecodeError> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Ok(octets.into());
    }
    <[u8; 16]>::try_from(value).map(IpAddr::from).map_err(|_| DecodeError::from("gateway of neither family"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(flags: u32, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0];
        bytes.extend(flags.to_ne_bytes());
        for (kind, value) in attributes {
            bytes.extend((value.len() as u16 + 4).to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn question_holds_the_id() {
        let mut bytes = vec![0xff; Question(7).buffer_len()];
        Question(7).emit(&mut bytes);
        let mut wanted = message(0, &[(NHA_ID, &7u32.to_ne_bytes())]);
        wanted[0] = 0;
        assert_eq!(bytes, wanted);
    }

    #[test]
    fn single_object_gives_a_member_with_its_gateway_of_either_family() {
        let oif = 3u32.to_ne_bytes();
        let v4 = reply(&message(0, &[(NHA_OIF, &oif), (NHA_GATEWAY, &[10, 0, 0, 1])])).unwrap();
        let member = Member { ifindex: 3, gateway: Some("10.0.0.1".parse().unwrap()), weight: 1 };
        assert_eq!(v4, Nexthop::Single(Some(member)));
        let gateway: std::net::Ipv6Addr = "fe80::1".parse().unwrap();
        let v6 = reply(&message(0, &[(NHA_OIF, &oif), (NHA_GATEWAY, &gateway.octets())])).unwrap();
        assert_eq!(v6, Nexthop::Single(Some(Member { gateway: Some(gateway.into()), ..member })));
    }

    #[test]
    fn dead_blackhole_and_encapsulating_objects_carry_no_traffic() {
        let oif = 3u32.to_ne_bytes();
        for down in [1, 16, 32] {
            assert_eq!(reply(&message(down, &[(NHA_OIF, &oif)])).unwrap(), Nexthop::Single(None));
        }
        assert_eq!(reply(&message(0, &[(NHA_BLACKHOLE, &[])])).unwrap(), Nexthop::Single(None));
        let mpls = reply(&message(0, &[(NHA_OIF, &oif), (NHA_ENCAP_TYPE, &[1, 0])])).unwrap();
        assert_eq!(mpls, Nexthop::Single(None));
    }

    #[test]
    fn group_gives_ids_and_weights_of_sixteen_bits() {
        let mut members = Vec::new();
        members.extend(1u32.to_ne_bytes());
        members.extend([2, 0, 0, 0]);
        members.extend(9u32.to_ne_bytes());
        members.extend([0x2b, 1, 0, 0]);
        assert_eq!(reply(&message(0, &[(NHA_GROUP, &members)])).unwrap(), Nexthop::Group(vec![(1, 3), (9, 300)]));
    }

    #[test]
    fn truncated_message_is_an_error() {
        assert!(reply(&[2, 0, 0]).is_err());
    }
}
