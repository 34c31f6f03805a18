//! ICMP errors follow the flow that they are about (RFC 792, RFC 4443).

use anycast_common::{header::protocol, outcome::Outcome};

use super::{
    flow::L4,
    ip::{Header, Ip, Upper},
};
use crate::packet::Cursor;

/// Bytes before the quoted packet.
pub const ICMP_BYTES: usize = 8;

/// The flow of the quoted packet, which the VIP sent, seen from the client: its address, and ports and protocol.
/// Without `with_ports` only the address is needed.
#[inline(always)]
pub fn turned_round<I: Ip>(
    l3: Cursor,
    header: &Header<I>,
    upper: Upper,
    with_ports: bool,
) -> Result<(I::Address, L4), Outcome> {
    let start = upper.offset + ICMP_BYTES;
    if start > header.length {
        return Err(Outcome::L4Truncated);
    }
    let room = header.length - start;
    if room < I::HEADER_BYTES {
        return Err(Outcome::IcmpQuote);
    }
    let at = l3.skip(start);
    let quoted = I::quoted(at, room).ok_or(Outcome::IcmpQuote)?;
    if quoted.source != header.destination {
        return Err(Outcome::IcmpQuote);
    }
    let inner = I::upper(at, &quoted).ok_or(Outcome::IcmpQuote)?;
    let has_ports = matches!(inner.protocol, protocol::TCP | protocol::UDP | protocol::SCTP);
    let has_ports = has_ports && with_ports && !inner.fragment;
    let mut ports = 0;
    if has_ports {
        if inner.offset + 4 > room {
            return Err(Outcome::IcmpQuote);
        }
        // Source and destination change places: each is half of the word.
        ports = at.skip(inner.offset).window::<4>().ok_or(Outcome::IcmpQuote)?.word::<0>().rotate_left(16);
    }
    Ok((quoted.destination, L4 { protocol: inner.protocol, ports, has_ports }))
}
