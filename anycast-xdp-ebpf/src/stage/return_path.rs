//! On a gateway: which PoP host a client's packets come by, and answers go back to.

use anycast_common::map::{RETURN_IDLE, RETURN_REFRESH, ReturnPath, SOURCE_FAMILY_BITS};
use aya_ebpf::{helpers::bpf_jiffies64, maps::lpm_trie::Key};

use super::{decap::Outer, ip::Ip, tunnel::Tunnel};
use crate::maps::{self, Tunnels, returns::Client};

/// The PoP host that tunnels from this address come from; 0: nobody answers to it. `None`: it is not allowed.
#[inline(always)]
pub fn allowed<O: Ip>(source: O::Address) -> Option<u32> {
    maps::SOURCES.get(Key::new(SOURCE_FAMILY_BITS + 128, O::with_family(source))).copied()
}

/// Remembers the way that a client's packet came, where it is another than its last one's or that was long ago. Gives the
/// PoP host, `None` if the source is not allowed: a way that is remembered was, and need not be looked up once more.
#[inline(always)]
pub fn remember<O: Ip>(
    outer: &Outer<O>,
    tunnel: &Tunnel,
    client: [u64; 2],
    vip_index: u32,
    tunnels: Tunnels,
) -> Option<u32> {
    let client = Client::new(client, vip_index);
    let source = outer.header.source;
    let now = now(tunnels);
    let came = ReturnPath {
        peer_index: 0,
        source_end: O::end(source),
        encap: tunnel.encap,
        tunnel_index: outer.tunnel_index as u8,
        key_index: tunnel.key_index,
        seen: now,
    };
    let known = maps::returns::return_path(&client);
    if let Some((cell, at)) = known {
        let peer_index = ReturnPath::from_cell(cell).peer_index;
        let same = ReturnPath { peer_index, ..came }.to_cell();
        if ReturnPath::is_same(cell, same) && is_of_peer::<O>(source, peer_index) {
            if ReturnPath::age(cell, now) >= RETURN_REFRESH {
                maps::returns::set_return_path(at, same);
            }
            return Some(peer_index);
        }
    }
    let peer_index = allowed::<O>(source)?;
    if peer_index != 0 {
        let cell = ReturnPath { peer_index, ..came }.to_cell();
        match known {
            Some((_, at)) => maps::returns::set_return_path(at, cell),
            None => maps::returns::insert_return_path(&client, cell),
        }
    }
    Some(peer_index)
}

/// The way back to a client, if it is known and not too old.
#[inline(always)]
pub fn recall(client: [u64; 2], vip_index: u32, tunnels: Tunnels) -> Option<ReturnPath> {
    let (cell, _) = maps::returns::return_path(&Client::new(client, vip_index))?;
    (ReturnPath::age(cell, now(tunnels)) < RETURN_IDLE).then_some(ReturnPath::from_cell(cell))
}

/// Is the address one of the peer's? Its entry is cleared when it is allowed no more.
#[inline(always)]
fn is_of_peer<O: Ip>(source: O::Address, peer_index: u32) -> bool {
    let Some(peer) = maps::backend(peer_index) else {
        return false;
    };
    let [varying]: [u16; 1] = maps::half_words(&peer.source_mask);
    peer.family == O::FAMILY && O::with_end(source, O::end(source) & !varying) == O::destination_of(peer)
}

/// The time, as paths have it.
#[inline(always)]
fn now(tunnels: Tunnels) -> u16 {
    // SAFETY: a helper without arguments.
    ReturnPath::seen_at(tunnels.policy().now_ns(unsafe { bpf_jiffies64() }))
}
