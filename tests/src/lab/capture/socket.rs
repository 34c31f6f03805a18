//! A packet socket on one interface.

use std::{
    ffi::CString,
    io, mem,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};

/// Room for bursts.
const BUFFER_BYTES: libc::c_int = 128 << 20;
/// How long [`PacketSocket::receive`] waits.
const TIMEOUT: libc::timeval = libc::timeval { tv_sec: 0, tv_usec: 50_000 };

/// Receives whole frames, with their Ethernet header, in both directions.
#[derive(Debug)]
pub(super) struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Opens it on an interface of the calling thread's namespace.
    pub fn open(interface: &str) -> Result<Self> {
        let name = CString::new(interface)?;
        // SAFETY: a string that ends with a zero byte and lives through the call.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        ensure!(index != 0, "no interface {interface}");
        // With protocol 0 nothing arrives until bind names both protocol and interface.
        // SAFETY: no pointers.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        ensure!(fd >= 0, "packet socket: {}", io::Error::last_os_error());
        // SAFETY: a fresh descriptor that nothing else owns.
        let socket = Self(unsafe { OwnedFd::from_raw_fd(fd) });
        socket.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &BUFFER_BYTES)?;
        socket.set(libc::SOL_SOCKET, libc::SO_RCVTIMEO, &TIMEOUT)?;
        // SAFETY: all-zero is a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = i32::try_from(index)?;
        let len = size_of_val(&address) as libc::socklen_t;
        // SAFETY: `address` is a sockaddr_ll of the length given, and lives through the call.
        let result = unsafe { libc::bind(socket.0.as_raw_fd(), (&raw const address).cast(), len) };
        ensure!(result == 0, "packet socket on {interface}: {}", io::Error::last_os_error());
        Ok(socket)
    }

    /// A frame's length and the time at which it was read; none after a moment of silence.
    pub fn receive(&self, frame: &mut [u8]) -> Result<Option<(usize, u64)>> {
        // SAFETY: the kernel writes at most `frame.len()` bytes to `frame`.
        let len = unsafe { libc::recv(self.0.as_raw_fd(), frame.as_mut_ptr().cast(), frame.len(), 0) };
        let Ok(len) = usize::try_from(len) else {
            let error = io::Error::last_os_error();
            let nothing_came = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
            return if nothing_came { Ok(None) } else { Err(error).context("capturing") };
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        Ok(Some((len, now.as_nanos() as u64)))
    }

    /// Frames that did not fit into the buffer.
    pub fn missed_frames(&self) -> Result<u32> {
        let mut statistics = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        let mut len = size_of_val(&statistics) as libc::socklen_t;
        // SAFETY: the kernel writes at most `len` bytes, the size of `statistics`.
        let result = unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &raw mut len,
            )
        };
        ensure!(result == 0, "packet statistics: {}", io::Error::last_os_error());
        Ok(statistics.tp_drops)
    }

    fn set<T>(&self, level: libc::c_int, option: libc::c_int, value: &T) -> Result<()> {
        let len = size_of::<T>() as libc::socklen_t;
        // SAFETY: the kernel reads `len` bytes of `value`, which lives through the call.
        let result = unsafe { libc::setsockopt(self.0.as_raw_fd(), level, option, (&raw const *value).cast(), len) };
        ensure!(result == 0, "socket option {option}: {}", io::Error::last_os_error());
        Ok(())
    }
}
