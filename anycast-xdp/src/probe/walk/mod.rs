//! The routers on the way to an address, found as tracepath finds them: UDP datagrams with a growing TTL or hop limit, and
//! what ICMP errors say of them. No rights are needed: the kernel hands errors to the socket whose datagram they quote
//! (`IP_RECVERR`, ip(7); `IPV6_RECVERR`, RFC 3542 section 4 for the hop limit).

mod socket;

use std::{
    io,
    net::IpAddr,
    time::{Duration, Instant},
};

use serde::Serialize;

use self::socket::{Heard, Socket};
use super::times::as_secs;

/// Paths through the Internet are shorter.
const HOPS_MAX: u8 = 30;
/// So many hops in a row that answer nothing end a walk.
const SILENT_HOPS_MAX: u8 = 5;
/// How long the first answer may take.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Once there was an answer, another one may take so many times as long, and at least [`WAIT_MIN`].
const WAIT_FACTOR: u32 = 3;
const WAIT_MIN: Duration = Duration::from_millis(200);

/// The way to an address, as it was at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Walk {
    /// The first hop first, without the silent ones at the end.
    pub hops: Vec<Hop>,
    /// Why it ended there.
    pub end: End,
}

/// What answered with one TTL or hop limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hop {
    /// The TTL or hop limit.
    pub hop: u8,
    /// Who answered; none: nobody did.
    pub address: Option<IpAddr>,
    /// After how long.
    #[serde(rename = "rtt_secs", serialize_with = "as_secs")]
    pub rtt: Option<Duration>,
    /// The address's name in DNS.
    pub name: Option<String>,
}

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The address itself answered.
    Reached,
    /// A router said that there is no way on, or none that is allowed.
    Unreachable,
    /// Nobody answered any more: as where the datagram is for no listener of a VIP, and dropped.
    Silent,
    /// There were more hops than any path has: a loop.
    TooLong,
}

/// Walks to an address.
///
/// # Errors
///
/// There is no route to it, or no socket.
pub async fn walk(address: IpAddr) -> io::Result<Walk> {
    let slots = usize::from(HOPS_MAX) + 1;
    let mut walker = Walker {
        socket: Socket::open(address)?,
        heard: vec![None; slots],
        sent: vec![Instant::now(); slots],
        wait: FIRST_WAIT,
    };
    let mut last = 0;
    for hop in 1..=HOPS_MAX {
        walker.ask(hop).await?;
        last = hop;
        if walker.is_end(hop) || hop - walker.last_heard() >= SILENT_HOPS_MAX {
            break;
        }
    }
    // A second chance for each that was silent before another one answered, and for the one behind: errors are rate-limited,
    // and get lost.
    let heard = walker.last_heard();
    let behind = u8::from(!walker.is_end(heard));
    for hop in 1..=(heard + behind).min(last) {
        if walker.heard[usize::from(hop)].is_none() {
            walker.ask(hop).await?;
        }
    }
    Ok(walker.walk(last))
}

struct Walker {
    socket: Socket,
    /// By hop; 0 is none.
    heard: Vec<Option<(Heard, Duration)>>,
    /// By hop, when it was asked last.
    sent: Vec<Instant>,
    wait: Duration,
}

impl Walker {
    /// Sends one datagram and waits for what is said of it. What is said of an earlier one meanwhile is kept as well.
    async fn ask(&mut self, hop: u8) -> io::Result<()> {
        let now = Instant::now();
        self.sent[usize::from(hop)] = now;
        self.socket.send(hop)?;
        let deadline = (now + self.wait).into();
        // A router that quotes no more than it must (RFC 792) does not tell of which: then it is the last.
        while self.heard[usize::from(hop)].is_none()
            && let Ok(heard) = tokio::time::timeout_at(deadline, self.socket.hear()).await
        {
            let heard = heard?;
            let of = heard.hop.unwrap_or(hop).min(HOPS_MAX);
            let rtt = self.sent[usize::from(of)].elapsed();
            self.heard[usize::from(of)].get_or_insert((heard, rtt));
        }
        if let Some((_, rtt)) = &self.heard[usize::from(hop)] {
            let enough = (*rtt * WAIT_FACTOR).clamp(WAIT_MIN, FIRST_WAIT);
            self.wait = if self.wait == FIRST_WAIT { enough } else { self.wait.max(enough) };
        }
        Ok(())
    }

    fn is_end(&self, hop: u8) -> bool {
        self.heard[usize::from(hop)].as_ref().is_some_and(|(heard, _)| heard.is_end())
    }

    /// The last hop that answered; 0: none did.
    fn last_heard(&self) -> u8 {
        (1..=HOPS_MAX).rev().find(|hop| self.heard[usize::from(*hop)].is_some()).unwrap_or(0)
    }

    fn walk(self, asked: u8) -> Walk {
        // What lies behind an end was asked before the end was known.
        let end = (1..=HOPS_MAX).find(|hop| self.is_end(*hop));
        let last = end.unwrap_or_else(|| self.last_heard());
        let how = match end.and_then(|hop| self.heard[usize::from(hop)].as_ref()) {
            Some((heard, _)) if heard.is_from_destination() => End::Reached,
            Some(_) => End::Unreachable,
            None if asked == HOPS_MAX && last == HOPS_MAX => End::TooLong,
            None => End::Silent,
        };
        let hops = (1..=last).map(|hop| {
            let heard = self.heard[usize::from(hop)].as_ref();
            let (address, rtt) = (heard.map(|(heard, _)| heard.from), heard.map(|(_, rtt)| *rtt));
            Hop { hop, address, rtt, name: None }
        });
        Walk { hops: hops.collect(), end: how }
    }
}
