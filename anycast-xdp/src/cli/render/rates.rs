//! Rates per VIP, from the difference of two reads of the counters.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    time::Duration,
};

use serde::Serialize;

use super::{
    table::{Column, plain, titled},
    units,
};
use crate::view::{Count, Stats, VipStats};

/// `stats --watch`: what was counted between two reads. Its JSON form is stable.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rates {
    /// Instance name.
    pub instance: String,
    /// Time between the reads.
    pub interval_ns: u64,
    /// Per VIP.
    pub vips: Vec<VipRates>,
}

/// Rates of one VIP, by class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VipRates {
    /// Name.
    pub name: String,
    /// Address.
    pub address: IpAddr,
    /// Sum of the four below.
    pub received: Rate,
    /// Handed to the driver.
    pub forwarded: Rate,
    /// Answered here.
    pub answered: Rate,
    /// Given to the host's stack.
    pub passed: Rate,
    /// Dropped.
    pub dropped: Rate,
    /// Its answers on their way back, which are none of the above.
    #[serde(rename = "return")]
    pub returns: ReturnRates,
}

/// Rates of a VIP's answers on their way back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReturnRates {
    /// Sent on.
    pub returned: Rate,
    /// Everything else that became of them, by outcome label.
    pub outcomes: BTreeMap<String, Rate>,
}

/// What was counted in the interval, exact, and what that is per second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(clippy::struct_field_names, reason = "units stand in names, here as in every other JSON key")]
pub struct Rate {
    /// Packets in the interval.
    pub packets: u64,
    /// Bytes in the interval.
    pub bytes: u64,
    /// Packets per second.
    pub rate_pps: f64,
    /// Bits per second.
    pub rate_bits_per_sec: f64,
}

impl Rates {
    /// The rates between two reads. A VIP that was not there at the earlier one began at zero.
    pub fn between(earlier: &Stats, later: &Stats, interval: Duration) -> Self {
        let before: HashMap<_, _> = earlier.vips.iter().map(|vip| ((vip.name.as_str(), vip.address), vip)).collect();
        let vips = later.vips.iter().map(|vip| {
            let before = before.get(&(vip.name.as_str(), vip.address)).copied();
            let rate = |class: fn(&VipStats) -> Count| Rate::between(before.map(class), class(vip), interval);
            VipRates {
                name: vip.name.clone(),
                address: vip.address,
                received: rate(|vip| vip.received),
                forwarded: rate(|vip| vip.forwarded),
                answered: rate(|vip| vip.answered),
                passed: rate(|vip| vip.passed),
                dropped: rate(|vip| vip.dropped),
                returns: ReturnRates {
                    returned: rate(|vip| vip.returns.returned),
                    outcomes: outcomes(before, vip, interval),
                },
            }
        });
        let interval_ns = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        Self { instance: later.instance.clone(), interval_ns, vips: vips.collect() }
    }
}

/// What else became of answers.
fn outcomes(before: Option<&VipStats>, vip: &VipStats, interval: Duration) -> BTreeMap<String, Rate> {
    let rate = |(label, later): (&String, &Count)| {
        let earlier = before.and_then(|vip| vip.returns.outcomes.get(label)).copied();
        (label.clone(), Rate::between(earlier, *later, interval))
    };
    vip.returns.outcomes.iter().map(rate).collect()
}

impl Rate {
    /// What was counted in between, and what that is per second. Without `earlier` it began at zero.
    pub fn between(earlier: Option<Count>, later: Count, interval: Duration) -> Self {
        let earlier = earlier.unwrap_or_default().0;
        let packets = since(earlier.packets, later.0.packets);
        let bytes = since(earlier.bytes, later.0.bytes);
        let per_sec =
            |count: u64| if interval.is_zero() { 0.0 } else { units::approximate(count) / interval.as_secs_f64() };
        Self { packets, bytes, rate_pps: per_sec(packets), rate_bits_per_sec: per_sec(bytes) * 8.0 }
    }
}

/// A counter only falls when its tables were made anew: then all of it is since then.
fn since(earlier: u64, later: u64) -> u64 {
    later.checked_sub(earlier).unwrap_or(later)
}

/// Two columns for what comes in and for what leaves, one for the rest.
const COLUMNS: [Column; 8] = [
    Column::Text("VIP\n"),
    Column::Number("RECEIVED\npps"),
    Column::Number("\nbit/s"),
    Column::Number("FORWARDED\npps"),
    Column::Number("\nbit/s"),
    Column::Number("ANSWERED\npps"),
    Column::Number("PASSED\npps"),
    Column::Number("DROPPED\npps"),
];

/// What goes back, and all else that became of answers.
const RETURN_COLUMNS: [Column; 4] = [
    Column::Text("VIP\n"),
    Column::Number("RETURNED\npps"),
    Column::Number("\nbit/s"),
    Column::Number("OTHERWISE\npps"),
];

/// The rates as a table, and another one of answers if there are any.
pub fn rates(rates: &Rates, width: Option<u16>) -> String {
    let row = |name: &str, numbers: &[f64]| {
        [name.to_owned()].into_iter().chain(numbers.iter().map(|number| units::rate(*number))).collect::<Vec<_>>()
    };
    let rows = rates.vips.iter().map(|vip| {
        let numbers = [
            vip.received.rate_pps,
            vip.received.rate_bits_per_sec,
            vip.forwarded.rate_pps,
            vip.forwarded.rate_bits_per_sec,
            vip.answered.rate_pps,
            vip.passed.rate_pps,
            vip.dropped.rate_pps,
        ];
        row(&vip.name, &numbers)
    });
    let answers = rates.vips.iter().filter_map(|vip| {
        let ReturnRates { returned, outcomes } = &vip.returns;
        let is_one = returned.packets > 0 || outcomes.values().any(|rate| rate.packets > 0);
        let otherwise = outcomes.values().map(|rate| rate.rate_pps).sum();
        is_one.then(|| row(&vip.name, &[returned.rate_pps, returned.rate_bits_per_sec, otherwise]))
    });
    let answers = titled("Answers on their way back", &RETURN_COLUMNS, answers.collect(), width);
    plain(&COLUMNS, rows.collect(), width) + &answers + "\n"
}
