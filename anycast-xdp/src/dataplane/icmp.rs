//! What the program needs to answer by itself: rates and own addresses, in the one entry of `HOST`. Both change while
//! packets flow.

use std::{mem::offset_of, net::IpAddr};

use anycast_common::map::{HostEntry, IcmpRates};
use anyhow::Result;

use super::{
    own_addresses::{ICMP_SOURCES, Own},
    tables::Dataplane,
};
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
    ICMP_SOURCES.switch(dataplane, Own { ipv4: icmp.source_ipv4, ipv6: icmp.source_ipv6 })
}

/// What the program answers with now.
#[must_use]
pub fn current(host: &HostEntry) -> Icmp {
    let rates = IcmpRates::from_cell(host.icmp_rates);
    let Own { ipv4: source_ipv4, ipv6: source_ipv6 } = ICMP_SOURCES.current(host);
    Icmp { source_ipv4, source_ipv6, echo_rate_pps: rates.echo_pps, error_rate_pps: rates.errors_pps }
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
    fn each_change_reads_back() {
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
            switch(&mut memory, &wish).expect("switch");
            assert_eq!(current(&memory.arrays().host.get(0)), wish);
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
