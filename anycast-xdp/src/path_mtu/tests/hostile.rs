//! No bytes make the reader panic, and what is believed keeps the rules.

use proptest::{prelude::*, sample::Index};

use super::forge::{BACKBONE, Forged, HOME_V4, HOME_V6, POP_V4, POP_V6, Path, ROUTE_MTU_BYTES};
use crate::path_mtu::{Doubt, Message, Told, believe};

/// Whatever is believed is true to the rules.
fn keeps_the_rules(judged: Result<Told, Doubt>) {
    if let Ok(Told { backend, mtu_bytes }) = judged {
        let least = if backend == super::address(HOME_V4) { 576 } else { 1280 };
        assert!(backend == super::address(HOME_V4) || backend == super::address(HOME_V6), "{backend}");
        assert!((least..ROUTE_MTU_BYTES).contains(&mtu_bytes), "{mtu_bytes}");
    }
}

fn judge(ifindex: u32, is_v4: bool, bytes: &[u8]) -> Option<Result<Told, Doubt>> {
    let path = Path::direct();
    let message = if is_v4 {
        Message::ipv4(ifindex, bytes)?
    } else {
        let (source, destination) = (super::address("fd00:3::1"), super::address(POP_V6));
        Message { ifindex, source, destination, icmp: bytes }
    };
    Some(believe(&message, &path.facts()))
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_survived_and_not_believed(is_v4: bool, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(judged) = judge(BACKBONE, is_v4, &bytes) {
            prop_assert!(judged.is_err(), "{judged:?}");
        }
    }

    /// With the checksum put right behind the change: the checks behind it are reached.
    #[test]
    fn mutated_messages_keep_the_rules(
        is_v4: bool,
        mtu_bytes in prop_oneof![0u32..2000, any::<u32>()],
        quoted_bytes in prop_oneof![40u16..1700, 40u16..],
        edits in prop::collection::vec((any::<Index>(), any::<u8>()), 0..3),
        kept in any::<Option<Index>>(),
    ) {
        let forged = if is_v4 { Forged::ipv4(mtu_bytes) } else { Forged::ipv6(mtu_bytes) };
        let forged = Forged { quoted_bytes, ..forged };
        let mut icmp = forged.icmp();
        for (at, octet) in edits {
            let at = at.index(icmp.len());
            icmp[at] = octet;
        }
        icmp.truncate(kept.map_or(icmp.len(), |kept| kept.index(icmp.len() + 1)));
        put_right(&mut icmp, is_v4);
        let bytes = if is_v4 { with_ipv4_header(&icmp) } else { icmp };
        for ifindex in [BACKBONE, BACKBONE + 1] {
            let judged = judge(ifindex, is_v4, &bytes).expect("a message");
            prop_assert!(ifindex == BACKBONE || judged == Err(Doubt::Interface));
            prop_assert!(judged != Err(Doubt::Checksum) || bytes.len() < 28);
            keeps_the_rules(judged);
        }
    }

    #[test]
    fn one_flipped_bit_is_not_believed(is_v4: bool, at: Index, bit in 0u8..8) {
        let mut icmp = if is_v4 { Forged::ipv4(1450) } else { Forged::ipv6(1450) }.icmp();
        let at = at.index(icmp.len());
        icmp[at] ^= 1 << bit;
        let bytes = if is_v4 { with_ipv4_header(&icmp) } else { icmp };
        prop_assert_eq!(judge(BACKBONE, is_v4, &bytes), Some(Err(Doubt::Checksum)));
    }
}

/// Changes the checksum until it is right: the sum over all words and the field is all ones.
fn put_right(icmp: &mut [u8], is_v4: bool) {
    let pseudo_header = if is_v4 { Vec::new() } else { pseudo_header(icmp.len()) };
    if icmp.len() < 4 {
        return;
    }
    icmp[2..4].fill(0);
    let words = icmp.chunks(2).chain(pseudo_header.chunks(2));
    let sum: u32 = words.map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |low| u32::from(*low))).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    icmp[2..4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

fn pseudo_header(icmp_bytes: usize) -> Vec<u8> {
    let octets = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    [&octets("fd00:3::1")[..], &octets(POP_V6), &(icmp_bytes as u32).to_be_bytes(), &[0, 0, 0, 58]].concat()
}

fn with_ipv4_header(icmp: &[u8]) -> Vec<u8> {
    let octets = |text: &str| text.parse::<std::net::Ipv4Addr>().unwrap().octets();
    let [high, low] = (20 + icmp.len() as u16).to_be_bytes();
    let head = [0x45, 0, high, low, 0, 0, 0, 0, 64, 1, 0, 0];
    [&head[..], &octets("10.3.0.1"), &octets(POP_V4), icmp].concat()
}
