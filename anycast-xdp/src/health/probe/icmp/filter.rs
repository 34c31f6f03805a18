//! The kernel hands a raw socket everything of its protocol. A classic BPF program leaves replies to our requests.

use std::{io, os::fd::AsFd};

use nix::{setsockopt_impl, sockopt_impl, sys::socket::setsockopt};

use super::packet::REPLY_IPV6;

// Instructions (include/uapi/linux/bpf_common.h, filter.h): what is loaded from, its width, what is done.
const LOAD_BYTE: u16 = 0x30;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE_AT_X: u16 = 0x50;
const LOAD_HALF_AT_X: u16 = 0x48;
/// X is four times the low half of a byte: the length of an IPv4 header.
const X_HEADER_LENGTH: u16 = 0xb1;
const JUMP_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

const REPLY_IPV4: u8 = 0;
/// Where the identifier stands in a message.
const ID_AT: u32 = 4;

sockopt_impl!(
    /// A filter of a socket's packets.
    AttachFilter,
    SetOnly,
    libc::SOL_SOCKET,
    libc::SO_ATTACH_FILTER,
    libc::sock_fprog
);

/// Leaves echo replies with this identifier.
///
/// # Errors
///
/// The kernel refuses the program.
pub fn only_replies(socket: &impl AsFd, is_ipv4: bool, id: u16) -> io::Result<()> {
    let mut program = program(is_ipv4, id);
    // The kernel copies the program.
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    Ok(setsockopt(socket, AttachFilter, &filter)?)
}

/// IPv4 packets begin with their header, ICMPv6 messages without (net/ipv4/raw.c, net/ipv6/raw.c).
fn program(is_ipv4: bool, id: u16) -> Vec<libc::sock_filter> {
    let instruction = |code, k, jf| libc::sock_filter { code, jt: 0, jf, k };
    let mut program = Vec::new();
    let (load_byte, load_half, reply) = if is_ipv4 {
        program.push(instruction(X_HEADER_LENGTH, 0, 0));
        (LOAD_BYTE_AT_X, LOAD_HALF_AT_X, REPLY_IPV4)
    } else {
        (LOAD_BYTE, LOAD_HALF, REPLY_IPV6)
    };
    program.extend([
        instruction(load_byte, 0, 0),
        instruction(JUMP_EQUAL, reply.into(), 3),
        instruction(load_half, ID_AT, 0),
        instruction(JUMP_EQUAL, id.into(), 1),
        instruction(RETURN, u32::MAX, 0),
        instruction(RETURN, 0, 0),
    ]);
    program
}
