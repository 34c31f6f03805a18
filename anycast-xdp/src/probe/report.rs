//! What a probe found. Times are in seconds, under curl's names.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use serde::{Serialize, Serializer};

use super::{
    compare::{Difference, Verdict},
    entry::Entry,
    statistics::Summary,
    times::{Time, Times},
    walk::Walk,
};

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The VIP's URL first; then that which it is compared with.
    pub targets: Vec<Measured>,
    /// The way to the VIP's address.
    pub path: Path,
    /// The first target's times less the second one's. Empty: there is nothing to compare with.
    pub differences: BTreeMap<&'static str, Compared>,
}

/// The attempts at one URL.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// As it was written.
    pub url: String,
    /// In order.
    pub attempts: Vec<Attempt>,
    /// How many of them failed.
    pub failed: usize,
    /// Of the attempts that did not fail, by name of the time.
    pub summary: BTreeMap<&'static str, Summarized>,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// What it connected to, or tried to.
    pub address: Option<IpAddr>,
    /// Since its start.
    #[serde(flatten)]
    pub times: Times,
    /// Of HTTP.
    pub status: Option<u16>,
    /// Bytes of the body that were received.
    pub size_download_bytes: u64,
    /// Why it failed; none: it did not.
    pub failure: Option<Failure>,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What was being done.
    pub step: Step,
    /// What went wrong.
    pub reason: String,
}

/// A step of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Name to address.
    NameLookup,
    /// TCP handshake.
    Connect,
    /// TLS handshake.
    Tls,
    /// Request sent, no head of an answer yet.
    Request,
    /// Head there, body not yet, or not all of it.
    Body,
}

/// The way to the VIP.
#[derive(Clone, Debug, Serialize)]
pub struct Path {
    /// Where it leads; none: the name has no address.
    pub address: Option<IpAddr>,
    /// Before the attempts.
    pub before: Option<Walk>,
    /// After them. None: no router answered before.
    pub after: Option<Walk>,
    /// Where it entered before the attempts.
    pub entry: Option<Entry>,
    /// Where it entered after them.
    pub entry_after: Option<Entry>,
    /// It entered somewhere else in the end. None: it is not known where it entered at both times.
    pub entry_changed: Option<bool>,
    /// Why there is no walk.
    pub failure: Option<String>,
}

/// A [`Summary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summarized(pub Summary);

impl Serialize for Summarized {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Figures {
            count: usize,
            min_secs: f64,
            median_secs: f64,
            p90_secs: f64,
            max_secs: f64,
        }
        let Summary { count, min, median, p90, max } = self.0;
        let [min_secs, median_secs, p90_secs, max_secs] = [min, median, p90, max].map(|time| time.as_secs_f64());
        Figures { count, min_secs, median_secs, p90_secs, max_secs }.serialize(serializer)
    }
}

/// How one time differs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// Pairs of attempts that both got there.
    pub pairs: usize,
    /// Median of the first target's less the second one's.
    pub median_secs: f64,
    /// The same in percent of the second one's median.
    pub percent: Option<f64>,
    /// Where the median of all such differences lies, with 95 % confidence.
    pub interval_secs: Option<(f64, f64)>,
    /// What the first target is.
    pub verdict: Verdict,
}

impl From<Difference> for Compared {
    fn from(difference: Difference) -> Self {
        let verdict = difference.verdict();
        let Difference { pairs, median_secs, percent, interval_secs } = difference;
        Self { pairs, median_secs, percent, interval_secs, verdict }
    }
}

impl Measured {
    /// With the summary of its attempts.
    pub fn new(url: String, attempts: Vec<Attempt>) -> Self {
        let failed = attempts.iter().filter(|attempt| attempt.failure.is_some()).count();
        let mut measured = Self { url, attempts, failed, summary: BTreeMap::new() };
        for time in Time::ALL {
            let summary = Summary::of(&measured.durations(time));
            measured.summary.extend(summary.map(|summary| (time.name(), Summarized(summary))));
        }
        measured
    }

    /// This time of all attempts that did not fail.
    pub fn durations(&self, time: Time) -> Vec<Duration> {
        self.attempts.iter().filter_map(|attempt| attempt.good(time)).collect()
    }
}

impl Attempt {
    /// This time, if it did not fail.
    fn good(&self, time: Time) -> Option<Duration> {
        self.times.get(time).filter(|_| self.failure.is_none())
    }
}

impl Report {
    /// Of one target, or of two that were measured alternately.
    pub fn new(targets: Vec<Measured>, path: Path) -> Self {
        let mut differences = BTreeMap::new();
        if let [first, second] = targets.as_slice() {
            for time in Time::ALL {
                let both = first.attempts.iter().zip(&second.attempts);
                let pairs: Vec<_> = both.filter_map(|(a, b)| Some((a.good(time)?, b.good(time)?))).collect();
                differences.extend(Difference::of(&pairs).map(|difference| (time.name(), difference.into())));
            }
        }
        Self { targets, path, differences }
    }

    /// How many attempts there were, and how many of them failed.
    pub fn attempted_and_failed(&self) -> (usize, usize) {
        let sum = |of: fn(&Measured) -> usize| self.targets.iter().map(of).sum();
        (sum(|target| target.attempts.len()), sum(|target| target.failed))
    }
}
