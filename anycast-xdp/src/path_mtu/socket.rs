//! Raw sockets that hear nothing but ICMP errors of one type.

use std::{
    io::{self, IoSliceMut},
    net::IpAddr,
    os::fd::{AsRawFd as _, OwnedFd},
};

use nix::{
    errno::Errno,
    libc,
    sys::socket::{
        AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6, recvmsg,
        setsockopt, socket,
        sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo},
    },
};
use nix::{setsockopt_impl, sockopt_impl};
use tokio::io::{Interest, unix::AsyncFd};

use super::message::Message;

/// Longer than any ICMP error: routers quote no more than fits into 576 (RFC 1812 section 4.3.2.3) or 1280 bytes
/// (RFC 4443 section 2.4). What is longer is cut, and then its checksum is wrong.
const MESSAGE_BYTES: usize = 2048;

/// Bits of the types that a socket does not hear (`ICMP_FILTER`, `SOL_RAW`; include/uapi/linux/icmp.h).
type Ipv4Filter = u32;
const ICMP_FILTER: libc::c_int = 1;
const DESTINATION_UNREACHABLE: u32 = 3;
sockopt_impl!(IcmpFilter, SetOnly, libc::SOL_RAW, ICMP_FILTER, Ipv4Filter);

/// The same for IPv6, eight words (`ICMPV6_FILTER`; include/uapi/linux/icmpv6.h).
type Ipv6Filter = [u32; 8];
const ICMPV6_FILTER: libc::c_int = 1;
const PACKET_TOO_BIG: u32 = 2;
sockopt_impl!(Icmpv6Filter, SetOnly, libc::IPPROTO_ICMPV6, ICMPV6_FILTER, Ipv6Filter);

/// Hears the errors of one family, of the network namespace that this process is in.
#[derive(Debug)]
pub struct ErrorSocket {
    socket: AsyncFd<OwnedFd>,
    buffer: Vec<u8>,
}

impl ErrorSocket {
    /// Hears "destination unreachable" over IPv4.
    ///
    /// # Errors
    ///
    /// No permission (`CAP_NET_RAW`).
    pub fn ipv4() -> io::Result<Self> {
        let socket = raw(AddressFamily::Inet, SockProtocol::Icmp)?;
        setsockopt(&socket, IcmpFilter, &!(1 << DESTINATION_UNREACHABLE))?;
        setsockopt(&socket, Ipv4PacketInfo, &true)?;
        Self::of(socket)
    }

    /// Hears "packet too big" over IPv6.
    ///
    /// # Errors
    ///
    /// No permission (`CAP_NET_RAW`), or a kernel without IPv6.
    pub fn ipv6() -> io::Result<Self> {
        let socket = raw(AddressFamily::Inet6, SockProtocol::IcmpV6)?;
        let mut blocked = [u32::MAX; 8];
        blocked[0] = !(1 << PACKET_TOO_BIG);
        setsockopt(&socket, Icmpv6Filter, &blocked)?;
        setsockopt(&socket, Ipv6RecvPacketInfo, &true)?;
        Self::of(socket)
    }

    fn of(socket: OwnedFd) -> io::Result<Self> {
        // SAFETY: an `OwnedFd` owns its descriptor: the same one, and open, until it is dropped with the `AsyncFd`.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
        Ok(Self { socket, buffer: vec![0; MESSAGE_BYTES] })
    }

    /// Waits until [`Self::hear`] has something to give. Cancel-safe: nothing is read here.
    ///
    /// # Errors
    ///
    /// The event loop is gone.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await?.retain_ready();
        Ok(())
    }

    /// Reads one datagram, without waiting, and hands its message on, if it is one; `false`: there was nothing to read.
    ///
    /// # Errors
    ///
    /// The socket fails.
    pub fn hear(&mut self, each: impl FnOnce(&Message<'_>)) -> io::Result<bool> {
        let buffer = &mut self.buffer;
        match self.socket.try_io(Interest::READABLE, |socket| Ok(receive(socket, buffer)?)) {
            Ok(datagram) => {
                if let Some(message) = datagram.and_then(|datagram| datagram.message(&self.buffer)) {
                    each(&message);
                }
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn raw(family: AddressFamily, protocol: SockProtocol) -> Result<OwnedFd, Errno> {
    socket(family, SockType::Raw, SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC, protocol)
}

/// What the kernel says of a datagram.
enum Datagram {
    Ipv4 { bytes: usize, ifindex: u32 },
    Ipv6 { bytes: usize, ifindex: u32, source: IpAddr, destination: IpAddr },
}

impl Datagram {
    fn message<'a>(&self, buffer: &'a [u8]) -> Option<Message<'a>> {
        match *self {
            Self::Ipv4 { bytes, ifindex } => Message::ipv4(ifindex, buffer.get(..bytes)?),
            Self::Ipv6 { bytes, ifindex, source, destination } => {
                Some(Message { ifindex, source, destination, icmp: buffer.get(..bytes)? })
            }
        }
    }
}

/// `None`: a datagram of which the kernel did not say where it came from.
#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else was asked for")]
fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> Result<Option<Datagram>, Errno> {
    let mut control = nix::cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let received = recvmsg::<SockaddrIn6>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty())?;
    let (bytes, sender) = (received.bytes, received.address);
    let datagram = received.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(Datagram::Ipv4 { bytes, ifindex: info.ipi_ifindex.cast_unsigned() })
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(Datagram::Ipv6 {
            bytes,
            ifindex: info.ipi6_ifindex,
            source: sender?.ip().into(),
            destination: info.ipi6_addr.s6_addr.into(),
        }),
        _ => None,
    });
    Ok(datagram)
}
