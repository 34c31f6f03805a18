//! The kernel's tables of answers' ways back do what those in memory do.

use std::collections::{BTreeMap, BTreeSet};

use anycast_common::{
    map::{Counter, DROP_OF_RETURN, ReturnKey, ReturnPath, ReturnerKey, VipDropKey, tunnel_key, v4_mapped},
    outcome::Outcome,
};
use anycast_tests::require_root;
use anycast_xdp::{
    dataplane::{
        keyed::SourceKey,
        loader,
        tables::{Dataplane as _, Raw, on_every_cpu},
    },
    desired::Limits,
};

#[test]
fn keys_are_replaced_and_read_back() {
    require_root!();
    let mut loaded = loader::load(None, &Limits::default(), None).unwrap();
    let keyed = loaded.kernel.keyed();
    let key = |at| tunnel_key(4, v4_mapped(at));
    // One within the other.
    let source = |bits: u32| SourceKey { bits: 32 + 96 + bits, key: key([10, 1, 0, 0]) };
    for sources in [vec![(24, 1), (30, 2)], vec![(30, 0), (24, 7)], vec![(30, 3)], vec![]] {
        let wanted: BTreeMap<_, _> = sources.into_iter().map(|(bits, index)| (source(bits), index)).collect();
        keyed.sources.replace(&wanted).unwrap();
        assert_eq!(keyed.sources.entries().unwrap(), wanted);
    }
    let returner = |at| ReturnerKey { pool_index: 3, gateway: key(at) };
    for hosts in [vec![1, 2], vec![2, 3], vec![]] {
        let wanted: BTreeMap<_, _> =
            hosts.iter().map(|host| (returner([10, 4, 0, *host]), u64::from(*host) << 32 | 2)).collect();
        keyed.returners.replace(&wanted).unwrap();
        assert_eq!(keyed.returners.entries().unwrap(), wanted);
        let wanted: BTreeMap<_, _> = hosts.iter().map(|host| (key([10, 4, 0, *host]), u32::from(*host))).collect();
        keyed.tunnels.replace(&wanted).unwrap();
        assert_eq!(keyed.tunnels.entries().unwrap(), wanted);
        let wanted: BTreeMap<_, _> = hosts.iter().map(|host| ([0, 0, 0, *host], u32::from(*host))).collect();
        keyed.gre_keys.replace(&wanted).unwrap();
        assert_eq!(keyed.gre_keys.entries().unwrap(), wanted);
        let wanted: BTreeMap<_, _> = hosts.iter().map(|host| (u32::from(*host), 9)).collect();
        keyed.public_links.replace(&wanted).unwrap();
        assert_eq!(keyed.public_links.entries().unwrap(), wanted);
    }
}

#[test]
fn stale_paths_are_forgotten_and_no_others() {
    require_root!();
    let limits = Limits { return_clients: 65_536, ..Limits::default() };
    let mut loaded = loader::load(None, &limits, None).unwrap();
    for client in 0..10_000_u32 {
        let [_, _, a, b] = client.to_be_bytes();
        let key = ReturnKey { client: v4_mapped([198, 51, a, b]), vip_index: client % 3, reserved: 0 };
        let path = ReturnPath { peer_index: client % 5, ..ReturnPath::default() };
        loaded.kernel.remember_path(key, path).unwrap();
    }
    let count = |kernel: &mut anycast_xdp::dataplane::tables::Kernel, stale: fn(&ReturnKey, ReturnPath) -> bool| {
        let seen = std::cell::Cell::new(0);
        let some = kernel
            .forget_paths(&|key, path| {
                seen.set(seen.get() + 1);
                stale(key, path)
            })
            .unwrap();
        (seen.get(), some)
    };
    assert_eq!(count(&mut loaded.kernel, |_, path| path.peer_index == 4), (10_000, true));
    assert_eq!(count(&mut loaded.kernel, |key, _| key.vip_index == 1), (8000, true));
    let (left, some) = count(&mut loaded.kernel, |key, path| key.vip_index == 1 || path.peer_index == 4);
    assert!((5330..5340).contains(&left) && !some, "{left}");
}

#[test]
fn counters_of_answers_begin_anew_with_their_vip() {
    require_root!();
    let mut loaded = loader::load(None, &Limits::default(), None).unwrap();
    let counters = &mut loaded.kernel.counters;
    let one = || on_every_cpu(Raw(Counter { packets: 1, bytes: 100 })).unwrap();
    let key = |vip_index| Raw(VipDropKey { vip_index, outcome: Outcome::NoReturnRoute as u32 | DROP_OF_RETURN });
    for index in [2, 3] {
        counters.returns.set(index, one(), 0).unwrap();
        counters.vip_drops.insert(key(index), one(), 0).unwrap();
    }
    loaded.kernel.reset_vip_counters(&BTreeSet::from([2])).unwrap();
    let counters = &loaded.kernel.counters;
    let packets = |index: u32| counters.returns.get(&index, 0).unwrap().iter().map(|one| one.0.packets).sum::<u64>();
    assert_eq!((packets(2), packets(3) > 0), (0, true));
    assert!(counters.vip_drops.get(&key(2), 0).is_err() && counters.vip_drops.get(&key(3), 0).is_ok());
}
