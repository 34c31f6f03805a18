//! TCP connections of all backends: a socket for each, which connects again and again, and one set of events for all of them.
//!
//! A socket, its options and its registration cost a third of what the kernel takes for the connection itself, and a task and a
//! timer of the runtime come on top.

use std::{
    future::pending,
    io,
    net::{IpAddr, SocketAddr, TcpStream},
    os::fd::{AsRawFd, RawFd},
};

use nix::sys::{
    epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
    socket::{getsockopt, sockopt::SocketError},
};
use tokio::io::{Interest, unix::AsyncFd};

use super::probe::{ProbeError, Subject, socket};

/// Most events of one system call.
const BATCH: usize = 256;

/// The connections that are under way, and sockets that wait for their next one.
#[derive(Default)]
pub struct Connections {
    events: Option<AsyncFd<Events>>,
    /// By slot.
    open: Vec<Option<Open>>,
}

struct Open {
    /// Its connection is reset when it is closed.
    socket: TcpStream,
    /// Where it connects from.
    source: IpAddr,
    /// Of the connection that is under way.
    nonce: Option<u64>,
}

/// An epoll instance. It is readable when it has events, as epoll(7) says, and the runtime waits for that.
struct Events(Epoll);

impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.as_raw_fd()
    }
}

impl Connections {
    /// Begins a connection.
    ///
    /// # Errors
    ///
    /// What became of it at once.
    pub fn begin(&mut self, slot: usize, nonce: u64, subject: &Subject, port: u16) -> Result<(), ProbeError> {
        if self.open.len() <= slot {
            self.open.resize_with(slot + 1, || None);
        }
        let known = self.open[slot].take().filter(|open| open.source == subject.source && open.nonce.is_none());
        let socket = match known {
            Some(open) => open.socket,
            None => self.open(slot, subject)?,
        };
        socket::begin(&socket, SocketAddr::new(subject.vip, port))?;
        self.open[slot] = Some(Open { socket, source: subject.source, nonce: Some(nonce) });
        Ok(())
    }

    fn open(&mut self, slot: usize, subject: &Subject) -> Result<TcpStream, ProbeError> {
        let failed = |error: io::Error| ProbeError::NotSent(format!("events of connections: {error}"));
        let events = match &self.events {
            Some(events) => events,
            None => self.events.insert(events().map_err(failed)?),
        };
        let socket = socket::tcp(subject)?;
        // The kernel tells each change once, and takes a socket out of the set when it is closed.
        let changes = EpollEvent::new(EpollFlags::EPOLLOUT | EpollFlags::EPOLLET, slot as u64);
        events.get_ref().0.add(&socket, changes).map_err(|error| failed(error.into()))?;
        Ok(socket)
    }

    /// Ends the connection of a slot, whatever it has come to, and closes its socket.
    pub fn end(&mut self, slot: usize) {
        if let Some(open) = self.open.get_mut(slot) {
            *open = None;
        }
    }

    /// Waits until there is something to hear. Cancel-safe.
    pub async fn readable(&self) {
        match &self.events {
            // A failure shows again when events are asked for.
            Some(events) => drop(events.readable().await.map(|mut guard| guard.retain_ready())),
            None => pending().await,
        }
    }

    /// Ends the connections that are decided, and hands on what they came to, by slot and nonce.
    pub fn hear(&mut self, mut each: impl FnMut(usize, u64, Result<(), ProbeError>)) {
        let Some(events) = &self.events else { return };
        let mut decided = [EpollEvent::empty(); BATCH];
        loop {
            let waited = events.try_io(Interest::READABLE, |events| {
                let count = events.0.wait(&mut decided, EpollTimeout::ZERO)?;
                // Nothing: the runtime is to wait again.
                if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
            });
            let count = match waited {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::warn!("events of connections fail, and are asked for anew: {error}");
                    *self = Self::default();
                    return;
                }
            };
            for event in &decided[..count] {
                let slot = event.data() as usize;
                let Some(place) = self.open.get_mut(slot) else { continue };
                // Its reset is a change, too.
                let Some(Open { nonce: Some(nonce), socket, source }) = place.take_if(|open| open.nonce.is_some())
                else {
                    continue;
                };
                let result = result(&socket, event.events());
                if result.is_ok() && socket::reset(&socket).is_ok() {
                    *place = Some(Open { socket, source, nonce: None });
                }
                each(slot, nonce, result);
            }
        }
    }
}

fn events() -> io::Result<AsyncFd<Events>> {
    let events = Events(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?);
    // SAFETY: `Events` owns its descriptor: the same one, and open, until it is dropped with the `AsyncFd`.
    let events = unsafe { AsyncFd::register_with_interest(events, Interest::READABLE) }?;
    Ok(events)
}

/// What a connection came to; only of one that failed is more to be asked.
fn result(socket: &TcpStream, events: EpollFlags) -> Result<(), ProbeError> {
    if !events.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP) {
        return Ok(());
    }
    let error = getsockopt(socket, SocketError).map_or_else(io::Error::from, io::Error::from_raw_os_error);
    Err(ProbeError::of("connect", &error))
}
