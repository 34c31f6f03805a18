//! Which VIPs have series of their own, and the sum of the others: the number of series is bounded, whatever the number
//! of VIPs.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use super::traffic::Traffic;

/// Labels of VIPs that have some, by name.
pub type VipLabels = BTreeMap<String, BTreeMap<String, String>>;

/// What the sum of the others is called. No VIP is: names begin with a letter.
pub const OTHER: &str = "_other";

/// VIPs with series of their own by name, and the sum of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Those with series of their own.
    pub vips: BTreeMap<String, Traffic>,
    /// The others, since the daemon started.
    pub other: Traffic,
}

/// Sums what the others do from one reading to the next.
///
/// The sum of their counters as they are would fall when a VIP gets series of its own, and jump when it loses them;
/// Prometheus takes both for traffic. A sum of increases only grows.
#[derive(Debug, Default)]
pub struct Others {
    earlier: Option<HashMap<String, Traffic>>,
    sum: Traffic,
}

impl Others {
    /// What to show of a reading. The first one is what increases are counted from.
    pub fn show(&mut self, vips: HashMap<String, Traffic>, labels: &Arc<VipLabels>, top_vips: usize) -> Shown {
        let own = own(&vips, labels, top_vips);
        if let Some(earlier) = &self.earlier {
            let nothing = Traffic::default();
            for (name, traffic) in vips.iter().filter(|(name, _)| !own.contains(name.as_str())) {
                self.sum += traffic.since(earlier.get(name).unwrap_or(&nothing));
            }
        }
        let shown = own.into_iter().filter_map(|name| Some((name.to_owned(), vips.get(name)?.clone()))).collect();
        self.earlier = Some(vips);
        Shown { vips: shown, other: self.sum.clone() }
    }
}

/// Those with labels, and of the rest those with the most bytes.
fn own<'a>(vips: &'a HashMap<String, Traffic>, labels: &VipLabels, top_vips: usize) -> HashSet<&'a str> {
    let (labelled, mut rest): (Vec<_>, Vec<_>) = vips.iter().partition(|(name, _)| labels.contains_key(*name));
    if rest.len() > top_vips {
        let rank = |(name, traffic): &(&'a String, &'a Traffic)| (std::cmp::Reverse(traffic.bytes()), *name);
        if top_vips > 0 {
            rest.select_nth_unstable_by_key(top_vips - 1, rank);
        }
        rest.truncate(top_vips);
    }
    labelled.into_iter().chain(rest).map(|(name, _)| name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use anycast_common::map::Counter;

    use super::*;

    fn vips(packets: &[(&str, u64)]) -> HashMap<String, Traffic> {
        let traffic = |packets| Traffic { received: Counter { packets, bytes: packets * 100 }, ..Traffic::default() };
        packets.iter().map(|(name, packets)| ((*name).to_owned(), traffic(*packets))).collect()
    }

    fn labels(names: &[&str]) -> Arc<VipLabels> {
        let label = BTreeMap::from([("team".to_owned(), "game".to_owned())]);
        Arc::new(names.iter().map(|name| ((*name).to_owned(), label.clone())).collect())
    }

    fn names(shown: &Shown) -> Vec<&str> {
        shown.vips.keys().map(String::as_str).collect()
    }

    #[test]
    fn vips_with_labels_and_the_busiest_others_have_series() {
        let read = vips(&[("a", 1), ("b", 30), ("c", 20), ("d", 0), ("e", 20)]);
        let show = |top_vips| Others::default().show(read.clone(), &labels(&["d"]), top_vips);
        assert_eq!(names(&show(0)), ["d"]);
        assert_eq!(names(&show(2)), ["b", "c", "d"]);
        assert_eq!(names(&show(100)), ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn sum_of_the_others_begins_at_zero_and_only_grows() {
        let mut others = Others::default();
        let mut show = |read: &[(&str, u64)]| others.show(vips(read), &labels(&[]), 1);
        let shown = show(&[("a", 100), ("b", 10), ("c", 5)]);
        assert_eq!((names(&shown), shown.other.received.packets), (vec!["a"], 0));
        assert_eq!(show(&[("a", 200), ("b", 13), ("c", 9)]).other.received.packets, 7);
        // Another one is the busiest now; what it did is not taken out of the sum.
        let shown = show(&[("a", 201), ("b", 1000), ("c", 9)]);
        assert_eq!((names(&shown), shown.other.received.packets), (vec!["b"], 8));
        // One began anew, one is new, one is gone.
        assert_eq!(show(&[("a", 2), ("b", 1000), ("d", 4)]).other.received.packets, 14);
    }
}
