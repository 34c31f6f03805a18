//! Prefixes can be announced, and every VIP is in one.

use std::collections::HashSet;

use ipnet::IpNet;

use crate::config::{
    findings::{Findings, Problem},
    place::Located,
    services::{Home, PrefixDraft, ServicesDraft, VipDraft},
    types::Name,
};

/// Longest prefixes that the Internet takes.
const fn prefix_len_max(prefix: &IpNet) -> u8 {
    match prefix {
        IpNet::V4(_) => 24,
        IpNet::V6(_) => 48,
    }
}

pub(super) fn check(services: &ServicesDraft, findings: &mut Findings<'_>) {
    let mut sorted: Vec<_> =
        services.prefixes.iter().filter_map(|draft| Some((draft, draft.prefix.as_ref()?))).collect();
    for (_, prefix) in &sorted {
        let most = prefix_len_max(&prefix.value);
        if prefix.value.prefix_len() > most {
            let what = format!("`{}` is longer than /{most}: not every network takes it", prefix.value);
            let help = format!("write the prefix that is announced, \"{}\" for one", shortened(prefix.value, most));
            findings.refuse(&prefix.place, Problem::new(what, help));
        }
    }
    sorted.sort_by_key(|(_, prefix)| prefix.value);
    for pair in sorted.windows(2) {
        let [(_, shorter), (_, longer)] = pair else { continue };
        if shorter.value.contains(&longer.value) {
            let what = format!("`{}` overlaps {}{}", longer.value, shorter.place.path(), findings.line(&shorter.place));
            findings.refuse(&longer.place, Problem::new(what, "keep one of the two: a VIP is in one prefix"));
        }
    }
    if services.home == Home::HostFile && services.prefixes.is_empty() {
        return;
    }
    for vip in &services.vips {
        let Some(address) = &vip.address else { continue };
        if let Some(prefix) = prefix_of(&sorted, address.value) {
            is_published(vip, prefix, findings);
        } else {
            let what = format!("`{}` is in no prefix", address.value);
            let help = "give it an address of a prefix, or create the prefix first";
            findings.refuse(&address.place, Problem::new(what, help));
        }
    }
}

fn shortened(prefix: IpNet, bits: u8) -> String {
    IpNet::new(prefix.addr(), bits).map_or_else(|_| prefix.to_string(), |short| short.trunc().to_string())
}

/// Prefixes that do not overlap: the last that begins at or before the address is the only one that can have it.
fn prefix_of<'a>(
    sorted: &[(&'a PrefixDraft, &'a Located<IpNet>)],
    address: std::net::IpAddr,
) -> Option<&'a PrefixDraft> {
    let after = sorted.partition_point(|(_, prefix)| prefix.value.network() <= address);
    let (draft, prefix) = sorted.get(after.checked_sub(1)?)?;
    prefix.value.contains(&address).then_some(*draft)
}

/// A VIP is taken only where its prefix is announced.
fn is_published(vip: &VipDraft, prefix: &PrefixDraft, findings: &mut Findings<'_>) {
    let (Some(wanted), Some(announced)) = (&vip.publish, &prefix.publish) else { return };
    let announced: HashSet<&Name> = announced.iter().map(|pop| &pop.value).collect();
    for pop in wanted.iter().filter(|pop| !announced.contains(&pop.value)) {
        let place = &prefix.place;
        let what = format!("`{}` does not announce {}{}", pop.value, place.path(), findings.line(place));
        let help = format!("add \"{}\" to `publish` of the prefix first, or remove it here", pop.value);
        findings.refuse(&pop.place, Problem::new(what, help));
    }
}
