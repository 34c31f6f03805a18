//! Receives and counts.

use std::{io, mem, net::UdpSocket, os::fd::AsRawFd as _, ptr, sync::atomic::Ordering};

use anyhow::{Context, Result};

use super::{Shared, message, tally::Tally};

/// Datagrams taken with one system call.
const BATCH: usize = 64;
/// The header is all that is needed of a datagram.
const PAYLOAD_BYTES: usize = message::HEADER_BYTES;
/// Room for the two control messages, aligned like `cmsghdr`.
type Control = [u64; 16];

/// Receives until told to stop and nothing has come for [`super::socket::SILENCE`].
pub(super) fn run(socket: &UdpSocket, stream_id: u64, flows: u32, shared: &Shared) -> Result<Tally> {
    let mut tally = Tally::new(flows);
    let mut batch = Batch::new();
    loop {
        let count = batch.receive(socket)?;
        if count == 0 {
            if shared.stop_receiving.load(Ordering::Relaxed) {
                return Ok(tally);
            }
            continue;
        }
        for i in 0..count {
            let Some((flow, number)) = message::read(&batch.payloads[i], stream_id) else { continue };
            let control = batch.control(i);
            tally.note(flow, number, control.arrival_ns);
            tally.receiver_overflows = tally.receiver_overflows.max(control.overflows);
            shared.received.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Buffers of one `recvmmsg`.
struct Batch {
    payloads: Vec<[u8; PAYLOAD_BYTES]>,
    controls: Vec<Control>,
    messages: Vec<libc::mmsghdr>,
}

/// What the kernel says about a datagram.
#[derive(Default)]
struct ControlFields {
    /// Wall-clock time at which the kernel got it.
    arrival_ns: u64,
    /// Datagrams that the socket has dropped so far.
    overflows: u64,
}

impl Batch {
    fn new() -> Self {
        // SAFETY: all-zero is a valid mmsghdr: null pointers with zero lengths.
        let messages = (0..BATCH).map(|_| unsafe { mem::zeroed() }).collect();
        Self { payloads: vec![[0; PAYLOAD_BYTES]; BATCH], controls: vec![[0; 16]; BATCH], messages }
    }

    /// Waits for at least one datagram; 0 after the socket's timeout.
    fn receive(&mut self, socket: &UdpSocket) -> Result<usize> {
        let mut parts: Vec<libc::iovec> = self
            .payloads
            .iter_mut()
            .map(|payload| libc::iovec { iov_base: payload.as_mut_ptr().cast(), iov_len: PAYLOAD_BYTES })
            .collect();
        for ((message, part), control) in self.messages.iter_mut().zip(&mut parts).zip(&mut self.controls) {
            message.msg_hdr.msg_iov = ptr::from_mut(part);
            message.msg_hdr.msg_iovlen = 1;
            message.msg_hdr.msg_control = control.as_mut_ptr().cast();
            message.msg_hdr.msg_controllen = size_of::<Control>();
        }
        // SAFETY: every header points to an iovec of `parts` and a control buffer of `self`, with their true lengths;
        // all of them outlive the call, and nothing else refers to them meanwhile.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.messages.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_WAITFORONE,
                ptr::null_mut(),
            )
        };
        usize::try_from(count).or_else(|_| {
            let error = io::Error::last_os_error();
            let nothing_came = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
            if nothing_came { Ok(0) } else { Err(error).context("receiving the numbered stream") }
        })
    }

    /// The control messages of the `i`-th datagram received.
    fn control(&self, i: usize) -> ControlFields {
        let header = &self.messages[i].msg_hdr;
        let mut fields = ControlFields::default();
        // SAFETY: the kernel has written `msg_controllen` bytes of well-formed control messages into the control buffer
        // that `receive` set, which lives in `self`; the CMSG functions stay within that length. Data is read
        // unaligned, with the type that the kernel documents for each message.
        unsafe {
            let mut control = libc::CMSG_FIRSTHDR(header);
            while !control.is_null() {
                let data = libc::CMSG_DATA(control);
                match ((*control).cmsg_level, (*control).cmsg_type) {
                    (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                        let time = data.cast::<libc::timespec>().read_unaligned();
                        fields.arrival_ns = time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned();
                    }
                    (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                        fields.overflows = u64::from(data.cast::<u32>().read_unaligned());
                    }
                    _ => {}
                }
                control = libc::CMSG_NXTHDR(header, control);
            }
        }
        fields
    }
}
