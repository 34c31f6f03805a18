//! A UDP echo server, or one that says who it is.

use std::{
    net::{IpAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result};

use super::{super::Namespace, with_port};

/// Answers every datagram, until dropped.
#[derive(Debug)]
pub struct UdpEcho {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl UdpEcho {
    /// Sends what comes to one address and port back to where it came from.
    pub fn start(namespace: &Namespace, address: IpAddr, port: u16) -> Result<Self> {
        Self::answering(namespace, address, port, None)
    }

    /// Answers with the number of the server, in a byte.
    pub fn numbered(namespace: &Namespace, address: IpAddr, port: u16, number: u8) -> Result<Self> {
        Self::answering(namespace, address, port, Some(number))
    }

    fn answering(namespace: &Namespace, address: IpAddr, port: u16, number: Option<u8>) -> Result<Self> {
        let socket = namespace.enter(|| UdpSocket::bind(with_port(address, port)))?.context("binding the UDP echo")?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while !stopped.load(Ordering::Relaxed) {
                // A timeout is the moment to look at `stop`; a refused answer is the sender's affair.
                if let Ok((len, from)) = socket.recv_from(&mut buffer) {
                    let _ = match number {
                        Some(number) => socket.send_to(&[number], from),
                        None => socket.send_to(&buffer[..len], from),
                    };
                }
            }
        });
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for UdpEcho {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It cannot panic; and if it did, the test has failed without it.
            let _ = thread.join();
        }
    }
}
