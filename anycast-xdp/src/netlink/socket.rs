//! The two netlink sockets: one that hears the kernel's events, and one that asks it.
//!
//! The kernel answers a route request within the system call that sends it, so asking is not asynchronous: it costs
//! microseconds, leaves no half-done question behind when a future is dropped, and needs no task of its own.

mod orders;

use std::{io, os::fd::AsRawFd as _};

use libc::{EAGAIN, ENOBUFS, MSG_TRUNC, NLM_F_ACK, NLM_F_REQUEST, SO_RCVBUFFORCE, SOL_SOCKET};
use netlink_packet_core::{Emitable, ErrorBuffer, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer, NetlinkHeader};
use rtnetlink::{
    MulticastGroup,
    sys::{
        Socket, SocketAddr,
        protocols::{NETLINK_GENERIC, NETLINK_ROUTE},
    },
};
use thiserror::Error;
use tokio::io::{Interest, unix::AsyncFd};
use tracing::debug;

/// What has a say in where packets of the destinations go.
const GROUPS: [MulticastGroup; 8] = [
    MulticastGroup::Link,
    MulticastGroup::Neigh,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
    MulticastGroup::Nexthop,
    // IPv4 routes whose preferred source goes with a deleted address are flushed without a route event.
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv4Rule,
    MulticastGroup::Ipv6Rule,
];

/// Room for a routing daemon that installs a full table while this process does not get to run.
const EVENT_BUFFER_BYTES: libc::c_int = 32 << 20;

/// The kernel sends no larger datagram than 32 KiB (`NLMSG_GOODSIZE`, and dumps since Linux 4.9).
const DATAGRAM_BYTES: usize = 64 << 10;

/// Hears the kernel's events.
pub(super) struct Events {
    socket: AsyncFd<Socket>,
    datagram: Vec<u8>,
}

/// What one read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A datagram of events.
    Events,
    /// Nothing: the queue is empty.
    Silence,
    /// Events were lost.
    Lost,
}

impl Events {
    /// Subscribes to what has a say in where packets go; events from here on are queued.
    pub fn open() -> io::Result<Self> {
        Self::of(&GROUPS)
    }

    /// Subscribes to these groups; events from here on are queued.
    pub fn of(groups: &[MulticastGroup]) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        // Beyond `net.core.rmem_max`, which needs CAP_NET_ADMIN.
        if let Err(error) = set_option(&socket, SOL_SOCKET, SO_RCVBUFFORCE, EVENT_BUFFER_BYTES) {
            debug!(%error, "netlink receive buffer stays at the system's default");
        }
        socket.set_non_blocking(true)?;
        socket.bind_auto()?;
        for group in groups {
            socket.add_membership(*group as u32)?;
        }
        // SAFETY: a `Socket` owns its descriptor: the same one, and open, until it is dropped with the `AsyncFd`.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
        Ok(Self { socket, datagram: Vec::new() })
    }

    /// Waits until [`Self::hear`] has something to give. Cancel-safe: nothing is read here.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await?.retain_ready();
        Ok(())
    }

    /// Reads one datagram, without waiting, and hands each message of it (type, payload) on.
    pub fn hear(&mut self, mut each: impl FnMut(u16, &[u8])) -> io::Result<Heard> {
        let datagram = &mut self.datagram;
        let read = self.socket.try_io(Interest::READABLE, |socket| receive(socket, datagram));
        match read {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(EAGAIN) => return Ok(Heard::Silence),
            Err(error) if error.raw_os_error() == Some(ENOBUFS) => return Ok(Heard::Lost),
            // `try_io` answers this, without an errno, when it knows that nothing is there.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Heard::Silence),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(Heard::Lost),
            Err(error) => return Err(error),
        }
        for message in messages(&self.datagram) {
            each(message.message_type(), message.payload());
        }
        Ok(Heard::Events)
    }
}

/// Why the kernel did not do what it was asked.
#[derive(Debug, Error)]
pub(super) enum AskError {
    /// It said no. That concerns this question only.
    #[error("refused by the kernel: {0}")]
    Refused(io::Error),
    /// The socket failed. That concerns every question.
    #[error("netlink socket: {0}")]
    Socket(#[from] io::Error),
}

/// Asks the kernel, and waits for the answer.
pub(super) struct Requests {
    socket: Socket,
    sequence: u32,
    datagram: Vec<u8>,
}

impl Requests {
    /// About links, routes and neighbours.
    pub fn open() -> io::Result<Self> {
        Self::of(NETLINK_ROUTE)
    }

    /// To the families of generic netlink: message types are their ids.
    pub fn open_generic() -> io::Result<Self> {
        Self::of(NETLINK_GENERIC)
    }

