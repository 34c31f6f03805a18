//! A rate limiter whose state is one 64-bit number, so that all CPUs can share it by compare-and-exchange: the generic cell
//! rate algorithm (ITU-T I.371, virtual scheduling).
//!
//! The state is the time at which the next event would be due if events came evenly. An event may come earlier than that
//! by [`BURST_NS`]; time that nothing happened in is not saved up beyond it.

/// How much earlier than due an event may come: a burst of a tenth of a second's events, and one. Far above the tick of the
/// coarse clock (10 ms at most), within which all events seem to come at once.
pub const BURST_NS: u64 = 100_000_000;

/// The state after an event at `now_ns`; `None`: it exceeds the rate, or the rate is 0, and the state stays.
#[inline(always)]
pub const fn admit(state: u64, now_ns: u64, rate_pps: u32) -> Option<u64> {
    if rate_pps == 0 {
        return None;
    }
    let due_ns = if state > now_ns { state } else { now_ns };
    if due_ns - now_ns > BURST_NS {
        return None;
    }
    // Rounded up, so that the rate is never exceeded.
    Some(due_ns + 1_000_000_000_u64.div_ceil(rate_pps as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// How many events at these times are admitted, from a zeroed state on.
    fn admitted(times_ns: &[u64], rate_pps: u32) -> usize {
        let mut state = 0;
        let admitted = times_ns.iter().filter(|now_ns| match admit(state, **now_ns, rate_pps) {
            Some(after) => {
                state = after;
                true
            }
            None => false,
        });
        admitted.count()
    }

    #[test]
    fn a_rate_of_zero_admits_nothing() {
        assert_eq!(admit(0, u64::MAX / 2, 0), None);
    }

    #[test]
    fn a_burst_is_a_tenth_of_a_second_and_one() {
        assert_eq!(admitted(&[1_000_000_000; 500], 1000), 101);
        assert_eq!(admitted(&[1_000_000_000; 500], 1), 1);
    }

    #[test]
    fn a_pause_saves_nothing_beyond_the_burst() {
        let times: Vec<u64> = [[0; 500], [3_600_000_000_000; 500]].concat();
        assert_eq!(admitted(&times, 1000), 2 * 101);
    }

    proptest! {
        #[test]
        fn no_more_than_the_rate_and_the_burst_is_admitted(
            mut times_ns in proptest::collection::vec(0..10_000_000_000u64, 1..2000), rate_pps in 1..2000u32,
        ) {
            times_ns.sort_unstable();
            let span_ns = times_ns[times_ns.len() - 1] - times_ns[0];
            let most = (span_ns + BURST_NS) as u128 * rate_pps as u128 / 1_000_000_000 + 1;
            prop_assert!(admitted(&times_ns, rate_pps) as u128 <= most);
        }

        #[test]
        fn events_at_the_rate_are_all_admitted(start_ns in 0..u64::MAX / 2, rate_pps in 1..1_000_000u32, count in 1..500usize) {
            let interval_ns = 1_000_000_000u64.div_ceil(rate_pps as u64);
            let times_ns: Vec<_> = (0..count as u64).map(|event| start_ns + event * interval_ns).collect();
            prop_assert_eq!(admitted(&times_ns, rate_pps), count);
        }
    }
}
