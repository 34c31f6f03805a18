//! `bpf_fib_lookup`, by the routes that the namespace of the oracle has.

use std::net::{IpAddr, Ipv6Addr};

use anyhow::{Result, bail};

use super::memory::Memory;
use crate::oracle::place::{self, MTU_BYTES, Way};

/// `BPF_FIB_LKUP_RET_*` (include/uapi/linux/bpf.h).
const SUCCESS: u64 = 0;
const BLACKHOLE: u64 = 1;
const NOT_FORWARDED: u64 = 4;
const NO_NEIGHBOUR: u64 = 7;
const FRAGMENTATION_NEEDED: u64 = 8;

/// Offsets in `struct bpf_fib_lookup`, and its length.
const PARAMETERS_BYTES: usize = 64;
const LENGTH_AT: u64 = 6;
const IFINDEX_AT: u64 = 8;
const SOURCE_MAC_AT: u64 = 52;
const DESTINATION_MAC_AT: u64 = 58;

/// Fills the parameters at this address.
pub(super) fn look_up(memory: &mut Memory, at: u64) -> Result<u64> {
    let parameters = memory.bytes(at, PARAMETERS_BYTES)?;
    let address = |at: usize| -> Result<IpAddr> {
        let mut octets = [0; 16];
        octets.copy_from_slice(&parameters[at..at + 16]);
        let [a, b, c, d, ..] = octets;
        Ok(match parameters[0] {
            2 => [a, b, c, d].into(),
            10 => octets.into(),
            other => bail!("bpf_fib_lookup for family {other}"),
        })
    };
    let (source, destination) = (address(16)?, address(32)?);
    let length = u16::from_le_bytes([parameters[6], parameters[7]]);
    if is_of_link(source) || is_of_link(destination) {
        return Ok(NOT_FORWARDED);
    }
    let (ifindex, mtu_bytes, is_resolved) = match place::route(destination) {
        None => return Ok(NOT_FORWARDED),
        Some(Way::Blackhole) => return Ok(BLACKHOLE),
        Some(Way::To { ifindex, mtu_bytes }) => (ifindex, mtu_bytes, true),
        Some(Way::Unresolved { ifindex }) => (ifindex, MTU_BYTES, false),
    };
    if length > mtu_bytes {
        memory.store(at + LENGTH_AT, 2, mtu_bytes.into())?;
        return Ok(FRAGMENTATION_NEEDED);
    }
    memory.store(at + IFINDEX_AT, 4, ifindex.into())?;
    if !is_resolved {
        return Ok(NO_NEIGHBOUR);
    }
    let macs = [(SOURCE_MAC_AT, place::mac_of(ifindex)), (DESTINATION_MAC_AT, Some(place::neighbour(ifindex)))];
    for (offset, mac) in macs {
        for (octet, byte) in (0..).zip(mac.unwrap_or_default()) {
            memory.store(at + offset + octet, 1, byte.into())?;
        }
    }
    Ok(SUCCESS)
}

fn is_of_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => {
            address.is_multicast() || address.is_unicast_link_local() || address == Ipv6Addr::LOCALHOST
        }
    }
}
