//! Echo requests to a VIP that has a policy for them (RFC 792, RFC 4443 section 4).

use anycast_common::{
    map::{ECHO_DROP, ECHO_FORWARD, LIMIT_ECHO},
    outcome::Outcome,
};
use aya_ebpf::{bindings::xdp_md, programs::XdpContext};

use super::{
    answer::{Answer, SENT, admits, bounded},
    ip::{Header, Upper},
};
use crate::{
    frame,
    packet::{Cursor, Fragmented, opaque},
};

/// Bytes of an echo message's header.
const ECHO_BYTES: usize = 8;

/// Fails with what became of an echo request; other packets go on.
///
/// Fragments go on, because this program does not reassemble. So do requests to be answered that have options or
/// extension headers: an answer would have to follow the route that they record (RFC 1122 section 3.2.2.6).
#[inline(always)]
pub fn apply<I: Answer>(
    ctx: &XdpContext,
    l2_bytes: usize,
    header: &Header<I>,
    upper: Upper,
    policy: u8,
) -> Result<(), Outcome> {
    if policy == ECHO_FORWARD
        || upper.protocol != I::ICMP
        || upper.fragment
        || upper.offset + ECHO_BYTES > header.length
    {
        return Ok(());
    }
    match I::echo(ctx.ctx, l2_bytes as u32, upper.offset as u32, policy as u32) {
        SENT => Err(Outcome::EchoAnswered),
        LIMITED => Err(Outcome::EchoLimited),
        REFUSED => Err(Outcome::EchoPolicy),
        _ => Ok(()),
    }
}

/// What [`decide`] returns, beside [`SENT`].
const GOES_ON: u32 = 0;
const LIMITED: u32 = 2;
const REFUSED: u32 = 3;

/// What becomes of an ICMP message at `offset` from the IP header.
#[inline(always)]
pub fn decide<I: Answer>(ctx: *mut xdp_md, l2_bytes: u32, offset: u32, policy: u32) -> u32 {
    let ctx = &XdpContext::new(ctx);
    let Some(l2_bytes) = bounded(l2_bytes) else {
        return GOES_ON;
    };
    let frame = Cursor::spillable(ctx).of_frames::<Fragmented>(ctx);
    let message = frame.skip(l2_bytes).skip(opaque(offset as usize) & 0x7fff).window::<1>();
    if message.is_none_or(|message| message.u8::<0>() != I::ECHO_REQUEST) {
        GOES_ON
    } else if policy == ECHO_DROP as u32 {
        REFUSED
    } else if offset as usize != I::HEADER_BYTES {
        GOES_ON
    } else if !admits(LIMIT_ECHO) {
        LIMITED
    } else {
        // Without its checksum in the linear part it cannot be answered.
        answer::<I>(frame, l2_bytes).map_or(LIMITED, |()| SENT)
    }
}

/// Turns the request into its reply, in place. What fails does so before anything is written: the Ethernet header is there
/// where the reply is, which the verifier does not know.
#[inline(always)]
fn answer<I: Answer>(frame: Cursor, l2_bytes: usize) -> Option<()> {
    I::write_echo_reply(frame.skip(l2_bytes))?;
    frame::turn_round(frame, frame, l2_bytes)
}
