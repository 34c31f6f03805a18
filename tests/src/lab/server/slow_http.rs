//! An HTTP server that takes its time, always the same.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, sleep},
    time::Duration,
};

use anyhow::{Context, Result};

use super::{super::Namespace, with_port};

/// Answers any request, one after the other, until dropped: waits, sends the head and a first part of the body, waits, and
/// sends the second part.
#[derive(Debug)]
pub struct SlowHttp {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// How it answers.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From the request to the head.
    pub before_head: Duration,
    /// From the first part of the body to the second.
    pub before_end: Duration,
    /// Each request with a number that this divides, from 1, is answered with 503; 0: none is.
    pub unavailable_every: u32,
}

impl SlowHttp {
    /// Starts it on one address and port.
    pub fn start(namespace: &Namespace, address: IpAddr, port: u16, pace: Pace) -> Result<Self> {
        let listener =
            namespace.enter(|| TcpListener::bind(with_port(address, port)))?.context("binding a slow server")?;
        listener.set_nonblocking(true)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut number = 0;
            while !stopped.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        number += 1;
                        // A connection that is lost is the client's affair.
                        let _ = serve(stream, number, pace);
                    }
                    // Nobody came: the moment to look at `stop`.
                    Err(_) => sleep(Duration::from_millis(1)),
                }
            }
        });
        Ok(Self { stop, thread: Some(thread) })
    }
}

fn serve(mut stream: TcpStream, number: u32, pace: Pace) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            bytes => request.extend_from_slice(&buffer[..bytes]),
        }
    }
    sleep(pace.before_head);
    let is_unavailable = pace.unavailable_every > 0 && number.is_multiple_of(pace.unavailable_every);
    let status = if is_unavailable { "503 Service Unavailable" } else { "200 OK" };
    stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 8\r\n\r\nslow").as_bytes())?;
    sleep(pace.before_end);
    stream.write_all(b"ness")
}

impl Drop for SlowHttp {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It cannot panic; and if it did, the test has failed without it.
            let _ = thread.join();
        }
    }
}
