//! What one run of the program did: to the packet, and to counters.

use anycast_common::outcome::{Class, Outcome};

use super::{super::super::second_copy::Verdict, steps::Steps};
use crate::{
    explain::{Frame, changes, headers},
    view::{Count, ExplainedCount},
};

/// The headers around the inner packet, and what was changed within.
pub(super) fn rewritten(
    given: &Frame,
    verdict: &Verdict,
    unwraps: bool,
) -> (Vec<headers::HeaderField>, Vec<changes::Change>) {
    let before = headers::decode(&given.bytes, false);
    let given_ip = given.bytes.get(before.ip_at..).unwrap_or_default();
    match verdict.outcome.class() {
        Class::Forwarded if unwraps || verdict.outcome == Outcome::Decapsulated => {
            let around = headers::decode(&given.bytes, true);
            let after = headers::decode(&verdict.frame, false);
            let inner = around.inner_at.and_then(|at| given.bytes.get(at..)).unwrap_or_default();
            let changes = changes::between(inner, verdict.frame.get(after.ip_at..).unwrap_or_default());
            (around.fields, changes)
        }
        Class::Forwarded => {
            let around = headers::decode(&verdict.frame, true);
            let inner = around.inner_at.and_then(|at| verdict.frame.get(at..)).unwrap_or_default();
            (around.fields, changes::between(given_ip, inner))
        }
        Class::Answered => (headers::decode(&verdict.frame, false).fields, Vec::new()),
        Class::Passed | Class::Dropped => (Vec::new(), Vec::new()),
    }
}

/// What it would have added to which counter.
pub(super) fn counted(steps: &Steps<'_>, verdict: &Verdict) -> Vec<ExplainedCount> {
    let counted = verdict.counted;
    let vip = || steps.vip().map(|vip| vip.name);
    let rows = [
        counted.outcome.map(|(outcome, count)| ("outcome", None, outcome.label(), count)),
        counted.vip.map(|(class, count)| ("vip", vip(), class.label(), count)),
        counted.returned.map(|count| ("vip", vip(), Outcome::Returned.label(), count)),
        counted.vip_drop.map(|count| ("vip_reason", vip(), verdict.outcome.label(), count)),
        counted.backend.map(|count| {
            let name = steps.backend().map(|backend| backend.address.to_string());
            ("backend", name, Class::Forwarded.label(), count)
        }),
    ];
    let row = |(of, name, label, count): (_, _, &str, _)| ExplainedCount {
        of,
        name,
        label: label.to_owned(),
        added: Count(count),
    };
    rows.into_iter().flatten().map(row).collect()
}
