//! When everything is withdrawn although no daemon says so: pure, time and what is seen are passed in.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// So often in a row an interface has to be seen without a program: the daemon may be swapping it.
const LOOKS: u32 = 2;

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The first access interface without a program of this instance.
    pub bare: Option<String>,
    /// A daemon runs; always, where nobody asks.
    pub has_daemon: bool,
}

/// Why everything is withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// An access interface has no program.
    Bare(String),
    /// There has been no daemon for so long.
    NoDaemon(Duration),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bare(interface) => write!(f, "no program of this instance runs on {interface}"),
            Self::NoDaemon(limit) => write!(f, "there has been no daemon for {limit:?}"),
        }
    }
}

/// What a watchdog remembers.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    bare_looks: u32,
    without_daemon_since: Option<Instant>,
}

impl Watch {
    /// Why everything is to be withdrawn, by what is seen now; `None`: all is well.
    pub fn judge(&mut self, seen: Seen, withdraw_without_daemon: Option<Duration>, now: Instant) -> Option<Why> {
        self.bare_looks = if seen.bare.is_some() { self.bare_looks.saturating_add(1) } else { 0 };
        if seen.has_daemon {
            self.without_daemon_since = None;
        }
        let since = if seen.has_daemon { None } else { Some(*self.without_daemon_since.get_or_insert(now)) };
        let bare = seen.bare.filter(|_| self.bare_looks >= LOOKS).map(Why::Bare);
        bare.or_else(|| {
            let limit = withdraw_without_daemon?;
            (now.saturating_duration_since(since?) >= limit).then_some(Why::NoDaemon(limit))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(bare: bool, has_daemon: bool) -> Seen {
        Seen { bare: bare.then(|| "in0".to_owned()), has_daemon }
    }

    #[test]
    fn interface_without_a_program_is_believed_at_the_second_look() {
        let (mut watch, now) = (Watch::default(), Instant::now());
        assert_eq!(watch.judge(seen(true, true), None, now), None);
        assert_eq!(watch.judge(seen(false, true), None, now), None);
        assert_eq!(watch.judge(seen(true, true), None, now), None);
        assert_eq!(watch.judge(seen(true, true), None, now), Some(Why::Bare("in0".to_owned())));
        assert_eq!(watch.judge(seen(false, true), None, now), None);
    }

    #[test]
    fn missing_daemon_counts_from_when_it_was_missed_and_only_if_that_was_asked_for() {
        let limit = Duration::from_secs(30);
        let (mut watch, now) = (Watch::default(), Instant::now());
        let at = |secs| now + Duration::from_secs(secs);
        assert_eq!(watch.judge(seen(false, false), Some(limit), now), None);
        assert_eq!(watch.judge(seen(false, false), Some(limit), at(29)), None);
        assert_eq!(watch.judge(seen(false, false), Some(limit), at(30)), Some(Why::NoDaemon(limit)));
        assert_eq!(watch.judge(seen(false, false), None, at(99)), None);
        assert_eq!(watch.judge(seen(false, true), Some(limit), at(100)), None);
        assert_eq!(watch.judge(seen(false, false), Some(limit), at(120)), None);
    }
}
