//! What is published.

use std::{collections::BTreeMap, fmt};

use crate::{
    metrics::{
        catalogue::{
            PUBLISHING_CHANGES, PUBLISHING_DRAINING, PUBLISHING_INTERFACE_UP, PUBLISHING_PREFIX, PUBLISHING_PREFIXES,
            PUBLISHING_RESTORED, PUBLISHING_VIPS, PUBLISHING_WITHHELD,
        },
        reading::Reading,
        writer::Writer,
    },
    publish::report::OfferState,
};

pub fn publishing(writer: &mut Writer<'_>, reading: &Reading) -> fmt::Result {
    let publishing = &reading.publishing;
    let Some(interface) = &publishing.interface else { return Ok(()) };
    let counts = &publishing.counts;
    let by_state = |counts: [u64; 3]| OfferState::ALL.into_iter().zip(counts);
    writer.gauges(&PUBLISHING_VIPS, by_state(counts.vips).map(|(state, count)| ([state.label().into()], count)))?;
    let prefixes = by_state(counts.prefixes).map(|(state, count)| ([state.label().into()], count));
    writer.gauges(&PUBLISHING_PREFIXES, prefixes)?;
    let prefixes = publishing.prefixes.iter().map(|prefix| {
        let is_published = prefix.state == OfferState::Published;
        ([prefix.name.as_str().into()], u32::from(is_published))
    });
    writer.gauges(&PUBLISHING_PREFIX, prefixes)?;
    let mut withheld = BTreeMap::<&str, u64>::new();
    for vip in publishing.vips.iter().filter(|vip| vip.state == OfferState::Withdrawn) {
        *withheld.entry(vip.reason.as_deref().unwrap_or_default()).or_default() += 1;
    }
    writer.gauges(&PUBLISHING_WITHHELD, withheld.into_iter().map(|(reason, count)| ([reason.into()], count)))?;
    let drains = [("host", publishing.drain.host), ("pop", publishing.drain.pop)];
    writer.gauges(&PUBLISHING_DRAINING, drains.map(|(scope, drains)| ([scope.into()], u32::from(drains))))?;
    let up = ([interface.as_str().into()], u32::from(publishing.interface_is_up));
    writer.gauges(&PUBLISHING_INTERFACE_UP, [up])?;
    writer.counter(&PUBLISHING_CHANGES, counts.route_changes)?;
    writer.counter(&PUBLISHING_RESTORED, counts.routes_restored)
}
