//! A TCP echo server that says who it is.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result};

use super::{super::Namespace, with_port};

/// Greets every connection with its number, then sends back what it gets, until dropped.
#[derive(Debug)]
pub struct TcpEcho {
    stop: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    thread: Option<JoinHandle<()>>,
}

impl TcpEcho {
    /// Starts it on one address and port.
    pub fn start(namespace: &Namespace, address: IpAddr, port: u16, number: u8) -> Result<Self> {
        let listener =
            namespace.enter(|| TcpListener::bind(with_port(address, port)))?.context("binding a TCP echo")?;
        listener.set_nonblocking(true)?;
        let (stop, streams) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Vec<TcpStream>>>::default());
        let (stopped, accepted) = (Arc::clone(&stop), Arc::clone(&streams));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        // A connection that is lost already is the client's affair.
                        if let Ok(known) = stream.try_clone() {
                            accepted.lock().unwrap_or_else(PoisonError::into_inner).push(known);
                            std::thread::spawn(move || serve(stream, number));
                        }
                    }
                    // Nobody came: the moment to look at `stop`.
                    Err(_) => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Ok(Self { stop, streams, thread: Some(thread) })
    }
}

fn serve(mut stream: TcpStream, number: u8) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.write_all(&[number])?;
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            len => stream.write_all(&buffer[..len])?,
        }
    }
}

impl Drop for TcpEcho {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for stream in self.streams.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            // It cannot panic; and if it did, the test has failed without it.
            let _ = thread.join();
        }
    }
}
