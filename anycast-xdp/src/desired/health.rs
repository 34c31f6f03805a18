//! How the backends of a pool are probed, and what follows where pools fail.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    ops::RangeInclusive,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::BindingPolicy;

/// The check of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// What is sent, and what has to come back.
    pub check: Check,
    /// Name of the VIP that it is sent to; none: the first, by name, that is bound to the pool.
    pub vip: Option<String>,
    /// Between two probes of a backend.
    pub interval: Duration,
    /// A probe without an answer has failed after it, at most the interval.
    pub timeout: Duration,
    /// Successes in a row after which a backend is up, 1 or more.
    pub rise: u8,
    /// Failures in a row after which it is down, 1 or more.
    pub fall: u8,
    /// By how much of it the interval is shortened at random, 0 to 50, so that probes of many do not go in step.
    pub jitter_percent: u8,
}

/// What a probe is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// An echo request; a reply.
    Icmp,
    /// A TCP connection; that it is made.
    Tcp {
        /// Port of the VIP.
        port: u16,
    },
    /// A GET by HTTP/1.1; a status.
    Http {
        /// Port of the VIP.
        port: u16,
        /// By TLS. Certificates are not judged: it is the host of the VIP that is asked, by its address.
        tls: bool,
        /// `Host`, and the name that TLS asks for; none: the VIP's address.
        host: Option<String>,
        /// Path and query.
        path: String,
        /// Statuses of a backend that is up.
        status: RangeInclusive<u16>,
    },
    /// A datagram; one that begins with `expect`.
    Udp {
        /// Port of the VIP.
        port: u16,
        /// What is sent.
        send: Vec<u8>,
        /// What the answer begins with; empty: any will do.
        expect: Vec<u8>,
    },
    /// A DNS query for the address of a name; an answer to it without an error.
    Dns {
        /// Port of the VIP.
        port: u16,
        /// The name.
        name: String,
    },
}

/// What is done where the pools of a VIP fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FailoverPolicy {
    /// Who takes flows to the next pool.
    pub failover: Failover,
    /// Who takes them back.
    pub failback: Failback,
    /// What becomes of a VIP without a usable pool.
    pub all_down: AllDown,
}

impl FailoverPolicy {
    /// What of it moves flows.
    pub const fn binding(self) -> BindingPolicy {
        BindingPolicy { failover: self.failover, failback: self.failback }
    }
}

/// Who takes flows to the next pool of a VIP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Failover {
    /// This host, when by its own view the pool is not usable.
    #[default]
    Local,
    /// The operator, by the `state` of the pool.
    Manual,
}

/// When flows go back to a better pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Failback {
    /// When the operator says so.
    Manual,
    /// When it has been usable for so long.
    After(Duration),
}

impl Default for Failback {
    /// A route that flaps moves flows once.
    fn default() -> Self {
        Self::After(Duration::from_secs(5))
    }
}

/// What becomes of a VIP without a usable pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AllDown {
    /// This host publishes it no longer.
    #[default]
    Withdraw,
    /// It goes on as if all were up.
    FailOpen,
}

/// Facts of a PoP host about health and publishing: `[health]` and `[publish]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishFacts {
    /// Routes to VIPs lead to this interface.
    pub interface: String,
    /// An interface whose program ended up in generic mode, without having been asked to, is good enough.
    pub generic: bool,
    /// A VIP that was withdrawn is published again at the earliest after it.
    pub hold_down: Duration,
    /// How long a drain tells routers before it withdraws.
    pub drain_signal: Duration,
    /// The watchdog withdraws when there has been no daemon for so long; none: it never does for that.
    pub withdraw_without_daemon: Option<Duration>,
}

impl PublishFacts {
    /// What `interface` is where the file does not say.
    pub const INTERFACE: &'static str = "axp0";
}

/// `[health]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthFacts {
    /// Source of probes to IPv4 VIPs: an address of this host to which backends can answer.
    pub source_ipv4: Option<Ipv4Addr>,
    /// The same for IPv6.
    pub source_ipv6: Option<Ipv6Addr>,
    /// In which the penalty of a backend that flaps is halved.
    pub damping_half_life: Duration,
}

impl Default for HealthFacts {
    fn default() -> Self {
        Self { source_ipv4: None, source_ipv6: None, damping_half_life: Duration::from_mins(1) }
    }
}
