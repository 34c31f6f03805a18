//! One probe of each backend of a pool, now, for those who want to see it.

use std::{net::IpAddr, time::Instant};

use tokio::task::JoinSet;

use super::{
    Target,
    probe::{ProbeError, Subject, probe, steps::Steps},
    targets::name_of,
    view::{ProbeTold, StepTold},
};

/// Probes them all at once; what each came to, in their order.
pub async fn check(targets: Vec<(Target, Option<IpAddr>)>) -> Vec<ProbeTold> {
    let mut probes = JoinSet::new();
    for (at, (target, source)) in targets.into_iter().enumerate() {
        probes.spawn(async move { (at, told(target, source).await) });
    }
    let mut told = probes.join_all().await;
    told.sort_by_key(|(at, _)| *at);
    told.into_iter().map(|(_, probe)| probe).collect()
}

async fn told(target: Target, source: Option<IpAddr>) -> ProbeTold {
    let Target { pool, backend, backend_index, vip, health } = target;
    let check = name_of(&health.check);
    let began = Instant::now();
    let mut steps = Steps::told();
    let result = match source {
        Some(source) => probe(&Subject { vip, source, backend_index, health }, &mut steps).await,
        None => Err(ProbeError::NotSent("no health address".to_owned())),
    };
    let steps = steps.into_steps().into_iter();
    ProbeTold {
        pool,
        backend,
        vip,
        check,
        error: result.err().map(|error| error.to_string()),
        took_us: began.elapsed().as_micros() as u64,
        steps: steps.map(|step| StepTold { after_us: step.after.as_micros() as u64, what: step.what }).collect(),
    }
}