    fn of(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.set_non_blocking(true)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0, datagram: Vec::new() })
    }

    /// Sends one request and hands each message (type, payload) of the answer on.
    pub fn ask(
        &mut self,
        message_type: u16,
        flags: u16,
        body: &impl Emitable,
        mut each: impl FnMut(u16, &[u8]),
    ) -> Result<(), AskError> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = serialize(message_type, flags | NLM_F_ACK as u16, self.sequence, body);
        self.socket.send(&request, 0)?;
        loop {
            // Empty (EAGAIN) would mean that the kernel sent no acknowledgement: a failure, and no reason to hang.
            receive(&self.socket, &mut self.datagram)?;
            for message in messages(&self.datagram).filter(|m| m.sequence_number() == self.sequence) {
                match message.message_type() {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => return verdict(message.payload()),
                    kind => each(kind, message.payload()),
                }
            }
        }
    }
}

/// A request as it goes over the socket. With an acknowledgement asked for, an answer has an end that can be seen.
fn serialize(message_type: u16, flags: u16, sequence: u32, body: &impl Emitable) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    let header_bytes = header.buffer_len();
    let length = header_bytes + body.buffer_len();
    header.length = length as u32;
    header.message_type = message_type;
    header.flags = flags | NLM_F_REQUEST as u16;
    header.sequence_number = sequence;
    let mut bytes = vec![0; length.next_multiple_of(4)];
    header.emit(&mut bytes);
    body.emit(&mut bytes[header_bytes..length]);
    bytes
}

/// The error code of an acknowledgement.
fn verdict(payload: &[u8]) -> Result<(), AskError> {
    let acknowledgement = ErrorBuffer::new_checked(payload)
        .map_err(|error| AskError::Socket(io::Error::new(io::ErrorKind::InvalidData, error.to_string())))?;
    match acknowledgement.code() {
        None => Ok(()),
        Some(code) => Err(AskError::Refused(io::Error::from_raw_os_error(code.get().wrapping_neg()))),
    }
}

/// Reads one datagram into the emptied buffer; `InvalidData` if it did not fit.
fn receive(socket: &Socket, datagram: &mut Vec<u8>) -> io::Result<()> {
    datagram.clear();
    datagram.reserve(DATAGRAM_BYTES);
    let length = socket.recv(datagram, MSG_TRUNC)?;
    if length > datagram.len() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "netlink datagram longer than the kernel's limit"));
    }
    Ok(())
}

/// The messages of a datagram; what is cut short at its end is left out.
fn messages(datagram: &[u8]) -> impl Iterator<Item = NetlinkBuffer<&[u8]>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let message = NetlinkBuffer::new_checked(rest).ok()?;
        let aligned = (message.length() as usize).next_multiple_of(4);
        rest = rest.get(aligned..).unwrap_or_default();
        Some(message)
    })
}

/// Sets an option of the socket.
fn set_option(socket: &Socket, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open for as long as `socket` is borrowed, and the pointer and length describe `value`.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::route::RouteMessage;

    use super::*;

    #[test]
    fn serialized_request_reads_back_as_one_message() {
        let bytes = serialize(26, 0x300, 7, &RouteMessage::default());
        let read: Vec<_> = messages(&bytes).collect();
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].message_type(), read[0].flags(), read[0].sequence_number()), (26, 0x301, 7));
        assert_eq!(read[0].payload(), [0; 12]);
    }

    #[test]
    fn two_messages_in_a_datagram_are_both_given_and_a_cut_third_is_not() {
        let one = serialize(26, 0, 1, &RouteMessage::default());
        let mut datagram = [one.clone(), one.clone()].concat();
        datagram.extend(&one[..20]);
        assert_eq!(messages(&datagram).count(), 2);
    }

    #[test]
    fn message_of_unaligned_length_is_followed_at_the_next_multiple_of_four() {
        let mut first = serialize(26, 0, 1, &RouteMessage::default());
        first.push(0xff);
        first[0] += 1;
        first.extend([0; 3]);
        let datagram = [first, serialize(27, 0, 2, &RouteMessage::default())].concat();
        let types: Vec<_> = messages(&datagram).map(|m| m.message_type()).collect();
        assert_eq!(types, [26, 27]);
    }

    #[test]
    fn message_that_claims_less_than_a_header_ends_the_datagram() {
        assert_eq!(messages(&[0; 32]).count(), 0);
    }

    #[test]
    fn acknowledgement_with_code_zero_is_ok_and_with_a_negative_errno_is_refused() {
        assert!(verdict(&[0; 20]).is_ok());
        let refused = verdict(&(-libc::ENETUNREACH).to_ne_bytes()).unwrap_err();
        assert!(matches!(refused, AskError::Refused(error) if error.raw_os_error() == Some(libc::ENETUNREACH)));
        assert!(matches!(verdict(&[]), Err(AskError::Socket(_))));
    }
}
