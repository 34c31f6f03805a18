//! What the program needs to answer by itself: rates and own addresses, in the one entry of `HOST`. Both change while
//! packets flow.

use std::{
    mem::offset_of,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use anycast_common::map::{HostEntry, ICMP_SOURCE_WORDS, IcmpRates};
use anyhow::Result;

use super::{array::Array, tables::Dataplane};
use crate::desired::Icmp;

/// The addresses that are not given are found among those of an interface: the first global one of each family, as the
/// kernel lists them.
#[must_use]
pub fn resolve(icmp: &Icmp, of_interface: &[IpAddr]) -> Icmp {
    let v4 = of_interface.iter().find_map(|address| match address {
        IpAddr::V4(address) if !address.is_loopback() && !address.is_link_local() => Some(*address),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    });
    let v6 = of_interface.iter().find_map(|address| match address {
        IpAddr::V6(address) if !address.is_loopback() && !address.is_unicast_link_local() => Some(*address),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    });
    Icmp { source_ipv4: icmp.source_ipv4.or(v4), source_ipv6: icmp.source_ipv6.or(v6), ..*icmp }
}

/// Makes the program answer as `icmp` says, from its addresses only.
///
/// # Errors
///
/// A refused system call.
pub fn switch<D: Dataplane>(dataplane: &mut D, icmp: &Icmp) -> Result<()> {
    let rates = IcmpRates { echo_pps: icmp.echo_rate_pps, errors_pps: icmp.error_rate_pps }.to_cell();
    let host = &mut dataplane.arrays().host;
    if host.get(0).icmp_rates != rates {
        host.store_cell(0, offset_of!(HostEntry, icmp_rates), rates);
    }
    if sources(&host.get(0)) == (icmp.source_ipv4, icmp.source_ipv6) {
        return Ok(());
    }
    // Programs that began before the last change may still read the set that is not named now.
    dataplane.wait_for_readers()?;
    let host = &mut dataplane.arrays().host;
    let next = if host.get(0).icmp_source == 1 { 2 } else { 1 };
    write_set(host, next - 1, words(icmp));
    host.store_cell(0, offset_of!(HostEntry, icmp_source), next as u64);
    Ok(())
}

/// What the program answers with now.
#[must_use]
pub fn current(host: &HostEntry) -> Icmp {
    let rates = IcmpRates::from_cell(host.icmp_rates);
    let (source_ipv4, source_ipv6) = sources(host);
    Icmp { source_ipv4, source_ipv6, echo_rate_pps: rates.echo_pps, error_rate_pps: rates.errors_pps }
}

fn write_set(host: &mut Array<HostEntry>, set: usize, words: [u64; ICMP_SOURCE_WORDS]) {
    let begin = offset_of!(HostEntry, icmp_sources) + set * size_of::<[u64; ICMP_SOURCE_WORDS]>();
    for (at, word) in words.into_iter().enumerate() {
        host.store_cell(0, begin + at * size_of::<u64>(), word);
    }
}

fn words(icmp: &Icmp) -> [u64; ICMP_SOURCE_WORDS] {
    let mut bytes = [0; ICMP_SOURCE_WORDS * 8];
    bytes[..4].copy_from_slice(&icmp.source_ipv4.map_or([0; 4], |address| address.octets()));
    bytes[8..].copy_from_slice(&icmp.source_ipv6.map_or([0; 16], |address| address.octets()));
    std::array::from_fn(|word| u64::from_ne_bytes(std::array::from_fn(|byte| bytes[word * 8 + byte])))
}

fn sources(host: &HostEntry) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
    let set = usize::try_from(host.icmp_source).ok().and_then(|set| host.icmp_sources.get(set.checked_sub(1)?));
    let Some(words) = set else {
        return (None, None);
    };
    let bytes: [[u8; 8]; ICMP_SOURCE_WORDS] = words.map(u64::to_ne_bytes);
    let bytes = bytes.as_flattened();
    let v4: [u8; 4] = std::array::from_fn(|byte| bytes[byte]);
    let v6: [u8; 16] = std::array::from_fn(|byte| bytes[8 + byte]);
    ((v4 != [0; 4]).then(|| v4.into()), (v6 != [0; 16]).then(|| v6.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dataplane::tables::Memory, desired::Limits};

    fn icmp(v4: Option<&str>, v6: Option<&str>) -> Icmp {
        let parsed = |text: &str| text.parse().expect("an address");
        Icmp {
            source_ipv4: v4.map(parsed),
            source_ipv6: v6.map(|text| text.parse().expect("an address")),
            ..Icmp::default()
        }
    }

    #[test]
    fn each_change_reads_back_and_spares_the_set_that_programs_may_read() {
        let mut memory = Memory::new(&Limits { slots: 4096, ..Limits::default() }).expect("memory");
        assert_eq!(
            current(&memory.arrays().host.get(0)),
            Icmp { echo_rate_pps: 0, error_rate_pps: 0, ..Icmp::default() }
        );
        let wishes = [
            icmp(Some("10.2.0.2"), Some("fd00:2::2")),
            icmp(None, Some("fd00:2::3")),
            Icmp { echo_rate_pps: 7, ..icmp(Some("10.2.0.3"), None) },
            icmp(None, None),
        ];
        for wish in wishes {
            let before = memory.arrays().host.get(0);
            switch(&mut memory, &wish).expect("switch");
            let after = memory.arrays().host.get(0);
            assert_eq!(current(&after), wish);
            if before.icmp_source != 0 {
                let used = before.icmp_source as usize - 1;
                assert_eq!(after.icmp_sources[used], before.icmp_sources[used]);
            }
        }
    }

    #[test]
    fn sources_that_are_not_given_are_the_first_global_ones() {
        let found = ["169.254.0.1", "10.2.0.2", "10.2.0.3", "fe80::1", "fd00:2::2"]
            .map(|text| text.parse().expect("an address"));
        assert_eq!(resolve(&icmp(None, None), &found), icmp(Some("10.2.0.2"), Some("fd00:2::2")));
        assert_eq!(resolve(&icmp(Some("192.0.2.1"), None), &found), icmp(Some("192.0.2.1"), Some("fd00:2::2")));
        assert_eq!(resolve(&icmp(None, None), &[]), icmp(None, None));
    }
}
