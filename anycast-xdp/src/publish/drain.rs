//! The phases of a drain: told to routers, then withdrawn.

use std::time::{Duration, Instant};

/// Who drains, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drains {
    /// The host; none: it does not.
    pub host_since: Option<Instant>,
    /// Its PoP.
    pub pop_since: Option<Instant>,
}

/// How far a drain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing drains.
    None,
    /// What is published has the metric that routers turn into GRACEFUL_SHUTDOWN; nothing new is published.
    Signal {
        /// The end of it.
        until: Instant,
    },
    /// Nothing is published.
    Withdrawn,
}

impl Drains {
    /// How far it is, with so much time for the signal.
    pub fn phase(self, signal: Duration, now: Instant) -> Phase {
        match [self.host_since, self.pop_since].into_iter().flatten().min() {
            None => Phase::None,
            Some(since) if now < since + signal => Phase::Signal { until: since + signal },
            Some(_) => Phase::Withdrawn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signal_comes_first_and_the_earlier_drain_counts() {
        let (now, signal) = (Instant::now(), Duration::from_secs(5));
        let at = |secs| now + Duration::from_secs(secs);
        assert_eq!(Drains::default().phase(signal, now), Phase::None);
        let host = Drains { host_since: Some(now), pop_since: None };
        assert_eq!(host.phase(signal, at(4)), Phase::Signal { until: at(5) });
        assert_eq!(host.phase(signal, at(5)), Phase::Withdrawn);
        let both = Drains { host_since: Some(at(20)), pop_since: Some(now) };
        assert_eq!(both.phase(signal, at(21)), Phase::Withdrawn);
        assert_eq!(host.phase(Duration::ZERO, now), Phase::Withdrawn);
    }
}
