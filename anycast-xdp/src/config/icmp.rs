//! Reads `[icmp]`.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    findings::Findings, local::belongs_to, place::Located, schema::fields::icmp as fields, table::Table,
    types::RoleName,
};
use crate::desired::Icmp;

/// `[icmp]`
#[derive(Default)]
pub(super) struct IcmpDraft {
    pub(super) source_ipv4: Option<Located<Ipv4Addr>>,
    pub(super) source_ipv6: Option<Located<Ipv6Addr>>,
    rates_pps: Option<(u32, u32)>,
}

/// The section, or what a file without one means.
pub(super) fn read(root: &Table<'_>, role: Option<RoleName>, findings: &mut Findings<'_>) -> IcmpDraft {
    let is_given = root.place_of(&fields::SECTION).is_some();
    let section = (belongs_to(root, role, &fields::SECTION, findings) && is_given)
        .then(|| root.section(&fields::SECTION, findings))
        .flatten();
    let Some(section) = section else {
        let Icmp { echo_rate_pps, error_rate_pps, .. } = Icmp::default();
        return IcmpDraft { rates_pps: Some((echo_rate_pps, error_rate_pps)), ..IcmpDraft::default() };
    };
    let source_ipv4 = section.read(&fields::SOURCE_IPV4, findings);
    let source_ipv6 = section.read(&fields::SOURCE_IPV6, findings);
    let echo = section.read(&fields::ECHO_RATE_PPS, findings);
    let errors = section.read(&fields::ERROR_RATE_PPS, findings);
    let rates_pps = echo.zip(errors).map(|(echo, errors)| (echo.value.0, errors.value.0));
    IcmpDraft { source_ipv4, source_ipv6, rates_pps }
}

impl IcmpDraft {
    /// The desired form; `None` only if something was refused.
    pub(super) fn finish(self) -> Option<Icmp> {
        let (echo_rate_pps, error_rate_pps) = self.rates_pps?;
        Some(Icmp {
            source_ipv4: self.source_ipv4.map(|source| source.value),
            source_ipv6: self.source_ipv6.map(|source| source.value),
            echo_rate_pps,
            error_rate_pps,
        })
    }
}
