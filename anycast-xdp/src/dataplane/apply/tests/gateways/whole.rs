//! What a key or a path names is whole, and what it was when it was named: in every state of a change.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};

use anycast_common::map::{BackendRoute, ENCAP_IPIP, NextHop, ReturnKey, ReturnPath, v4_mapped};
use ipnet::IpNet;

use super::{
    configs::{ADDRESSES, SOURCES, address, prefix},
    maps::{peer, tunnel},
};
use crate::{
    dataplane::{
        apply::{
            reach::tunnel_address,
            tests::{
                instance::{Instance, Run, macs_toward},
                lookup,
            },
        },
        tables::{Arrays, Dataplane as _, Memory, journal::Event, mapped},
    },
    desired::Config,
};

/// What each client's path named when it was remembered: the source's prefix, and the tunnel address.
pub type Remembered = BTreeMap<ReturnKey, (IpNet, IpAddr)>;

/// Starts a daemon and looks at every state: what a key or a path names is whole, and what it was when it was named.
pub fn start_and_watch(instance: &mut Instance, config: &Config, remembered: &Remembered) -> Run {
    let mut run = instance.start(config);
    let mut shadow = run.before.copy(&config.local.limits);
    instance.lingering.extend(lookup::reachable(&mut shadow));
    for event in &run.events {
        if let Event::Write { table, index, .. } = event {
            assert!(!instance.lingering.contains(&(*table, *index)), "{event:?} where a program may be reading");
        }
        shadow.replay(event, |_| ());
        match event {
            Event::Grace => instance.lingering = lookup::reachable(&mut shadow),
            Event::Write { .. } | Event::Device(..) => {}
            Event::Store { .. } | Event::Insert(..) | Event::Remove(_) | Event::Key(_) | Event::Paths(_) => {
                instance.lingering.extend(lookup::reachable(&mut shadow));
            }
        }
        assert_whole(&mut shadow, remembered, event);
    }
    run
}

/// Everything that a key or a path names now.
pub fn assert_whole(memory: &mut Memory, remembered: &Remembered, event: &Event) {
    for (key, index) in memory.keyed().sources.entries().expect("memory") {
        if index != 0 {
            let at: [u8; 16] = std::array::from_fn(|byte| key.key[4 + byte]);
            let source = match key.key[3] {
                4 => IpNet::new([at[12], at[13], at[14], at[15]].into(), (key.bits - 128) as u8),
                _ => IpNet::new(Ipv6Addr::from(at).into(), (key.bits - 32) as u8),
            };
            let source = source.expect("a prefix");
            assert!(leads_to(memory.arrays(), index, source), "{source} leads elsewhere after {event:?}");
        }
    }
    for (key, index) in memory.keyed().tunnels.entries().expect("memory") {
        assert_eq!(memory.arrays().tunnel_addresses.get(index)[..], key[4..], "after {event:?}");
    }
    for (key, index) in memory.keyed().gre_keys.entries().expect("memory") {
        let cell = memory.arrays().gre_key_list.get(index).to_ne_bytes();
        assert_eq!(([cell[0], cell[1], cell[2], cell[3]], &cell[4..]), (key, &[0; 4][..]), "after {event:?}");
    }
    let paths: Vec<_> = memory.paths.iter().map(|(key, path)| (*key, ReturnPath::from_cell(*path))).collect();
    for (client, path) in paths {
        let (source, tunnel) = remembered[&client];
        assert!(
            leads_to(memory.arrays(), path.peer_index, source),
            "{source} of a path leads elsewhere after {event:?}"
        );
        let found = memory.arrays().tunnel_addresses.get(path.tunnel_index.into());
        assert_eq!(found, mapped(tunnel), "of a path after {event:?}");
    }
}

/// Is this the whole way to the host of a prefix?
fn leads_to(arrays: &mut Arrays, index: u32, source: IpNet) -> bool {
    let entry = arrays.backends.get(index);
    let route = BackendRoute::from_cell(entry.route);
    let group = arrays.groups.get(route.group_index);
    let macs = macs_toward(source.network());
    let hops = group.members.into_iter().filter(|member| *member != 0);
    let hops: Vec<_> = hops.map(|member| NextHop::from_cell(arrays.next_hops.get(member.into())).mac).collect();
    let varying = source.max_prefix_len() - source.prefix_len();
    tunnel_address(&entry) == Some(source.network())
        && entry.encap == ENCAP_IPIP
        && u32::from(u16::from_be_bytes(entry.source_mask)) == (1 << varying) - 1
        && !hops.is_empty()
        && hops.iter().all(|mac| macs.contains(mac))
}

/// A client comes by each host to each tunnel address of its family, as the program remembers it.
pub fn remember_clients(memory: &mut Memory, remembered: &mut Remembered) {
    for (client, source) in SOURCES.iter().enumerate() {
        for (at, to) in ADDRESSES.iter().enumerate() {
            let (source_prefix, to_address) = (prefix(source), address(to));
            let Some((peer_index, tunnel_index)) = peer(memory, source).zip(tunnel(memory, to)) else { continue };
            if peer_index == 0 || source_prefix.addr().is_ipv4() != to_address.is_ipv4() {
                continue;
            }
            let key = ReturnKey { client: v4_mapped([198, 51, client as u8, at as u8]), vip_index: 1, reserved: 0 };
            let path = ReturnPath { peer_index, tunnel_index: tunnel_index as u8, ..ReturnPath::default() };
            memory.paths.insert(key, path.to_cell());
            remembered.insert(key, (source_prefix, to_address));
        }
    }
}
