//! One probe of one backend: what is sent, and what has to come back.
//!
//! | file | concern |
//! | --- | --- |
//! | `socket` | sockets with the backend's mark, bound to the health address |
//! | `icmp` | echo requests, of all backends by one socket a family |
//! | `tcp`, `http`, `tls`, `udp`, `dns` | what is said over a socket |
//! | `steps` | what happened when, for those who ask |

mod dns;
mod http;
pub mod icmp;
pub(super) mod socket;
pub mod steps;
mod tcp;
mod tls;
mod udp;

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use anycast_common::probe::ProbeMark;
use tokio::time::timeout;

use self::steps::Steps;
use crate::desired::{Check, Health};

/// Whom a probe goes to, and by what.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The address that it is sent to.
    pub vip: IpAddr,
    /// The address that it comes from, of the same family.
    pub source: IpAddr,
    /// Index of the backend that takes it.
    pub backend_index: u32,
    /// What is sent, and what has to come back.
    pub health: Arc<Health>,
}

impl Subject {
    /// The mark of its packets.
    pub fn mark(&self) -> u32 {
        ProbeMark { backend_index: self.backend_index }.to_socket_mark()
    }
}

/// Why a probe was no success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// Nothing came in time.
    #[error("no {what} within {after:?}")]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// How long.
        after: Duration,
    },
    /// Somebody on the way, or the backend, said no.
    #[error("{what}: {why}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// The answer.
        why: String,
    },
    /// Something came back, and not what has to.
    #[error("{0}")]
    Unexpected(String),
    /// It never left this host, and says nothing of the backend.
    #[error("not sent: {0}")]
    NotSent(String),
}

impl ProbeError {
    /// What an error of a socket means.
    pub(super) fn of(what: &'static str, error: &io::Error) -> Self {
        if is_own(error) {
            Self::NotSent(format!("{what}: {error}"))
        } else {
            Self::Refused { what, why: error.to_string() }
        }
    }

    /// Does it say nothing of the backend?
    pub fn is_own(&self) -> bool {
        matches!(self, Self::NotSent(_))
    }
}

/// Does an error come from this host alone: no route, no such source address, no permission, no memory?
fn is_own(error: &io::Error) -> bool {
    let own = [
        libc::ENETUNREACH,
        libc::EADDRNOTAVAIL,
        libc::EADDRINUSE,
        libc::EACCES,
        libc::EPERM,
        libc::EINVAL,
        libc::ENODEV,
        libc::ENETDOWN,
        libc::ENOBUFS,
        libc::ENOMEM,
        libc::EMFILE,
        libc::ENFILE,
        libc::EAFNOSUPPORT,
    ];
    error.raw_os_error().is_some_and(|code| own.contains(&code))
}

/// One probe, from its socket to its answer, within its time.
///
/// # Errors
///
/// Why it was no success.
pub async fn probe(subject: &Subject, steps: &mut Steps) -> Result<(), ProbeError> {
    let after = subject.health.timeout;
    let result = timeout(after, ask(subject, steps)).await;
    result.unwrap_or_else(|_| Err(ProbeError::Timeout { what: steps.awaited(), after }))
}

async fn ask(subject: &Subject, steps: &mut Steps) -> Result<(), ProbeError> {
    match &subject.health.check {
        Check::Icmp => icmp::once(subject, steps).await,
        Check::Tcp { port } => tcp::connect(subject, *port, steps).await.map(drop),
        Check::Http { port, tls, host, path, status } => {
            let request = http::Request { port: *port, is_tls: *tls, host: host.as_deref(), path, status };
            http::get(subject, &request, steps).await
        }
        Check::Udp { port, send, expect } => udp::ask(subject, *port, send, expect, steps).await,
        Check::Dns { port, name } => dns::ask(subject, *port, name, steps).await,
    }
}
