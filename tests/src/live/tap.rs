//! Listening to a link: when which datagram of a numbered stream passed inside a tunnel, and to which MAC.

use std::{
    ffi::CString,
    io, mem,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    ptr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use anyhow::{Context as _, Result};

use super::time::now_ns;
use crate::lab::Namespace;

/// A datagram that passed.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    /// The kernel's receive time stamp, wall clock.
    pub at_ns: u64,
    /// Flow of the numbered stream.
    pub flow: u64,
    /// Destination MAC of the outer frame.
    pub mac: [u8; 6],
}

/// A running listener on one interface.
#[derive(Debug)]
pub struct Tap {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Passed>>>,
}

impl Tap {
    /// Starts to listen for frames that arrive on `interface`.
    pub fn start(namespace: &Namespace, interface: &str) -> Result<Self> {
        let socket = namespace.enter(|| socket(interface))?.with_context(|| format!("listening on {interface}"))?;
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut passed = Vec::new();
            // What arrived until then still counts when it is read later.
            let mut end_ns = u64::MAX;
            loop {
                if end_ns == u64::MAX && until.load(Ordering::Relaxed) {
                    end_ns = now_ns();
                }
                match receive(&socket) {
                    Heard::Datagram(one) if one.at_ns <= end_ns => passed.push(one),
                    Heard::Datagram(_) | Heard::Silence if end_ns < u64::MAX => break,
                    Heard::Datagram(_) | Heard::Silence | Heard::Other => {}
                }
            }
            passed
        });
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends it; everything that passed, in order.
    pub fn stop(mut self) -> Vec<Passed> {
        self.join().unwrap_or_default()
    }

    fn join(&mut self) -> Option<Vec<Passed>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(|thread| thread.join().expect("listening does not panic"))
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.join();
    }
}

/// A packet socket with time stamps and room for seconds of small frames, which gives up waiting now and then.
fn socket(interface: &str) -> io::Result<OwnedFd> {
    const ETH_P_ALL: u16 = 3;
    // SAFETY: no pointers.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, ETH_P_ALL.to_be().into()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else knows.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    set(&socket, libc::SO_RCVBUFFORCE, &(64i32 << 20))?;
    set(&socket, libc::SO_TIMESTAMPNS, &1i32)?;
    set(&socket, libc::SO_RCVTIMEO, &libc::timeval { tv_sec: 0, tv_usec: 50_000 })?;
    let name = CString::new(interface)?;
    // SAFETY: all zero is a valid address of this kind.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = ETH_P_ALL.to_be();
    // SAFETY: a terminated string.
    address.sll_ifindex = unsafe { libc::if_nametoindex(name.as_ptr()) }.cast_signed();
    // SAFETY: a whole address, which lives through the call.
    let bound =
        unsafe { libc::bind(fd, ptr::from_ref(&address).cast(), size_of::<libc::sockaddr_ll>() as libc::socklen_t) };
    if bound == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
}

fn set<T>(socket: &OwnedFd, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the kernel reads the whole of `value`, which lives through the call.
    let result = unsafe {
        let length = size_of::<T>() as libc::socklen_t;
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, ptr::from_ref(value).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What came next.
enum Heard {
    /// A tunnel frame with a numbered datagram inside.
    Datagram(Passed),
    /// Another frame.
    Other,
    /// Nothing for a while.
    Silence,
}

fn receive(socket: &OwnedFd) -> Heard {
    let mut frame = [0u8; 160];
    let mut control = [0u64; 8];
    let mut part = libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: frame.len() };
    // SAFETY: all zero is a valid msghdr.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control);
    // SAFETY: the header names buffers with their true lengths, which live through the call.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, 0) };
    let Ok(length) = usize::try_from(length) else { return Heard::Silence };
    // SAFETY: the kernel wrote well-formed control messages of the length that the header tells now.
    let at_ns = unsafe {
        let control = libc::CMSG_FIRSTHDR(&raw const header);
        if control.is_null() {
            return Heard::Other;
        }
        let time = libc::CMSG_DATA(control).cast::<libc::timespec>().read_unaligned();
        time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
    };
    match flow_of(&frame[..length.min(frame.len())]) {
        Some((mac, flow)) => Heard::Datagram(Passed { at_ns, flow, mac }),
        None => Heard::Other,
    }
}

/// Destination MAC and flow of a numbered datagram within IP in IP, without options.
fn flow_of(frame: &[u8]) -> Option<([u8; 6], u64)> {
    let header_bytes = |version: u8| match version >> 4 {
        4 => Some(20),
        6 => Some(40),
        _ => None,
    };
    let inner = 14 + header_bytes(*frame.get(14)?)?;
    let datagram = inner + header_bytes(*frame.get(inner)?)?;
    let protocol = if datagram - inner == 20 { frame.get(inner + 9)? } else { frame.get(inner + 6)? };
    if *protocol != 17 {
        return None;
    }
    // Behind the UDP header: stream, flow, number.
    let flow = frame.get(datagram + 16..datagram + 24)?;
    Some((frame.get(..6)?.try_into().ok()?, u64::from_be_bytes(flow.try_into().ok()?)))
}
