//! Which PoP a way enters at.
//!
//! A PoP looks at TTL and hop limit before anything else of a VIP's packet, and answers from its own address; behind it the
//! packet is in a tunnel, whose routers do not see it. So the PoP is the last router on the way, unless there are routers
//! behind the end of the tunnel; and an address that is known to be a PoP's is certain.

use std::net::IpAddr;

use serde::Serialize;

use super::{
    pops::Pops,
    walk::{End, Hop, Walk},
};

/// Where a way enters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The PoP, by the addresses that were given; or the name of its address in DNS.
    pub name: Option<String>,
    /// What it answered from.
    pub address: IpAddr,
    /// Its TTL or hop limit.
    pub hop: u8,
    /// How it is known.
    pub certainty: Certainty,
}

/// How it is known that a hop is the PoP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Its address is one of those that were given.
    Listed,
    /// It is the last router that answered, and nothing lies between it and the end of the walk.
    LastRouter,
    /// It is the last router that answered, but hops behind it, before the VIP, did not.
    BeforeSilence,
    /// It is the last router that answered; addresses of PoPs were given, and this is none of them.
    NotListed,
}

/// The PoP of a way; `None`: no router answered.
pub fn entry(walk: &Walk, pops: &Pops) -> Option<Entry> {
    let routers = || walk.hops.iter().filter(|hop| !is_destination(walk, hop));
    let of = |hop: &Hop, address: IpAddr, name: Option<&str>, certainty| Entry {
        name: name.map(str::to_owned).or_else(|| hop.name.clone()),
        address,
        hop: hop.hop,
        certainty,
    };
    // The first one: what lies behind it came out of its tunnel.
    let listed = routers().find_map(|hop| {
        let address = hop.address?;
        Some(of(hop, address, Some(pops.name(address)?), Certainty::Listed))
    });
    listed.or_else(|| {
        let (hop, address) = routers().rev().find_map(|hop| Some((hop, hop.address?)))?;
        let is_adjacent = walk.end != End::Reached || usize::from(hop.hop) + 1 == walk.hops.len();
        let certainty = match (pops.is_empty(), is_adjacent) {
            (false, _) => Certainty::NotListed,
            (true, true) => Certainty::LastRouter,
            (true, false) => Certainty::BeforeSilence,
        };
        Some(of(hop, address, None, certainty))
    })
}

/// The same PoP? Another address of it is that of another host, or of another family.
pub fn is_same(one: &Entry, other: &Entry) -> bool {
    let are_listed = one.certainty == Certainty::Listed && other.certainty == Certainty::Listed;
    one.address == other.address || (are_listed && one.name == other.name)
}

fn is_destination(walk: &Walk, hop: &Hop) -> bool {
    walk.end == End::Reached && usize::from(hop.hop) == walk.hops.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hops by the last byte of their address; 0 is a silent one.
    fn walk(hosts: &[u8], end: End) -> Walk {
        let hop = |(hop, host): (u8, &u8)| Hop {
            hop,
            address: (*host > 0).then(|| [10, 0, 0, *host].into()),
            rtt: None,
            name: (*host > 0).then(|| format!("host-{host}")),
        };
        Walk { hops: (1..).zip(hosts).map(hop).collect(), end }
    }

    fn found(hosts: &[u8], end: End, pops: &[(&str, u8)]) -> Option<(u8, String, Certainty)> {
        let mut known = Pops::default();
        for (name, host) in pops {
            known.add(format!("{name}=10.0.0.{host}").parse().unwrap()).unwrap();
        }
        entry(&walk(hosts, end), &known).map(|entry| (entry.hop, entry.name.unwrap(), entry.certainty))
    }

    #[test]
    fn router_before_the_vip_is_the_pop() {
        assert_eq!(found(&[1, 2, 80], End::Reached, &[]), Some((2, "host-2".into(), Certainty::LastRouter)));
    }

    #[test]
    fn last_router_before_silence_is_the_pop() {
        assert_eq!(found(&[1, 0, 3], End::Silent, &[]), Some((3, "host-3".into(), Certainty::LastRouter)));
        assert_eq!(found(&[1, 2], End::Unreachable, &[]), Some((2, "host-2".into(), Certainty::LastRouter)));
    }

    #[test]
    fn silent_hop_before_the_vip_may_be_the_pop() {
        assert_eq!(found(&[1, 0, 80], End::Reached, &[]), Some((1, "host-1".into(), Certainty::BeforeSilence)));
    }

    #[test]
    fn listed_address_is_the_pop_whatever_lies_behind_it() {
        let pops = [("hongkong", 2), ("paris", 9)];
        assert_eq!(found(&[1, 2, 7, 80], End::Reached, &pops), Some((2, "hongkong".into(), Certainty::Listed)));
    }

    #[test]
    fn router_that_is_not_listed_is_told_as_such() {
        assert_eq!(found(&[1, 2, 80], End::Reached, &[("x", 9)]), Some((2, "host-2".into(), Certainty::NotListed)));
    }

    #[test]
    fn hosts_of_a_listed_pop_are_the_same_pop() {
        let one = |host: u8, name: &str, certainty| Entry {
            name: Some(name.to_owned()),
            address: [10, 0, 0, host].into(),
            hop: 2,
            certainty,
        };
        let listed = |host, name| one(host, name, Certainty::Listed);
        assert!(is_same(&listed(2, "hongkong"), &listed(3, "hongkong")));
        assert!(!is_same(&listed(2, "hongkong"), &listed(3, "paris")));
        let found = |host| one(host, "router", Certainty::LastRouter);
        assert!(is_same(&found(2), &found(2)) && !is_same(&found(2), &found(3)));
    }

    #[test]
    fn vip_itself_is_no_pop() {
        assert_eq!(found(&[80], End::Reached, &[]), None);
        assert_eq!(found(&[], End::Silent, &[]), None);
        assert_eq!(found(&[80], End::Reached, &[("vip", 80)]), None);
    }
}
