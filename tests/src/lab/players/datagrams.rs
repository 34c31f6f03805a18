//! Numbered questions by UDP, and their answers.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{
    super::{Namespace, client::dns, run_ahead_of_others, server::DNS_NAME},
    ANSWER_LIMIT, Record,
    record::Gaps,
};

/// What is asked, how often.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    interval: Duration,
    question: fn(u64) -> Vec<u8>,
    /// The low 16 bits of the number of the question that this answers.
    answer: fn(&[u8]) -> Option<u16>,
}

/// Datagrams that come back.
pub(super) const GAME: Kind = Kind {
    interval: Duration::from_millis(5),
    question: |number| number.to_be_bytes().repeat(8),
    answer: |datagram| datagram.get(6..8).map(|low| u16::from_be_bytes([low[0], low[1]])),
};

/// Questions for one name.
pub(super) const DNS: Kind = Kind {
    interval: Duration::from_millis(50),
    question: |number| dns::question(number as u16, DNS_NAME),
    answer: dns::answered,
};

/// Begins to ask, from one port.
pub(super) fn start(
    namespace: &Namespace,
    server: SocketAddr,
    kind: Kind,
    stop: &Arc<AtomicBool>,
) -> Result<JoinHandle<Record>> {
    let any: SocketAddr =
        if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = namespace.enter(|| UdpSocket::bind(any))?.context("binding a UDP socket")?;
    let stop = Arc::clone(stop);
    Ok(std::thread::spawn(move || ask(&socket, server, kind, &stop)))
}

fn ask(socket: &UdpSocket, server: SocketAddr, kind: Kind, stop: &AtomicBool) -> Record {
    run_ahead_of_others();
    let mut open = Open::default();
    let mut gaps = Gaps::new();
    let mut buffer = [0; 2048];
    let mut next = Instant::now();
    let mut end = None;
    loop {
        let now = Instant::now();
        if end.is_none() && stop.load(Ordering::Relaxed) {
            // What is on its way may still arrive.
            end = Some((now + ANSWER_LIMIT, gaps.longest()));
        }
        match end {
            Some((end, longest_gap)) if now >= end || open.is_empty() => {
                return Record { sent: open.sent, lost: open.lost(), broken: 0, longest_gap };
            }
            None if now >= next => {
                // A router that has no way says so, or not: an answer that does not come is what counts.
                let _ = socket.send_to(&(kind.question)(open.sent), server);
                open.send(now);
                // What a busy machine has missed is not made up for.
                next = (next + kind.interval).max(now);
            }
            _ => {}
        }
        let wake = end.map_or(next, |(end, _)| end);
        let pause = wake.saturating_duration_since(Instant::now()).max(Duration::from_micros(100));
        if socket.set_read_timeout(Some(pause)).is_err() {
            continue;
        }
        if let Ok((len, from)) = socket.recv_from(&mut buffer)
            && from == server
            && let Some(number) = (kind.answer)(&buffer[..len])
            && open.answer(number)
        {
            gaps.answer();
        }
    }
}

/// Questions without an answer.
#[derive(Debug, Default)]
struct Open {
    sent: u64,
    too_late: u64,
    waiting: std::collections::VecDeque<(u64, Instant)>,
}

impl Open {
    fn send(&mut self, now: Instant) {
        while self.waiting.pop_front_if(|(_, since)| now.duration_since(*since) > ANSWER_LIMIT).is_some() {
            self.too_late += 1;
        }
        self.waiting.push_back((self.sent, now));
        self.sent += 1;
    }

    /// True if it was open.
    fn answer(&mut self, low: u16) -> bool {
        let at = self.waiting.iter().position(|(number, _)| *number as u16 == low);
        at.and_then(|at| self.waiting.remove(at)).is_some()
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn lost(&self) -> u64 {
        self.too_late + self.waiting.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_answer_and_a_late_one_are_none() {
        let (mut open, began) = (Open::default(), Instant::now());
        open.send(began);
        open.send(began);
        assert!(open.answer(1) && !open.answer(1));
        open.send(began + ANSWER_LIMIT * 2);
        assert!(!open.answer(0), "it came too late");
        assert!(open.answer(2));
        assert_eq!((open.sent, open.lost()), (3, 1));
    }

    #[test]
    fn questions_are_told_by_their_answers() {
        let question = (GAME.question)(0x1_0203);
        assert_eq!((GAME.answer)(&question), Some(0x0203));
        assert_eq!((GAME.answer)(&question[..7]), None);
    }
}
