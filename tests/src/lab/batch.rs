//! Many messages with one system call.

use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd as _},
    ptr,
};

/// Sends the payloads, in order, as one datagram or frame each; how many the kernel took.
///
/// # Errors
///
/// The kernel's, if it took none.
pub fn send(socket: impl AsFd, payloads: &[Vec<u8>]) -> io::Result<usize> {
    let mut parts: Vec<libc::iovec> = payloads
        .iter()
        .map(|payload| libc::iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() })
        .collect();
    let mut messages: Vec<libc::mmsghdr> = parts
        .iter_mut()
        .map(|part| {
            // SAFETY: all-zero is a valid mmsghdr: null pointers with zero lengths.
            let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
            message.msg_hdr.msg_iov = ptr::from_mut(part);
            message.msg_hdr.msg_iovlen = 1;
            message
        })
        .collect();
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: every header points to one iovec of `parts`, every iovec to a payload; all outlive the call, and the
    // kernel only reads what a sent iovec points to.
    let sent = unsafe { libc::sendmmsg(socket, messages.as_mut_ptr(), messages.len() as libc::c_uint, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}
