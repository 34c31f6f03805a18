//! A UDP socket that hears what routers say of its datagrams.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd as _, OwnedFd},
};

use nix::{
    errno::Errno,
    libc,
    sys::socket::{
        AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, SockaddrStorage, connect, recv, recvmsg,
        send, setsockopt, socket,
        sockopt::{Ipv4RecvErr, Ipv4Ttl, Ipv6RecvErr, Ipv6Ttl},
    },
};
use tokio::io::{Interest, unix::AsyncFd};

/// Where traceroute begins: nothing listens there, and what lets traceroute through lets this through. It stays the same, as
/// the source port does: routers with several ways choose by ports, and all datagrams go one way.
const PORT: u16 = 33434;
/// What begins each datagram; its TTL or hop limit follows.
const MAGIC: [u8; 7] = *b"axprobe";
/// Datagrams that a connected socket could not send because of an error that is about an earlier one.
const SEND_TRIES: usize = 8;

/// What was heard of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// Its TTL or hop limit; `None`: whoever answered did not quote so far.
    pub(super) hop: Option<u8>,
    /// Who answered.
    pub(super) from: IpAddr,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    TimeExceeded,
    /// Port unreachable from where it was sent to, or an answer.
    Destination,
    Unreachable,
}

impl Heard {
    /// Does the way end there?
    pub(super) fn is_end(&self) -> bool {
        self.kind != Kind::TimeExceeded
    }

    /// Was it the destination that answered?
    pub(super) fn is_from_destination(&self) -> bool {
        self.kind == Kind::Destination
    }
}

pub(super) struct Socket {
    fd: AsyncFd<OwnedFd>,
    destination: IpAddr,
}

impl Socket {
    pub(super) fn open(destination: IpAddr) -> io::Result<Self> {
        let family = if destination.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let fd = socket(family, SockType::Datagram, SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC, None)?;
        match destination {
            IpAddr::V4(_) => setsockopt(&fd, Ipv4RecvErr, &true)?,
            IpAddr::V6(_) => setsockopt(&fd, Ipv6RecvErr, &true)?,
        }
        connect(fd.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(destination, PORT)))?;
        // SAFETY: an `OwnedFd` owns its descriptor: the same one, and open, until it is dropped with the `AsyncFd`.
        let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE | Interest::ERROR) }?;
        Ok(Self { fd, destination })
    }

    /// Sends one datagram.
    pub(super) fn send(&self, hop: u8) -> io::Result<()> {
        match self.destination {
            IpAddr::V4(_) => setsockopt(&self.fd, Ipv4Ttl, &i32::from(hop))?,
            IpAddr::V6(_) => setsockopt(&self.fd, Ipv6Ttl, &i32::from(hop))?,
        }
        let mut datagram = [hop; MAGIC.len() + 1];
        datagram[..MAGIC.len()].copy_from_slice(&MAGIC);
        let mut failed = None;
        for _ in 0..SEND_TRIES {
            match send(self.fd.as_raw_fd(), &datagram, MsgFlags::empty()) {
                Ok(_) => return Ok(()),
                // An error that came in is told once by the next call, too; it lies in the queue all the same.
                Err(error @ (Errno::EHOSTUNREACH | Errno::ECONNREFUSED | Errno::ENETUNREACH | Errno::EACCES)) => {
                    failed = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(failed.unwrap_or(Errno::EHOSTUNREACH).into())
    }

    /// Waits for what is said of a datagram.
    pub(super) async fn hear(&self) -> io::Result<Heard> {
        loop {
            loop {
                match self.error() {
                    Ok(Some(heard)) => return Ok(heard),
                    // Of no ICMP error: the host's own.
                    Ok(None) => {}
                    Err(Errno::EAGAIN) => break,
                    Err(error) => return Err(error.into()),
                }
            }
            if recv(self.fd.as_raw_fd(), &mut [0; 1], MsgFlags::MSG_DONTWAIT).is_ok() {
                return Ok(Heard { hop: None, from: self.destination, kind: Kind::Destination });
            }
            // Cleared before it is read: what comes meanwhile sets it again.
            self.fd.ready(Interest::READABLE | Interest::ERROR).await?.clear_ready();
        }
    }

    /// Takes the next error from the queue (`MSG_ERRQUEUE`, recv(2)); `None`: it is none of ICMP.
    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else was asked for")]
    fn error(&self) -> Result<Option<Heard>, Errno> {
        let mut quoted = [0; MAGIC.len() + 1];
        let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        let mut parts = [IoSliceMut::new(&mut quoted)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let received = recvmsg::<SockaddrStorage>(self.fd.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
        let bytes = received.bytes;
        let error = received.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::Ipv4RecvErr(error, from) => {
                Some((error, from.map(|from| Ipv4Addr::from(u32::from_be(from.sin_addr.s_addr)).into())))
            }
            ControlMessageOwned::Ipv6RecvErr(error, from) => {
                Some((error, from.map(|from| Ipv6Addr::from(from.sin6_addr.s6_addr).into())))
            }
            _ => None,
        });
        let Some((error, Some(from))) = error else { return Ok(None) };
        let Some(kind) = self.kind(&error, from) else { return Ok(None) };
        let hop = (bytes == quoted.len() && quoted.starts_with(&MAGIC)).then(|| quoted[MAGIC.len()]);
        Ok(Some(Heard { hop, from, kind }))
    }

    fn kind(&self, error: &libc::sock_extended_err, from: IpAddr) -> Option<Kind> {
        // Types and codes of RFC 792 and RFC 4443.
        const TIME_EXCEEDED: u8 = 11;
        const DESTINATION_UNREACHABLE: u8 = 3;
        const V6_DESTINATION_UNREACHABLE: u8 = 1;
        const V6_TIME_EXCEEDED: u8 = 3;
        match (error.ee_origin, error.ee_type) {
            (libc::SO_EE_ORIGIN_ICMP, TIME_EXCEEDED) | (libc::SO_EE_ORIGIN_ICMP6, V6_TIME_EXCEEDED) => {
                Some(Kind::TimeExceeded)
            }
            (libc::SO_EE_ORIGIN_ICMP, DESTINATION_UNREACHABLE)
            | (libc::SO_EE_ORIGIN_ICMP6, V6_DESTINATION_UNREACHABLE) => {
                Some(if from == self.destination { Kind::Destination } else { Kind::Unreachable })
            }
            _ => None,
        }
    }
}
