//! One raw socket for the echo requests of all backends: each packet has the mark of its own.

use std::{
    io,
    mem::{size_of, zeroed},
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd as _, OwnedFd},
    ptr,
};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, setsockopt, socket, sockopt,
};
use tokio::io::{Interest, unix::AsyncFd};

use super::{
    filter,
    packet::{Echo, MESSAGE_BYTES},
};

/// Most packets of one system call.
pub const BATCH: usize = 64;
/// An IPv4 header with options, and a message.
const PACKET_BYTES: usize = 60 + MESSAGE_BYTES;
/// Replies that wait to be read: thousands may come at once.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;
/// Room for one mark, `CMSG_SPACE(sizeof(u32))`.
const CONTROL_BYTES: usize = 24;

/// A request that is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing {
    pub to: IpAddr,
    pub mark: u32,
    pub echo: Echo,
}

/// Sends requests from one address, and hears the replies to them.
#[derive(Debug)]
pub struct EchoSocket {
    socket: AsyncFd<OwnedFd>,
    id: u16,
    is_ipv4: bool,
}

/// Memory of one packet: aligned for control messages.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_BYTES]);

impl EchoSocket {
    /// A socket of the family of `source`, an address of this host.
    ///
    /// # Errors
    ///
    /// No permission (`CAP_NET_RAW`), or no such address.
    pub fn open(source: IpAddr) -> io::Result<Self> {
        let is_ipv4 = source.is_ipv4();
        let (family, protocol) = if is_ipv4 {
            (AddressFamily::Inet, SockProtocol::Icmp)
        } else {
            (AddressFamily::Inet6, SockProtocol::IcmpV6)
        };
        let socket = socket(family, SockType::Raw, SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC, protocol)?;
        let id = fastrand::u16(..);
        // Before it is bound, so that it never hears anything else.
        filter::only_replies(&socket, is_ipv4, id)?;
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER_BYTES).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER_BYTES)?;
        }
        bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(source, 0)))?;
        // SAFETY: an `OwnedFd` owns its descriptor: the same one, and open, until it is dropped with the `AsyncFd`.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
        Ok(Self { socket, id, is_ipv4 })
    }

    /// Sends as many as one system call takes, at most [`BATCH`]; how many it took.
    ///
    /// # Errors
    ///
    /// The first was not sent.
    pub fn send(&self, requests: &[Outgoing]) -> io::Result<usize> {
        let requests = &requests[..requests.len().min(BATCH)];
        let mut messages = [[0; MESSAGE_BYTES]; BATCH];
        let mut controls = [Control([0; CONTROL_BYTES]); BATCH];
        let mut addresses = [SockaddrStorage::from(SocketAddr::new([0, 0, 0, 0].into(), 0)); BATCH];
        // SAFETY: plain old data, for which zeroes are a value: no pointers, no lengths.
        let mut parts: [libc::iovec; BATCH] = unsafe { zeroed() };
        // SAFETY: as above.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { zeroed() };
        for (at, request) in requests.iter().enumerate() {
            messages[at] = request.echo.request(self.id, request.to);
            addresses[at] = SockaddrStorage::from(SocketAddr::new(request.to, 0));
            parts[at] = libc::iovec { iov_base: messages[at].as_mut_ptr().cast(), iov_len: MESSAGE_BYTES };
            let header = &mut headers[at].msg_hdr;
            header.msg_name = ptr::from_mut(&mut addresses[at]).cast();
            header.msg_namelen =
                if self.is_ipv4 { size_of::<libc::sockaddr_in>() } else { size_of::<libc::sockaddr_in6>() } as u32;
            header.msg_iov = &raw mut parts[at];
            header.msg_iovlen = 1;
            header.msg_control = controls[at].0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL_BYTES;
            put_mark(header, request.mark);
        }
        // SAFETY: each header points to an address, a part and control data of its own, all of which outlive the call, with their
        // lengths; the kernel only reads them, and writes `msg_len` of the headers.
        let sent =
            unsafe { libc::sendmmsg(self.socket.as_raw_fd(), headers.as_mut_ptr(), requests.len() as libc::c_uint, 0) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
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

    /// Reads what one system call gives, without waiting, and hands replies on; `false`: there was nothing to read.
    ///
    /// # Errors
    ///
    /// The socket fails.
    pub fn hear(&self, mut each: impl FnMut(Echo)) -> io::Result<bool> {
        let mut buffers = [[0_u8; PACKET_BYTES]; BATCH];
        // SAFETY: plain old data, for which zeroes are a value: no pointers, no lengths.
        let mut parts: [libc::iovec; BATCH] = unsafe { zeroed() };
        // SAFETY: as above.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { zeroed() };
        for at in 0..BATCH {
            parts[at] = libc::iovec { iov_base: buffers[at].as_mut_ptr().cast(), iov_len: PACKET_BYTES };
            headers[at].msg_hdr.msg_iov = &raw mut parts[at];
            headers[at].msg_hdr.msg_iovlen = 1;
        }
        let received = self.socket.try_io(Interest::READABLE, |socket| {
            // SAFETY: each header points to a part, and that to a buffer of its own with its length, all of which outlive the
            // call; no address and no control data are asked for.
            let received = unsafe {
                libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), BATCH as libc::c_uint, 0, ptr::null_mut())
            };
            usize::try_from(received).map_err(|_| io::Error::last_os_error())
        });
        let received = match received {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        for (header, buffer) in headers.iter().zip(&buffers).take(received) {
            let packet = &buffer[..(header.msg_len as usize).min(PACKET_BYTES)];
            if let Some(echo) = Echo::reply(self.id, self.is_ipv4, packet) {
                each(echo);
            }
        }
        Ok(true)
    }
}

/// Writes the mark into the control data of a header, which has room for it.
fn put_mark(header: &mut libc::msghdr, mark: u32) {
    // SAFETY: the header's control data is of `CONTROL_BYTES`, aligned, and long enough for a header and a mark, which
    // `CMSG_SPACE` confirms below; so `CMSG_FIRSTHDR` is within it, and `CMSG_DATA` has room for four bytes.
    unsafe {
        debug_assert_eq!(libc::CMSG_SPACE(size_of::<u32>() as u32) as usize, CONTROL_BYTES);
        let control = libc::CMSG_FIRSTHDR(header);
        (*control).cmsg_level = libc::SOL_SOCKET;
        (*control).cmsg_type = libc::SO_MARK;
        (*control).cmsg_len = libc::CMSG_LEN(size_of::<u32>() as u32) as usize;
        ptr::write_unaligned(libc::CMSG_DATA(control).cast::<u32>(), mark);
    }
}
