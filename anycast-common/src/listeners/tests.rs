//! Compiled listeners against the list itself, read naively.

use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;
const ICMP: u8 = 1;

fn whole(protocol: u8) -> Listener {
    Listener { protocol, ports: None }
}

fn range(protocol: u8, first: u16, last: u16) -> Listener {
    Listener { protocol, ports: Some((first, last)) }
}

/// docs/datapath.md, section 5, word for word.
fn naive(listeners: &[Listener], protocol: u8, port: Option<u16>) -> bool {
    listeners.iter().filter(|listener| listener.protocol == protocol).any(|listener| match (listener.ports, port) {
        (None, _) | (Some(_), None) => true,
        (Some((first, last)), Some(port)) => (first..=last).contains(&port),
    })
}

/// The set of `listeners` in an interner that holds others too.
fn interned(interner: &mut Interner, listeners: &[Listener]) -> u32 {
    interner.intern(&compile(listeners).unwrap()).unwrap()
}

fn takes_in(interner: &Interner, set_index: u32, protocol: u8, port: Option<u16>) -> bool {
    takes(&interner.sets()[set_index as usize], interner.tables(), interner.pages(), protocol, port)
}

fn any_listener() -> impl Strategy<Value = Listener> {
    // Ports close to page borders, where an off-by-one would show.
    let port =
        prop_oneof![any::<u16>(), 250..260_u16, Just(0), Just(u16::MAX), (0..=255_u16).prop_map(|page| page << 8)];
    let with_ports = (prop_oneof![Just(TCP), Just(UDP), Just(SCTP)], port.clone(), port)
        .prop_map(|(protocol, a, b)| range(protocol, a.min(b), a.max(b)));
    prop_oneof![4 => with_ports, 1 => prop_oneof![Just(TCP), Just(UDP), any::<u8>()].prop_map(whole)]
}

fn any_listeners() -> impl Strategy<Value = Vec<Listener>> {
    proptest::collection::vec(any_listener(), 1..6)
}

proptest! {
    #[test]
    fn compiled_set_takes_what_the_list_says(
        vips in proptest::collection::vec(any_listeners(), 1..5),
        probes in proptest::collection::vec((any::<u8>(), any::<u16>()), 20),
    ) {
        let mut interner = Interner::new();
        let sets: Vec<u32> = vips.iter().map(|listeners| interned(&mut interner, listeners)).collect();
        for (listeners, set) in vips.iter().zip(sets) {
            prop_assert_ne!(set, 0);
            let edges = listeners.iter().filter_map(|listener| listener.ports).flat_map(|(first, last)| {
                [first.wrapping_sub(1), first, last, last.wrapping_add(1)]
            });
            for port in edges.chain(probes.iter().map(|(_, port)| *port)) {
                for protocol in [TCP, UDP, SCTP] {
                    let port = Some(port);
                    prop_assert_eq!(takes_in(&interner, set, protocol, port), naive(listeners, protocol, port), "{} {:?}", protocol, port);
                }
            }
            for protocol in 0..=u8::MAX {
                prop_assert_eq!(takes_in(&interner, set, protocol, None), naive(listeners, protocol, None), "{}", protocol);
            }
        }
    }

    #[test]
    fn order_and_repetition_change_nothing(listeners in any_listeners(), rotation: usize) {
        let mut other = listeners.clone();
        other.rotate_left(rotation % listeners.len());
        other.extend_from_slice(&listeners);
        prop_assert_eq!(compile(&listeners), compile(&other));
    }

    #[test]
    fn interning_more_keeps_what_was_handed_out(first in any_listeners(), second in any_listeners()) {
        let mut interner = Interner::new();
        let index = interned(&mut interner, &first);
        let before = interner.clone();
        let mut resumed = Interner::from_arrays(
            interner.sets().to_vec(), interner.tables().to_vec(), interner.pages().to_vec(),
        );
        interned(&mut interner, &second);
        prop_assert!(interner.sets().starts_with(before.sets()));
        prop_assert!(interner.tables().starts_with(before.tables()));
        prop_assert!(interner.pages().starts_with(before.pages()));
        prop_assert_eq!(interned(&mut interner, &first), index);
        // From the written arrays alone, nothing is made a second time either.
        prop_assert_eq!(interned(&mut resumed, &first), index);
        prop_assert_eq!(resumed.sets(), before.sets());
        prop_assert_eq!(resumed.pages(), before.pages());
        interned(&mut resumed, &second);
        prop_assert_eq!(resumed.sets(), interner.sets());
        prop_assert_eq!(resumed.tables(), interner.tables());
        prop_assert_eq!(resumed.pages(), interner.pages());
    }
}

