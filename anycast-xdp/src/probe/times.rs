//! The times of one attempt, with the names and meanings of `curl --write-out`: all of them since its start.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// When an attempt got how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Times {
    /// The name has an address.
    #[serde(serialize_with = "as_secs")]
    pub time_namelookup: Option<Duration>,
    /// The TCP connection is there: SYN-ACK received.
    #[serde(serialize_with = "as_secs")]
    pub time_connect: Option<Duration>,
    /// The TLS handshake is done.
    #[serde(serialize_with = "as_secs")]
    pub time_appconnect: Option<Duration>,
    /// The head of the answer is there.
    #[serde(serialize_with = "as_secs")]
    pub time_starttransfer: Option<Duration>,
    /// It ended, well or not.
    #[serde(serialize_with = "as_secs")]
    pub time_total: Option<Duration>,
}

/// One of the [`Times`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// `time_namelookup`
    NameLookup,
    /// `time_connect`
    Connect,
    /// `time_appconnect`
    AppConnect,
    /// `time_starttransfer`
    StartTransfer,
    /// `time_total`
    Total,
}

impl Time {
    /// In the order in which an attempt gets there.
    pub const ALL: [Self; 5] = [Self::NameLookup, Self::Connect, Self::AppConnect, Self::StartTransfer, Self::Total];

    /// curl's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NameLookup => "time_namelookup",
            Self::Connect => "time_connect",
            Self::AppConnect => "time_appconnect",
            Self::StartTransfer => "time_starttransfer",
            Self::Total => "time_total",
        }
    }
}

impl Times {
    /// One of them; `None`: the attempt did not get there, or has no such step.
    pub const fn get(&self, time: Time) -> Option<Duration> {
        match time {
            Time::NameLookup => self.time_namelookup,
            Time::Connect => self.time_connect,
            Time::AppConnect => self.time_appconnect,
            Time::StartTransfer => self.time_starttransfer,
            Time::Total => self.time_total,
        }
    }
}

/// Seconds as a number, as curl writes them; null for what is not there.
#[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
pub(super) fn as_secs<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}
