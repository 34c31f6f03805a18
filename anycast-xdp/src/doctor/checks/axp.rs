//! What a PoP host itself sends to VIPs: routes of VIPs lead to `axp0`, and answers come in by other interfaces.

use super::{
    super::{Place, Severity::Error, facts::sysctls::set},
    Answer, Case, Check, Concerns,
    gateway::{LOOSE, STRICT},
    interfaces::present,
};
use crate::{dataplane::axp::Axp, desired::Interface};

pub(super) const CHECKS: [Check; 1] = [Check {
    code: "axp_rp_filter",
    severities: &[Error],
    concerns: Concerns::Pops,
    finds: "a strict reverse-path filter on an access or backbone interface of a host that probes or publishes: it drops the answers of VIPs to this host, because the routes of VIPs lead to `axp0`",
    run: axp_rp_filter,
}];

/// IPv6 has no such filter of its own.
fn axp_rp_filter(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Some(axp) = Axp::of(&case.config.local) else { return };
    if !case.config.services.vips.iter().any(|vip| vip.address.is_ipv4()) {
        return;
    }
    for (Interface { name, .. }, _) in present(case) {
        match case.facts.sysctls.effective(name, "rp_filter") {
            Err(reason) => answer.skip(Place::interface(name), reason),
            Ok(STRICT) => answer.error(
                Place::interface(name),
                format!(
                    "the reverse-path filter of `{name}` is strict, and the routes of VIPs lead to `{}`: answers of VIPs to this host are dropped, those to its probes among them",
                    axp.host_side
                ),
                format!("{}, and the same in /etc/sysctl.d", set(name, "rp_filter", LOOSE)),
            ),
            Ok(_) => {}
        }
    }
}
