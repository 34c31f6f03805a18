//! A long wire: two interfaces of one namespace, between which a thread carries every frame with a delay. Kernels of
//! labs need no netem for it.

mod port;
mod queue;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Result;

use self::{port::Port, queue::Queue};
use super::{
    Namespace,
    link::{End, Link, LinkSpec},
};

/// Longest time after which the thread looks whether it should end.
const IDLE: Duration = Duration::from_millis(100);
/// Frames taken from one port before the other has its turn.
const BATCH: usize = 64;

/// A wire between two ends; cut when it is dropped.
#[derive(Debug)]
pub struct Wire {
    stop: Arc<AtomicBool>,
    lost: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
    _links: [Link; 2],
    _namespace: Namespace,
}

impl Wire {
    /// A wire that delays frames by so much, each way. Neither end may have an XDP program.
    pub fn new(first: End<'_>, second: End<'_>, mtu_bytes: u16, delay: Duration) -> Result<Self> {
        let namespace = Namespace::new("wire")?;
        // The ends of the wire itself speak nothing.
        namespace.sysctls(&[("ipv6/conf/default/disable_ipv6", "1"), ("ipv6/conf/all/disable_ipv6", "1")])?;
        let links = [
            LinkSpec::new(first, End::new(&namespace, "w0", [])).mtu(mtu_bytes).create()?,
            LinkSpec::new(second, End::new(&namespace, "w1", [])).mtu(mtu_bytes).create()?,
        ];
        let ports = namespace.enter(|| Ok::<_, anyhow::Error>([Port::open("w0")?, Port::open("w1")?]))??;
        let (stop, lost) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&lost));
        let thread = std::thread::spawn(move || carry(&ports, delay, &stopped, &counted));
        Ok(Self { stop, lost, thread: Some(thread), _links: links, _namespace: namespace })
    }

    /// Frames that did not fit into a queue or an interface: lost by the lab, not by what it tests.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It cannot panic; and if it did, the test has failed without it.
            let _ = thread.join();
        }
    }
}

fn carry(ports: &[Port; 2], delay: Duration, stop: &AtomicBool, lost: &AtomicU64) {
    super::run_ahead_of_others();
    // What came in by port i.
    let mut queues = [Queue::default(), Queue::default()];
    let mut buffer = vec![0; port::FRAME_BYTES];
    while !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        for (queue, other) in queues.iter_mut().zip(ports.iter().rev()) {
            while let Some(frame) = queue.take(now) {
                if !other.send(&frame) {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        let due = queues.iter().filter_map(Queue::due).min();
        let pause = due.map_or(IDLE, |due| due.saturating_duration_since(Instant::now()).min(IDLE));
        port::wait(ports, pause);
        for (queue, port) in queues.iter_mut().zip(ports) {
            for _ in 0..BATCH {
                let Some(len) = port.receive(&mut buffer) else { break };
                if !queue.put(Instant::now() + delay, &buffer[..len]) {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}
