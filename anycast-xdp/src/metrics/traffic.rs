//! What a VIP's counters tell, in the form in which VIPs are summed.

use std::{collections::BTreeMap, ops::AddAssign};

use anycast_common::{
    map::Counter,
    outcome::{Class, Outcome},
};

use crate::view::{Count, VipStats};

/// Which way packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From clients.
    In,
    /// Answers on their way back.
    Return,
}

impl Direction {
    /// As a label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Return => "return",
        }
    }
}

/// Directions and outcomes of packets, in the order of [`Traffic::outcomes`].
pub const OUTCOMES: [(Direction, &str); 7] = [
    (Direction::In, Class::Forwarded.label()),
    (Direction::In, Class::Answered.label()),
    (Direction::In, Class::Passed.label()),
    (Direction::In, Class::Dropped.label()),
    (Direction::Return, "returned"),
    (Direction::Return, Class::Passed.label()),
    (Direction::Return, Class::Dropped.label()),
];

/// Counters of one VIP, or of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// What came in.
    pub received: Counter,
    /// What became of packets, as [`OUTCOMES`] names it.
    pub outcomes: [Counter; OUTCOMES.len()],
    /// Why packets were dropped.
    pub reasons: BTreeMap<(Direction, &'static str), Counter>,
}

impl Traffic {
    /// What a VIP's counters tell.
    pub fn of(vip: &VipStats) -> Self {
        let mut reasons = BTreeMap::new();
        for (label, Count(count)) in &vip.reasons {
            if let Some(outcome) = labelled(label) {
                reasons.insert((Direction::In, outcome.label()), *count);
            }
        }
        let (mut passed, mut dropped) = (Counter::default(), Counter::default());
        for (label, Count(count)) in &vip.returns.outcomes {
            match labelled(label).map(|outcome| (outcome, outcome.class())) {
                Some((outcome, Class::Dropped)) => {
                    add(&mut dropped, *count);
                    reasons.insert((Direction::Return, outcome.label()), *count);
                }
                Some((_, Class::Forwarded | Class::Answered | Class::Passed)) => add(&mut passed, *count),
                None => {}
            }
        }
        let outcomes =
            [vip.forwarded.0, vip.answered.0, vip.passed.0, vip.dropped.0, vip.returns.returned.0, passed, dropped];
        Self { received: vip.received.0, outcomes, reasons }
    }

    /// Bytes of both directions.
    pub fn bytes(&self) -> u64 {
        self.received.bytes.saturating_add(self.outcomes[4].bytes)
    }

    /// What was counted since `earlier`. Counters that fell began anew: then all of it is since then.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut outcomes = self.outcomes;
        for (later, earlier) in outcomes.iter_mut().zip(&earlier.outcomes) {
            *later = since(*earlier, *later);
        }
        let reasons = self.reasons.iter().map(|(reason, later)| {
            let earlier = earlier.reasons.get(reason).copied().unwrap_or_default();
            (*reason, since(earlier, *later))
        });
        Self { received: since(earlier.received, self.received), outcomes, reasons: reasons.collect() }
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, more: Self) {
        add(&mut self.received, more.received);
        for (sum, more) in self.outcomes.iter_mut().zip(more.outcomes) {
            add(sum, more);
        }
        for (reason, more) in more.reasons {
            add(self.reasons.entry(reason).or_default(), more);
        }
    }
}

fn labelled(label: &str) -> Option<Outcome> {
    Outcome::ALL.iter().copied().find(|outcome| outcome.label() == label)
}

fn add(sum: &mut Counter, more: Counter) {
    *sum = *sum + more;
}

fn since(earlier: Counter, later: Counter) -> Counter {
    match (later.packets.checked_sub(earlier.packets), later.bytes.checked_sub(earlier.bytes)) {
        (Some(packets), Some(bytes)) => Counter { packets, bytes },
        _ => later,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::ReturnStats;

    fn count(packets: u64) -> Count {
        Count(Counter { packets, bytes: packets * 100 })
    }

    #[test]
    fn answers_are_returned_passed_or_dropped_and_only_drops_have_reasons() {
        let outcomes = [("no_return_route", 2), ("no_pop", 1), ("returned_by_host", 4), ("of_a_newer_program", 8)];
        let vip = VipStats {
            name: "web".to_owned(),
            address: std::net::IpAddr::from([192, 0, 2, 80]),
            received: count(10),
            forwarded: count(7),
            answered: count(0),
            passed: count(0),
            dropped: count(3),
            reasons: BTreeMap::from([("no_listener".to_owned(), count(3))]),
            returns: ReturnStats {
                returned: count(5),
                outcomes: outcomes.map(|(label, packets)| (label.to_owned(), count(packets))).into(),
            },
        };
        let traffic = Traffic::of(&vip);
        assert_eq!(traffic.outcomes.map(|count| count.packets), [7, 0, 0, 3, 5, 4, 3]);
        let reasons: Vec<_> = traffic.reasons.iter().map(|(reason, count)| (*reason, count.packets)).collect();
        let of_return = |label, packets| ((Direction::Return, label), packets);
        let of_in = |label, packets| ((Direction::In, label), packets);
        assert_eq!(reasons, [of_in("no_listener", 3), of_return("no_pop", 1), of_return("no_return_route", 2)]);
        assert_eq!(traffic.bytes(), 1500);

        let mut sum = traffic.since(&traffic);
        assert!(sum.outcomes.iter().all(|count| count.packets == 0));
        sum += traffic.clone();
        sum += traffic;
        assert_eq!(sum.outcomes.map(|count| count.packets), [14, 0, 0, 6, 10, 8, 6]);
        assert_eq!(sum.reasons[&(Direction::Return, "no_pop")].packets, 2);
    }
}
