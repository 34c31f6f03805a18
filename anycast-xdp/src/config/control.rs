//! Reads `[store]`, `[api]` and `[metrics]`.

use super::{findings::Findings, schema::fields, table::Table};
use crate::desired::{ControlFacts, MetricsFacts};

pub(super) fn read(root: &Table<'_>, findings: &mut Findings<'_>) -> ControlFacts {
    let mut facts = ControlFacts::default();
    if let Some(store) = root.section(&fields::store::SECTION, findings) {
        facts.store_path = store.read(&fields::store::PATH, findings).map(|path| path.value.0);
        if let Some(revisions) = store.read(&fields::store::REVISIONS, findings) {
            facts.revisions = revisions.value.0;
        }
    }
    if let Some(api) = root.section(&fields::api::SECTION, findings) {
        facts.api_group = api.read(&fields::api::GROUP, findings).map(|group| group.value.0);
    }
    if let Some(metrics) = root.section(&fields::metrics::SECTION, findings) {
        let listen = metrics.read(&fields::metrics::LISTEN, findings);
        let top_vips = metrics.read(&fields::metrics::TOP_VIPS, findings);
        facts.metrics = listen
            .zip(top_vips)
            .map(|(listen, top_vips)| MetricsFacts { listen: listen.value, top_vips: top_vips.value.0 });
    }
    facts
}
