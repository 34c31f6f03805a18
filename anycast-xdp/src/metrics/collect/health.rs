//! Checks of pools.

use std::{fmt, time::Duration};

use crate::{
    health::view::{BackendHealth, HealthState},
    metrics::{
        catalogue::{HEALTH_PENALTY, HEALTH_PROBES, HEALTH_RTT, HEALTH_SUPPRESSED, HEALTH_TRANSITIONS, HEALTH_UP},
        reading::Reading,
        writer::{Value, Writer},
    },
};

pub fn health(writer: &mut Writer<'_>, reading: &Reading) -> fmt::Result {
    let backends = &reading.health;
    let gauge = |value: fn(&BackendHealth) -> f64| backends.iter().map(move |one| (labels(one), value(one)));
    writer.gauges(&HEALTH_UP, gauge(|one| f64::from(u8::from(one.state == HealthState::Up))))?;
    let probes = backends.iter().flat_map(|one| {
        let [pool, backend] = labels(one);
        let row = move |result: &'static str, count| ([pool.clone(), backend.clone(), result.into()], count);
        [row("success", one.successes), row("failure", one.failures), row("not_sent", one.not_sent)]
    });
    writer.counters(&HEALTH_PROBES, probes)?;
    let rtts = backends.iter().filter_map(|one| Some((labels(one), Duration::from_micros(one.rtt_us?).as_secs_f64())));
    writer.gauges(&HEALTH_RTT, rtts)?;
    writer.counters(&HEALTH_TRANSITIONS, backends.iter().map(|one| (labels(one), one.transitions)))?;
    writer.gauges(&HEALTH_PENALTY, gauge(|one| one.penalty))?;
    writer.gauges(&HEALTH_SUPPRESSED, gauge(|one| f64::from(u8::from(one.suppressed_secs.is_some()))))
}

fn labels(backend: &BackendHealth) -> [Value<'_>; 2] {
    [backend.pool.as_str().into(), backend.backend.to_string().into()]
}
