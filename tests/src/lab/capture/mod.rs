//! What is on a link: captured by a packet socket, dissected by tshark.
//!
//! tshark could capture by itself, but takes a second to begin and throws away what it has not read when it ends.

mod captured;
mod pcap;
mod socket;

use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use anyhow::{Context, Result, ensure};

pub use captured::Captured;

use self::{pcap::PcapWriter, socket::PacketSocket};
use super::Namespace;

/// A running capture of both directions of an interface. Frames that XDP takes, redirects or transmits are not seen on
/// its own interface: capture on the peer. Locally made packets have only half a checksum when they leave by an
/// interface with `tx on`: capture on one that faces XDP.
#[derive(Debug)]
pub struct Capture {
    file: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Capture {
    /// Captures from now on, into `file`.
    pub fn start(namespace: &Namespace, interface: &str, file: &Path) -> Result<Self> {
        let socket = namespace.enter(|| PacketSocket::open(interface))??;
        let output = File::create(file).with_context(|| format!("creating {}", file.display()))?;
        let mut writer = PcapWriter::new(BufWriter::new(output))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut frame = vec![0; 1 << 16];
            loop {
                // What has arrived before the stop is in the socket by then: silence after it means the end.
                let stopping = stopped.load(Ordering::Relaxed);
                match socket.receive(&mut frame)? {
                    Some((len, arrival_ns)) => writer.write(&frame[..len], arrival_ns)?,
                    None if stopping => break,
                    None => {}
                }
            }
            let missed = socket.missed_frames()?;
            ensure!(missed == 0, "the capture missed {missed} frames");
            writer.finish()
        });
        Ok(Self { file: file.to_owned(), stop, thread: Some(thread) })
    }

    /// Ends the capture. Fails if it could not keep up.
    pub fn stop(mut self) -> Result<Captured> {
        self.join()?;
        Ok(Captured::new(self.file.clone()))
    }

    fn join(&mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // Without `stop`, nobody wants the result.
        let _ = self.join();
    }
}
