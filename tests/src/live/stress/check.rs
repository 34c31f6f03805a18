//! Is what came out of one state of the tables?

use std::net::IpAddr;

use super::{NARROW_HOP, state::last_octet};

/// What came out for a packet to VIP `n`.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Number of the VIP.
    pub n: u8,
    /// The packet does not fit a narrow route.
    pub is_large: bool,
    /// Outer source.
    pub source: IpAddr,
    /// Outer destination.
    pub destination: IpAddr,
    /// Destination MAC of the frame.
    pub destination_mac: [u8; 6],
    /// Source MAC of the frame.
    pub source_mac: [u8; 6],
    /// Tag of the frame.
    pub vlan_id: Option<u16>,
    /// Left by the interface that it came in by.
    pub is_transmitted: bool,
}

/// Tells what does not belong together; `None`: everything does.
pub fn mix(seen: &Seen) -> Option<String> {
    let [tag, mac_n, hop, link, era, zero] = seen.destination_mac;
    let (n, x, source) = (seen.n, last_octet(seen.destination), last_octet(seen.source));
    let (network, own) = match seen.destination {
        IpAddr::V4(address) => (address.octets()[..3].to_vec(), vec![10, 4, n]),
        IpAddr::V6(address) => (address.octets()[..8].to_vec(), vec![0xfd, 0, 0, 4, 0, n, 0, 0]),
    };
    let rules = [
        (network == own, "the backend is not of a pool of this VIP"),
        (seen.source.is_ipv4() == seen.destination.is_ipv4() && source == x % 4, "outer source and destination differ"),
        (tag == 2 && zero == 0 && mac_n == n, "the next hop is not of this backend's route"),
        (seen.source_mac == [6, link, era, 0, 0, 0], "next hop and source MAC differ"),
        (seen.vlan_id == (link > 0).then_some(100 + u16::from(link)), "next hop and tag differ"),
        (seen.is_transmitted == (link == 0), "next hop and egress interface differ"),
        (!(seen.is_large && hop >= NARROW_HOP), "next hop and MTU differ"),
    ];
    let broken = rules.into_iter().find(|(holds, _)| !holds)?;
    Some(format!("{}: {seen:x?}", broken.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Seen {
        Seen {
            n: 2,
            is_large: true,
            source: "10.3.0.3".parse().unwrap(),
            destination: "10.4.2.7".parse().unwrap(),
            destination_mac: [2, 2, 1, 3, 77, 0],
            source_mac: [6, 3, 77, 0, 0, 0],
            vlan_id: Some(103),
            is_transmitted: false,
        }
    }

    #[test]
    fn what_belongs_together_is_no_mix() {
        assert_eq!(mix(&whole()), None);
        let to_v6 = Seen {
            source: "fd00:3::3".parse().unwrap(),
            destination: "fd00:4:2::7".parse().unwrap(),
            destination_mac: [2, 2, 12, 0, 77, 0],
            source_mac: [6, 0, 77, 0, 0, 0],
            vlan_id: None,
            is_transmitted: true,
            is_large: false,
            ..whole()
        };
        assert_eq!(mix(&to_v6), None);
    }

    #[test]
    fn every_part_of_another_state_is_a_mix() {
        let changes: [fn(&mut Seen); 9] = [
            |seen| seen.n = 3,
            |seen| seen.source = "10.3.0.2".parse().unwrap(),
            |seen| seen.source = "fd00:3::3".parse().unwrap(),
            |seen| seen.destination = "10.4.1.7".parse().unwrap(),
            |seen| seen.destination_mac[1] = 1,
            |seen| seen.destination_mac[4] = 78,
            |seen| seen.destination_mac[2] = NARROW_HOP,
            |seen| seen.vlan_id = None,
            |seen| seen.is_transmitted = true,
        ];
        for change in changes {
            let mut seen = whole();
            change(&mut seen);
            assert!(mix(&seen).is_some(), "{seen:?}");
        }
    }
}
