//! Long-lived TCP connections to [`TcpEcho`](super::super::server::TcpEcho) servers.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};

use super::super::{Namespace, wait::wait_for};

/// How long an answer may take: several retransmissions.
const ANSWER_LIMIT: Duration = Duration::from_secs(8);
/// Between two messages of a connection.
const PAUSE: Duration = Duration::from_millis(50);
/// Messages at once, and the time until the next ones: a veth has 256 places, and what does not fit is lost to everybody.
const BURST: usize = 32;
const BREATH: Duration = Duration::from_millis(1);

/// Connections that each send numbered messages and want them back, until stopped.
#[derive(Debug)]
pub struct Connections {
    /// Number of the server of each.
    pub servers: Vec<u8>,
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    thread: Option<JoinHandle<Vec<(usize, String)>>>,
}

/// What became of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionReport {
    /// Number of the server of each.
    pub servers: Vec<u8>,
    /// Messages that each sent.
    pub rounds: u64,
    /// Which broke, and how.
    pub broken: Vec<(usize, String)>,
}

impl ConnectionReport {
    /// How many broke that were not on these servers.
    pub fn broken_beside(&self, servers: &[u8]) -> usize {
        self.broken.iter().filter(|(at, _)| !servers.contains(&self.servers[*at])).count()
    }
}

impl Connections {
    /// Opens so many from the client, and begins to use them.
    pub fn open(client: &Namespace, server: SocketAddr, count: usize) -> Result<Self> {
        let open = || (0..count).map(|_| connect(server)).collect::<Result<Vec<_>>>();
        let (streams, servers): (Vec<_>, Vec<_>) = client.enter(open)??.into_iter().unzip();
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&rounds));
        let thread = std::thread::spawn(move || exchange(streams, &stopped, &counted));
        Ok(Self { servers, stop, rounds, thread: Some(thread) })
    }

    /// Returns when every connection that is not broken has sent so many more messages, and got them back.
    pub fn use_for(&self, rounds: u64) -> Result<()> {
        // The round that is under way began before.
        let end = self.rounds.load(Ordering::SeqCst) + rounds + 1;
        let limit = ANSWER_LIMIT * 4;
        wait_for("rounds of messages", limit, || (self.rounds.load(Ordering::SeqCst) >= end).then_some(()))
    }

    /// Ends them.
    pub fn stop(mut self) -> Result<ConnectionReport> {
        self.stop.store(true, Ordering::SeqCst);
        let thread = self.thread.take().context("connections are stopped once")?;
        let broken = thread.join().map_err(|_| anyhow!("the connections' thread panicked"))?;
        let rounds = self.rounds.load(Ordering::SeqCst);
        ensure!(rounds > 0, "no message was exchanged");
        Ok(ConnectionReport { servers: std::mem::take(&mut self.servers), rounds, broken })
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn connect(server: SocketAddr) -> Result<(TcpStream, u8)> {
    let mut stream =
        TcpStream::connect_timeout(&server, ANSWER_LIMIT).with_context(|| format!("connecting to {server}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    let mut number = [0];
    stream.read_exact(&mut number).with_context(|| format!("greeting of {server}"))?;
    Ok((stream, number[0]))
}

/// Sends on all, then waits for all: what one waits for, the others do as well.
fn exchange(streams: Vec<TcpStream>, stop: &AtomicBool, rounds: &AtomicU64) -> Vec<(usize, String)> {
    let mut streams: Vec<_> = streams.into_iter().enumerate().collect();
    let mut broken = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let number = rounds.load(Ordering::SeqCst).to_be_bytes();
        let mut keep = |what: &str, result: std::io::Result<()>, at: usize| {
            result.map_err(|error| broken.push((at, format!("{what}: {error}")))).is_ok()
        };
        let mut sent = 0;
        streams.retain_mut(|(at, stream)| {
            sent += 1;
            if sent % BURST == 0 {
                std::thread::sleep(BREATH);
            }
            keep("sending", stream.write_all(&number), *at)
        });
        streams.retain_mut(|(at, stream)| {
            let mut answer = [0; 8];
            let result = stream.read_exact(&mut answer);
            keep("receiving", result, *at) && keep("answer", is_same(answer, number), *at)
        });
        rounds.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(PAUSE);
    }
    broken
}

fn is_same(answer: [u8; 8], number: [u8; 8]) -> std::io::Result<()> {
    if answer == number { Ok(()) } else { Err(std::io::Error::other("not what was sent")) }
}
