//! What arrived, flow by flow.

use std::time::Duration;

use super::StreamReport;

/// Counts arrivals.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    flows: Vec<Flow>,
    duplicated: u64,
    reordered: u64,
    last_arrival_ns: Option<u64>,
    longest_gap_ns: u64,
    /// Told by the kernel.
    pub receiver_overflows: u64,
}

/// Arrived numbers of one flow, one bit each.
#[derive(Clone, Debug, Default)]
struct Flow {
    arrived: Vec<u64>,
    /// One above the highest number that arrived.
    next: u64,
}

impl Flow {
    /// Notes a number; true if it had not arrived before.
    fn note(&mut self, number: u64) -> bool {
        let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
        if self.arrived.len() <= word {
            self.arrived.resize(word + 1, 0);
        }
        let new = self.arrived[word] & bit == 0;
        self.arrived[word] |= bit;
        self.next = self.next.max(number + 1);
        new
    }

    fn has(&self, number: u64) -> bool {
        self.arrived.get((number / 64) as usize).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }
}

impl Tally {
    pub fn new(flows: u32) -> Self {
        Self {
            flows: vec![Flow::default(); flows as usize],
            duplicated: 0,
            reordered: 0,
            last_arrival_ns: None,
            longest_gap_ns: 0,
            receiver_overflows: 0,
        }
    }

    /// Notes an arrival. Flows that the stream does not have are ignored.
    pub fn note(&mut self, flow: u64, number: u64, arrival_ns: u64) {
        let Some(flow) = self.flows.get_mut(flow as usize) else { return };
        let behind = number < flow.next;
        if !flow.note(number) {
            self.duplicated += 1;
        } else if behind {
            self.reordered += 1;
        }
        if let Some(last_ns) = self.last_arrival_ns {
            self.longest_gap_ns = self.longest_gap_ns.max(arrival_ns.saturating_sub(last_ns));
        }
        self.last_arrival_ns = Some(arrival_ns);
    }

    /// Everything but the rate, once it is known how many datagrams each flow sent.
    pub fn report(&self, sent_per_flow: &[u64]) -> StreamReport {
        let mut report = StreamReport {
            duplicated: self.duplicated,
            reordered: self.reordered,
            longest_gap: Duration::from_nanos(self.longest_gap_ns),
            receiver_overflows: self.receiver_overflows,
            ..StreamReport::default()
        };
        for (flow, &sent) in self.flows.iter().zip(sent_per_flow) {
            report.sent += sent;
            let mut run = 0;
            for number in 0..sent {
                if flow.has(number) {
                    report.received += 1;
                    run = 0;
                } else {
                    report.lost += 1;
                    run += 1;
                    report.longest_loss_run = report.longest_loss_run.max(run);
                }
            }
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(arrivals: &[(u64, u64, u64)]) -> Tally {
        let mut tally = Tally::new(2);
        for &(flow, number, arrival_ns) in arrivals {
            tally.note(flow, number, arrival_ns);
        }
        tally
    }

    #[test]
    fn everything_in_order_is_no_loss() {
        let report = tally(&[(0, 0, 10), (1, 0, 20), (0, 1, 25)]).report(&[2, 1]);
        let right = StreamReport { sent: 3, received: 3, longest_gap: Duration::from_nanos(10), ..Default::default() };
        assert_eq!(report, right);
    }

    #[test]
    fn holes_and_a_missing_tail_are_lost() {
        let report = tally(&[(0, 0, 0), (0, 3, 0), (0, 70, 0)]).report(&[75, 0]);
        assert_eq!((report.received, report.lost, report.longest_loss_run), (3, 72, 66));
    }

    #[test]
    fn late_and_double_arrivals_are_told_apart() {
        let report = tally(&[(0, 1, 0), (0, 0, 0), (0, 1, 0), (1, 0, 0)]).report(&[2, 1]);
        assert_eq!((report.received, report.lost, report.reordered, report.duplicated), (3, 0, 1, 1));
    }
}