#[test]
fn every_port_of_a_page_spanning_range_is_taken_and_no_other() {
    let mut interner = Interner::new();
    let set = interned(&mut interner, &[range(UDP, 300, 1100)]);
    for port in 0..=u16::MAX {
        assert_eq!(takes_in(&interner, set, UDP, Some(port)), (300..=1100).contains(&port), "{port}");
        assert!(!takes_in(&interner, set, TCP, Some(port)), "{port}");
    }
}

#[test]
fn fragment_is_taken_where_any_listener_has_its_protocol() {
    let mut interner = Interner::new();
    let set = interned(&mut interner, &[range(TCP, 80, 80), whole(UDP)]);
    assert!(takes_in(&interner, set, TCP, None));
    assert!(takes_in(&interner, set, UDP, None));
    assert!(!takes_in(&interner, set, SCTP, None));
    assert!(!takes_in(&interner, set, ICMP, None));
}

#[test]
fn vip_without_listeners_has_set_zero() {
    let mut interner = Interner::new();
    assert_eq!(interned(&mut interner, &[]), 0);
    assert_eq!(interner.sets(), [ListenerSet::default()]);
}

#[test]
fn zeroed_set_takes_nothing() {
    let interner = Interner::new();
    for protocol in 0..=u8::MAX {
        assert!(!takes_in(&interner, 0, protocol, None));
        assert!(!takes_in(&interner, 0, protocol, Some(80)));
    }
}

#[test]
fn same_listeners_share_set_table_and_pages() {
    let mut interner = Interner::new();
    let web = interned(&mut interner, &[range(TCP, 80, 80), range(TCP, 443, 443)]);
    assert_eq!(interned(&mut interner, &[range(TCP, 443, 443), range(TCP, 80, 80)]), web);
    assert_eq!((interner.sets().len(), interner.tables().len(), interner.pages().len()), (2, 2, 3));
    // QUIC beside it: another set of the same table.
    let quic =
        interned(&mut interner, &[range(TCP, 80, 80), range(TCP, 443, 443), range(UDP, 80, 80), range(UDP, 443, 443)]);
    assert_ne!(quic, web);
    assert_eq!((interner.sets().len(), interner.tables().len(), interner.pages().len()), (3, 2, 3));
    assert_eq!(interner.sets()[quic as usize].port_tables, [1, 1, 0]);
}

#[test]
fn all_ports_are_the_protocol_without_ports() {
    assert_eq!(compile(&[range(TCP, 0, 30_000), range(TCP, 30_001, u16::MAX)]), compile(&[whole(TCP)]));
    assert_eq!(compile(&[range(TCP, 80, 80), whole(TCP)]), compile(&[whole(TCP)]));
    assert_ne!(compile(&[range(TCP, 1, u16::MAX)]), compile(&[whole(TCP)]));
}

#[test]
fn ports_of_a_protocol_without_ports_are_refused() {
    assert_eq!(compile(&[range(ICMP, 8, 8)]), Err(ListenerError::NoPorts { protocol: ICMP }));
}

#[test]
fn reversed_range_is_refused() {
    assert_eq!(compile(&[range(TCP, 443, 80)]), Err(ListenerError::ReversedRange { first: 443, last: 80 }));
}

#[test]
fn more_pages_than_a_table_can_name_are_refused_and_change_nothing() {
    // Page 0 is reserved, so the 65,536th distinct page has no number left.
    let pages = (0..=u16::MAX).map(|number| PortPage { bits: [u64::from(number), 0, 0, 0] }).collect();
    let mut interner = Interner::from_arrays(Vec::new(), Vec::new(), pages);
    let sets = interner.sets().to_vec();
    assert_eq!(interner.intern(&compile(&[range(TCP, 255, 255)]).unwrap()), Err(ListenerError::TooManyPages));
    assert_eq!(interner.sets(), sets);
    assert_eq!(interner.pages().len(), 65_536);
    // Pages that are there still serve.
    assert_ne!(interner.intern(&compile(&[range(TCP, 0, 3)]).unwrap()), Ok(0));
}
