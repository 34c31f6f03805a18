//! Raw frames in and out of an interface.

use std::{
    ffi::CString,
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

/// A segment of 64 KiB that a host has not cut yet, its Ethernet header, and the kernel's header before both.
pub(super) const FRAME_BYTES: usize = 70_000;
/// Of sockets, so that a busy moment of the machine loses nothing.
const BUFFER_BYTES: libc::c_int = 64 << 20;

/// An interface, by a packet socket (packet(7)).
#[derive(Debug)]
pub(super) struct Port(OwnedFd);

impl Port {
    /// Opens an interface of the namespace of the calling thread.
    pub fn open(interface: &str) -> Result<Self> {
        let every_protocol = (libc::ETH_P_ALL as u16).to_be();
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no pointers.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, libc::c_int::from(every_protocol)) };
        ensure!(fd >= 0, "a packet socket: {}", io::Error::last_os_error());
        // SAFETY: a fresh descriptor that nothing else owns.
        let port = Self(unsafe { OwnedFd::from_raw_fd(fd) });
        // Frames keep what a NIC would do for them, checksums and segmentation, in a header before them.
        port.set(libc::SOL_PACKET, libc::PACKET_VNET_HDR, &1)?;
        port.set(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1)?;
        port.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &BUFFER_BYTES)?;
        port.set(libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &BUFFER_BYTES)?;
        let name = CString::new(interface)?;
        // SAFETY: a NUL-terminated name that outlives the call.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        ensure!(index != 0, "{interface}: {}", io::Error::last_os_error());
        let index = libc::c_int::try_from(index)?;
        let all = libc::packet_mreq {
            mr_ifindex: index,
            mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        port.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &all)?;
        port.bind(every_protocol, index).with_context(|| format!("binding to {interface}"))?;
        Ok(port)
    }

    fn bind(&self, protocol: u16, index: libc::c_int) -> io::Result<()> {
        // SAFETY: all-zero is a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as libc::c_ushort;
        address.sll_protocol = protocol;
        address.sll_ifindex = index;
        let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: the kernel reads `len` bytes of `address`, which lives through the call.
        let result = unsafe { libc::bind(self.0.as_raw_fd(), (&raw const address).cast(), len) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    fn set<T>(&self, level: libc::c_int, option: libc::c_int, value: &T) -> Result<()> {
        let len = size_of::<T>() as libc::socklen_t;
        // SAFETY: the kernel reads `len` bytes of `value`, which lives through the call.
        let result =
            unsafe { libc::setsockopt(self.0.as_raw_fd(), level, option, std::ptr::from_ref(value).cast(), len) };
        ensure!(result == 0, "option {option} of a packet socket: {}", io::Error::last_os_error());
        Ok(())
    }

    /// The next frame; how many bytes of `buffer` it has.
    pub fn receive(&self, buffer: &mut [u8]) -> Option<usize> {
        // SAFETY: the kernel writes at most as many bytes as `buffer` has.
        let len = unsafe { libc::recv(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        usize::try_from(len).ok()
    }

    /// Sends a frame; false if the kernel has no room for it.
    pub fn send(&self, frame: &[u8]) -> bool {
        // SAFETY: the kernel reads as many bytes as `frame` has.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        sent >= 0
    }
}

/// Waits until a frame has come or the time is over.
pub(super) fn wait(ports: &[Port; 2], limit: Duration) {
    let mut polled =
        ports.each_ref().map(|port| libc::pollfd { fd: port.0.as_raw_fd(), events: libc::POLLIN, revents: 0 });
    let limit = libc::timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: limit.subsec_nanos().into() };
    // SAFETY: two descriptors and a time, which live through the call; no signal mask. Being interrupted is as good as
    // a frame.
    unsafe { libc::ppoll(polled.as_mut_ptr(), 2, &raw const limit, std::ptr::null()) };
}
