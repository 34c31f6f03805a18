//! The reconciler, the store and the API.

use std::fmt;

use crate::metrics::{
    catalogue::{
        API, RECONCILER_APPLIED, RECONCILER_DRIFT, RECONCILER_DURATION, RECONCILER_FAILING, RECONCILER_FAILURES,
        RECONCILER_REVISION, STORE_COMMIT, STORE_FAILURES, STORE_READABLE, STORE_REVISIONS, STORE_SIZE,
    },
    reading::{Reading, StoreReading},
    writer::Writer,
};

pub fn reconciler(writer: &mut Writer<'_>, reading: &Reading) -> fmt::Result {
    let (reconciler, recorder) = (&reading.reconciler, &reading.recorder);
    writer.gauge(&RECONCILER_REVISION, reconciler.revision)?;
    writer.gauges(&RECONCILER_APPLIED, reconciler.applied.revision.map(|revision| ([], revision)))?;
    writer.gauge(&RECONCILER_FAILING, u32::from(reconciler.applied.failure.is_some()))?;
    writer.counter(&RECONCILER_FAILURES, recorder.apply_failures.get())?;
    writer.recorded(&RECONCILER_DURATION, &recorder.apply)?;
    writer.gauges(&RECONCILER_DRIFT, reconciler.applied.drift.map(|entries| ([], entries)))
}

pub fn store(writer: &mut Writer<'_>, reading: &Reading) -> fmt::Result {
    let readable = reading.store.map(|StoreReading(facts)| ([], u32::from(facts.is_some())));
    writer.gauges(&STORE_READABLE, readable)?;
    let facts = reading.store.and_then(|StoreReading(facts)| facts);
    writer.gauges(&STORE_REVISIONS, facts.map(|facts| ([], facts.revisions)))?;
    writer.gauges(&STORE_SIZE, facts.map(|facts| ([], facts.size_bytes)))?;
    if reading.store.is_none() {
        return Ok(());
    }
    writer.recorded(&STORE_COMMIT, &reading.recorder.commit)?;
    writer.counter(&STORE_FAILURES, reading.recorder.store_failures.get())
}

pub fn api(writer: &mut Writer<'_>, reading: &Reading) -> fmt::Result {
    writer.recorded(&API, &reading.recorder.api)
}
