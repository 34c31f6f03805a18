//! What was learnt, until when it holds, and the file that outlives the daemon.
//!
//! Times are of the kernel's monotonic clock, which all processes share, so the next daemon goes on where this one
//! stopped, and `status` can tell what is left.

use std::{collections::BTreeMap, fs, io, net::IpAddr, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::Told;
use crate::{dataplane::inventory::replace, netlink::Route};

/// How long something learnt holds: then larger packets are tried again (RFC 1191 section 6.3 has ten minutes).
const LIFETIME: Duration = Duration::from_mins(10);
/// In the runtime directory.
const FILE: &str = "learnt-mtus.json";

/// Learnt MTUs by the tunnel address of the backend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Learnt {
    entries: BTreeMap<IpAddr, Entry>,
}

/// What was learnt of one path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Longest outer packet that the path takes, in bytes.
    pub mtu_bytes: u16,
    /// When it is forgotten.
    pub expires_at_ms: u64,
    /// What it was learnt of: another route is another path.
    route: Route,
}

impl Entry {
    /// How long it still holds.
    pub fn left(&self, now: Duration) -> Duration {
        Duration::from_millis(self.expires_at_ms).saturating_sub(now)
    }
}

impl Learnt {
    /// Takes in what was told of the path along `route`; whether that is new. Only a lower MTU is: a packet that got
    /// an answer with a higher one was on its way before the lower one was known.
    pub fn learn(&mut self, told: Told, route: &Route, now: Duration) -> bool {
        let known = self.entries.get(&told.backend).map(|entry| entry.mtu_bytes);
        let is_news = known.is_none_or(|known| told.mtu_bytes < known);
        if is_news {
            let expires_at_ms = (now + LIFETIME).as_millis() as u64;
            let entry = Entry { mtu_bytes: told.mtu_bytes, expires_at_ms, route: route.clone() };
            self.entries.insert(told.backend, entry);
        }
        is_news
    }

    /// Forgets what has expired, and what was learnt of other routes than these; which backends that concerns.
    pub fn forget(&mut self, routes: &BTreeMap<IpAddr, Route>, now: Duration) -> Vec<IpAddr> {
        let holds = |(address, entry): &(&IpAddr, &mut Entry)| {
            routes.get(address) == Some(&entry.route) && !entry.left(now).is_zero()
        };
        self.entries.extract_if(.., |address, entry| !holds(&(address, entry))).map(|(address, _)| address).collect()
    }

    /// How long until the next one expires.
    pub fn next_expiry(&self, now: Duration) -> Option<Duration> {
        self.entries.values().map(|entry| entry.left(now)).min()
    }

    /// What was learnt of the path to a backend.
    pub fn of(&self, backend: IpAddr) -> Option<&Entry> {
        self.entries.get(&backend)
    }

    /// The MTUs alone.
    pub fn mtus(&self) -> BTreeMap<IpAddr, u16> {
        self.entries.iter().map(|(address, entry)| (*address, entry.mtu_bytes)).collect()
    }

    /// What the daemon of a runtime directory has learnt; a missing file is nothing.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is something else.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join(FILE);
        match fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).with_context(|| format!("{} does not hold learnt MTUs", path.display()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Replaces the file.
    ///
    /// # Errors
    ///
    /// The file system refuses; the old one is still there.
    pub fn write(&self, directory: &Path) -> Result<()> {
        replace(&directory.join(FILE), self)
    }
}

/// The kernel's monotonic clock.
///
/// # Errors
///
/// A kernel without it.
pub fn monotonic_now() -> io::Result<Duration> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?))
}
