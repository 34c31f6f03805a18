//! Sending ready-made frames as fast as one processor can, and counting them.

use std::{
    ffi::CString,
    io, mem,
    os::fd::{FromRawFd as _, OwnedFd},
    ptr,
};

use anyhow::{Context as _, Result, ensure};

use crate::lab::{Namespace, batch};

/// Frames given to the kernel with one system call.
const BATCH: usize = 32;

/// Sends every frame of `frames`, `rounds` times, out of `interface`, from processor `cpu`; how many frames were sent.
pub fn send(namespace: &Namespace, interface: &str, cpu: usize, frames: &[Vec<u8>], rounds: usize) -> Result<u64> {
    let socket = namespace.enter(|| socket(interface))?.with_context(|| format!("sending on {interface}"))?;
    pin_to(cpu)?;
    let mut sent = 0;
    for _ in 0..rounds {
        for batch in frames.chunks(BATCH) {
            sent += send_all(&socket, batch)?;
        }
    }
    Ok(sent)
}

/// Keeps the calling thread on one processor, counted round those that there are.
pub fn pin_to(cpu: usize) -> Result<()> {
    let cpus = std::thread::available_parallelism()?.get();
    // SAFETY: all zero is the empty set, and the index is below the set's size.
    let set = unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(cpu % cpus, &mut set);
        set
    };
    // SAFETY: a whole set; 0 is the calling thread.
    let result = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    ensure!(result == 0, io::Error::last_os_error());
    Ok(())
}

fn socket(interface: &str) -> io::Result<OwnedFd> {
    // SAFETY: no pointers. Protocol 0: it receives nothing.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else knows.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let name = CString::new(interface)?;
    // SAFETY: all zero is a valid address of this kind.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    // SAFETY: a terminated string.
    address.sll_ifindex = unsafe { libc::if_nametoindex(name.as_ptr()) }.cast_signed();
    // SAFETY: a whole address, which lives through the call.
    let bound =
        unsafe { libc::bind(fd, ptr::from_ref(&address).cast(), size_of::<libc::sockaddr_ll>() as libc::socklen_t) };
    if bound == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
}

fn send_all(socket: &OwnedFd, frames: &[Vec<u8>]) -> Result<u64> {
    let mut sent = 0;
    while sent < frames.len() {
        match batch::send(socket, &frames[sent..]) {
            Ok(count) => sent += count,
            Err(error) => {
                // A full queue: the frame was not taken, and is offered again.
                ensure!(error.raw_os_error() == Some(libc::ENOBUFS), "sending frames: {error}");
                std::thread::yield_now();
            }
        }
    }
    Ok(sent as u64)
}
