//! Many long downloads by HTTP at once.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{JoinHandle, sleep},
    time::Duration,
};

use anyhow::{Context, Result, anyhow};

use super::super::{Namespace, wait::wait_for};

/// Longest time without a byte: several retransmissions.
const STALL_LIMIT: Duration = Duration::from_secs(8);
/// Between two reads of a download, so that it lasts.
const PAUSE: Duration = Duration::from_millis(200);
const READ_BYTES: usize = 16_384;

/// Downloads of the same file, each begun again on its connection whenever it is whole, until stopped.
#[derive(Debug)]
pub struct Downloads {
    stop: Arc<AtomicBool>,
    bytes: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Result<u64, String>>>,
}

/// What became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DownloadReport {
    /// Whole files.
    pub whole: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// What broke which.
    pub broken: Vec<(usize, String)>,
}

impl Downloads {
    /// Begins so many of the first `range_bytes` bytes of `path`, and waits until each has some of them.
    pub fn start(
        client: &Namespace,
        server: SocketAddr,
        path: &'static str,
        range_bytes: u64,
        count: usize,
    ) -> Result<Self> {
        let connect = || TcpStream::connect_timeout(&server, STALL_LIMIT);
        let streams = client.enter(|| (0..count).map(|_| connect()).collect::<io::Result<Vec<_>>>())?;
        let streams = streams.with_context(|| format!("connecting to {server}"))?;
        let (stop, bytes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let started = Arc::new(AtomicU64::new(0));
        let threads = streams.into_iter().map(|stream| {
            let (stop, bytes, started) = (Arc::clone(&stop), Arc::clone(&bytes), Arc::clone(&started));
            std::thread::spawn(move || {
                let mut download = Download { stream, stop: &stop, bytes: &bytes, started: &started, whole: 0 };
                download.run(path, range_bytes).map_err(|error| error.to_string())
            })
        });
        let downloads = Self { threads: threads.collect(), stop, bytes };
        wait_for("start of all downloads", STALL_LIMIT, || {
            (started.load(Ordering::SeqCst) == count as u64).then_some(())
        })?;
        Ok(downloads)
    }

    /// Lets each end the file that it is at.
    pub fn stop(mut self) -> Result<DownloadReport> {
        self.stop.store(true, Ordering::SeqCst);
        let mut report = DownloadReport::default();
        for (at, thread) in self.threads.drain(..).enumerate() {
            match thread.join().map_err(|_| anyhow!("the thread of a download panicked"))? {
                Ok(whole) => report.whole += whole,
                Err(error) => report.broken.push((at, error)),
            }
        }
        report.bytes = self.bytes.load(Ordering::SeqCst);
        Ok(report)
    }
}

impl Drop for Downloads {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

struct Download<'a> {
    stream: TcpStream,
    stop: &'a AtomicBool,
    bytes: &'a AtomicU64,
    started: &'a AtomicU64,
    whole: u64,
}

impl Download<'_> {
    /// How many files were whole.
    fn run(&mut self, path: &str, range_bytes: u64) -> io::Result<u64> {
        self.stream.set_read_timeout(Some(STALL_LIMIT))?;
        let last = range_bytes - 1;
        let request = format!("GET {path} HTTP/1.1\r\nHost: vip\r\nRange: bytes=0-{last}\r\n\r\n");
        while !self.stop.load(Ordering::SeqCst) {
            self.stream.write_all(request.as_bytes())?;
            self.read_head()?;
            let mut left = range_bytes;
            if self.whole == 0 {
                self.started.fetch_add(1, Ordering::SeqCst);
            }
            while left > 0 {
                let mut buffer = [0; READ_BYTES];
                let wanted = READ_BYTES.min(usize::try_from(left).unwrap_or(READ_BYTES));
                let read = self.read(&mut buffer[..wanted])?;
                // The file is one letter again and again.
                if buffer[..read].iter().any(|byte| *byte != b'x') {
                    return Err(io::Error::other("another byte"));
                }
                left -= read as u64;
                if !self.stop.load(Ordering::SeqCst) {
                    sleep(PAUSE);
                }
            }
            self.whole += 1;
        }
        Ok(self.whole)
    }

    /// Reads to the end of the head, and no further.
    fn read_head(&mut self) -> io::Result<()> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            self.read(&mut byte)?;
            head.push(byte[0]);
        }
        let is_part = head.starts_with(b"HTTP/1.1 206 ");
        if is_part { Ok(()) } else { Err(io::Error::other(String::from_utf8_lossy(&head).into_owned())) }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stream.read(buffer)? {
            0 => Err(io::Error::other("the server hung up")),
            read => {
                self.bytes.fetch_add(read as u64, Ordering::SeqCst);
                Ok(read)
            }
        }
    }
}
