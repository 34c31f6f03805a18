//! Waiting until nothing arrives any more.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    api::types::{DrainPhase, Publishing, PublishingQuery},
    client::{Client, ClientError},
    config::parse_duration,
    view::{Arriving, Drained},
};

/// Over which a rate is measured.
const WINDOW: Duration = Duration::from_secs(1);

/// Until when to wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// Packets per second over all VIPs.
    rate_pps: f64,
    /// At most so long.
    limit: Duration,
}

/// Reads `10/60s`.
pub fn bound(written: &str) -> Result<Bound, String> {
    let (rate, limit) = written.split_once('/').ok_or("write RATE/TIME, such as 10/60s")?;
    let rate_pps = rate.parse::<u32>().map_err(|_| format!("`{rate}` is no number of packets per second"))?;
    if rate_pps == 0 {
        return Err("no rate is less than 0: write 1 or more".to_owned());
    }
    Ok(Bound { rate_pps: rate_pps.into(), limit: parse_duration(limit)? })
}

/// Waits until everything is withdrawn and less than the rate arrives, or for as long as it may.
pub async fn wait(client: &Client, bound: Bound) -> Result<Drained, ClientError> {
    let began = Instant::now();
    let summary = PublishingQuery { summary: true };
    let drained = loop {
        let (publishing, first) = sample(client, &summary).await?;
        let is_withdrawn = publishing.drain.phase == DrainPhase::Withdrawn;
        let (_, rate_pps) = after_window(client, &summary, first).await?;
        let is_quiet = is_withdrawn && rate_pps.is_some_and(|rate| rate < bound.rate_pps);
        if is_quiet || began.elapsed() >= bound.limit {
            break is_quiet;
        }
    };
    // Once more, VIP by VIP: what arrives now is what is told.
    let (before, at) = sample(client, &PublishingQuery::default()).await?;
    let received = received(&before);
    let (after, rate_pps) = after_window(client, &PublishingQuery::default(), (before.received_packets, at.1)).await?;
    let mut arriving: Vec<_> = after
        .vips
        .iter()
        .filter_map(|vip| {
            let packets = vip.received_packets?.saturating_sub(*received.get(&vip.name)?);
            let rate_pps = rate(packets, at.1.elapsed());
            (packets > 0).then(|| Arriving { vip: vip.name.clone(), address: vip.prefix.clone(), rate_pps })
        })
        .collect();
    arriving.sort_by(|one, other| other.rate_pps.total_cmp(&one.rate_pps));
    Ok(Drained {
        drained,
        phase: after.drain.phase,
        took_secs: began.elapsed().as_secs_f64(),
        rate_pps,
        bound_pps: bound.rate_pps,
        arriving,
    })
}

type Sample = (Option<u64>, Instant);

async fn sample(client: &Client, query: &PublishingQuery) -> Result<(Publishing, Sample), ClientError> {
    let publishing = client.publishing(query).await?.value;
    let received = publishing.received_packets;
    Ok((publishing, (received, Instant::now())))
}

/// What is told a while later, and the rate since then; none: counters cannot be read.
async fn after_window(
    client: &Client,
    query: &PublishingQuery,
    (before, at): Sample,
) -> Result<(Publishing, Option<f64>), ClientError> {
    sleep(WINDOW.saturating_sub(at.elapsed())).await;
    let (publishing, (after, now)) = sample(client, query).await?;
    let rate = before.zip(after).map(|(before, after)| rate(after.saturating_sub(before), now.duration_since(at)));
    Ok((publishing, rate))
}

#[expect(clippy::cast_precision_loss, reason = "a rate is rounded")]
fn rate(packets: u64, over: Duration) -> f64 {
    packets as f64 / over.as_secs_f64()
}

fn received(publishing: &Publishing) -> BTreeMap<String, u64> {
    publishing.vips.iter().filter_map(|vip| Some((vip.name.clone(), vip.received_packets?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bound_is_a_rate_and_a_time() {
        let bound_of = |secs| Bound { rate_pps: 10.0, limit: Duration::from_secs(secs) };
        assert_eq!(bound("10/60s"), Ok(bound_of(60)));
        assert_eq!(bound("10/1m30s"), Ok(bound_of(90)));
        for wrong in ["10", "x/60s", "10/60", "0/60s", "-1/60s", "10/"] {
            assert!(bound(wrong).is_err(), "{wrong}");
        }
    }
}
