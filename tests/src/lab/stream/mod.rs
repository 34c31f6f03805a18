//! A stream of numbered UDP datagrams that tells what a forwarder lost, doubled or reordered, and for how long nothing
//! arrived.

mod message;
mod receiver;
mod sender;
mod socket;
mod tally;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use self::{message::HEADER_BYTES, tally::Tally};
use super::{Namespace, wait::wait_for};

/// What to send.
#[derive(Clone, Debug)]
#[must_use]
pub struct StreamSpec {
    /// Where the receiver listens.
    pub destination: SocketAddr,
    /// Datagrams per second, over all flows.
    pub rate_pps: u32,
    /// UDP payload of each; at least 24.
    pub payload_bytes: usize,
    /// Source ports to spread the datagrams over. Order is judged within a flow.
    pub flows: u32,
}

impl StreamSpec {
    /// 100 bytes of payload in one flow.
    pub fn new(destination: SocketAddr, rate_pps: u32) -> Self {
        Self { destination, rate_pps, payload_bytes: 100, flows: 1 }
    }

    /// Spreads the stream over this many flows.
    pub fn flows(mut self, flows: u32) -> Self {
        self.flows = flows;
        self
    }

    /// UDP payload of each datagram.
    pub fn payload_bytes(mut self, bytes: usize) -> Self {
        self.payload_bytes = bytes;
        self
    }
}

/// What became of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamReport {
    /// Datagrams that the kernel took from the sender.
    pub sent: u64,
    /// Different datagrams that arrived.
    pub received: u64,
    /// Sent and never arrived.
    pub lost: u64,
    /// Arrived again.
    pub duplicated: u64,
    /// Arrived behind a later one of their flow.
    pub reordered: u64,
    /// Longest run of lost datagrams of one flow.
    pub longest_loss_run: u64,
    /// Longest time between two arrivals, by the kernel's receive time stamps.
    pub longest_gap: Duration,
    /// Datagrams that arrived and did not fit into the receiver's socket: lost by the lab, not by what it tests. They
    /// are among `lost`.
    pub receiver_overflows: u64,
    /// What the sender really reached; it drops behind rather than send bursts when the machine is busy.
    pub rate_pps: u64,
}

/// A running stream. Dropping it stops it without a report.
#[derive(Debug)]
pub struct NumberedStream {
    shared: Arc<Shared>,
    sender: Option<JoinHandle<Result<Vec<u64>>>>,
    receiver: Option<JoinHandle<Result<Tally>>>,
    started: Instant,
}

/// What the threads and the owner of a stream share.
#[derive(Debug, Default)]
struct Shared {
    stop_sending: AtomicBool,
    stop_receiving: AtomicBool,
    sent: AtomicU64,
    received: AtomicU64,
}

impl NumberedStream {
    /// Starts a receiver in `to` and a sender in `from`, and waits until datagrams arrive.
    pub fn start(from: &Namespace, to: &Namespace, spec: &StreamSpec) -> Result<Self> {
        let stream = Self::start_unchecked(from, to, spec)?;
        wait_for("datagram of the numbered stream", Duration::from_secs(5), || (stream.received() > 0).then_some(()))?;
        Ok(stream)
    }

    /// [`NumberedStream::start`] where nothing may arrive yet.
    pub fn start_unchecked(from: &Namespace, to: &Namespace, spec: &StreamSpec) -> Result<Self> {
        anyhow::ensure!(spec.payload_bytes >= HEADER_BYTES, "a payload of at least {HEADER_BYTES} bytes");
        anyhow::ensure!(spec.rate_pps > 0 && spec.flows > 0, "a rate and at least one flow");
        let shared = Arc::new(Shared::default());
        let id = message::new_stream_id();
        // Sockets belong to the namespace that they are made in; the threads need not be there.
        let receiving = to.enter(|| socket::receiving(spec.destination))??;
        let sending: Vec<_> =
            from.enter(|| (0..spec.flows).map(|_| socket::sending(spec.destination)).collect::<Result<_>>())??;
        let receiver = {
            let (shared, flows) = (Arc::clone(&shared), spec.flows);
            std::thread::spawn(move || receiver::run(&receiving, id, flows, &shared))
        };
        let sender = {
            let (shared, spec) = (Arc::clone(&shared), spec.clone());
            std::thread::spawn(move || sender::run(&sending, id, &spec, &shared))
        };
        Ok(Self { shared, sender: Some(sender), receiver: Some(receiver), started: Instant::now() })
    }

    /// Datagrams sent so far.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Datagrams received so far, doubled ones included.
    pub fn received(&self) -> u64 {
        self.shared.received.load(Ordering::Relaxed)
    }

    /// Stops sending, takes in what is still on its way, and reports.
    pub fn stop(mut self) -> Result<StreamReport> {
        let sent_per_flow = self.join_sender()?.context("the sender is there until the stream stops")?;
        let elapsed = self.started.elapsed();
        let tally = self.join_receiver()?.context("the receiver is there until the stream stops")?;
        let mut report = tally.report(&sent_per_flow);
        report.rate_pps = report.sent * 1000 / (elapsed.as_millis() as u64).max(1);
        Ok(report)
    }

    fn join_sender(&mut self) -> Result<Option<Vec<u64>>> {
        self.shared.stop_sending.store(true, Ordering::Relaxed);
        self.sender.take().map(join).transpose()
    }

    fn join_receiver(&mut self) -> Result<Option<Tally>> {
        self.shared.stop_receiving.store(true, Ordering::Relaxed);
        self.receiver.take().map(join).transpose()
    }
}

impl Drop for NumberedStream {
    fn drop(&mut self) {
        // After `stop` there is nothing left to join, and without it nobody wants the result.
        let _ = self.join_sender();
        let _ = self.join_receiver();
    }
}

fn join<T>(thread: JoinHandle<Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
