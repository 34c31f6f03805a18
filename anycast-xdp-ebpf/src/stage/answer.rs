//! ICMP errors that the program sends by itself, back to where the packet came from. Rare, and far from the fast path:
//! nothing here is inlined into it, and everything is read from the frame once more.

mod v4;
mod v6;

use anycast_common::{
    checksum,
    header::{ETHERNET_BYTES, VLAN_TAG_BYTES, VLAN_TAGS_MAX},
    map::{LIMIT_ECHO, LIMIT_ERRORS},
    outcome::Outcome,
};
use aya_ebpf::{bindings::xdp_md, helpers::bpf_ktime_get_coarse_ns, programs::XdpContext};

use super::{
    icmp::ICMP_BYTES,
    ip::{Header, Ip, Upper},
};
use crate::{
    frame, maps,
    packet::{Cursor, Fragmented, Window, adjust_head, adjust_tail, opaque},
    sum::sum,
};

/// TTL or hop limit of what this host sends.
pub const TTL: u8 = 64;
/// TOS or traffic class of errors: network control (RFC 1812 section 4.3.2.5).
pub const TOS: u8 = 0xc0;
/// An IP family in which this host can answer.
pub trait Answer: Ip {
    /// ICMP type of echo requests.
    const ECHO_REQUEST: u8;
    /// Longest error, in bytes.
    const ERROR_MAX_BYTES: usize;
    /// Least MTU that a path may be said to have, in bytes.
    const MTU_MIN_BYTES: usize;

    /// [`send`], in a function of its own.
    fn send_error(ctx: *mut xdp_md, l2_bytes: u32, mtu_bytes: u32) -> u32;
    /// [`super::echo::decide`], likewise.
    fn echo(ctx: *mut xdp_md, l2_bytes: u32, offset: u32, policy: u32) -> u32;
    /// Must no error be sent about an ICMP message of this type?
    fn forbids_error(kind: u8) -> bool;
    /// This host's own address, if it has one.
    fn own_address() -> Option<Self::Address>;
    /// Is it the address that this host's probes come from?
    fn is_health_address(address: Self::Address) -> bool;
    /// Is a fragment another than the first?
    fn is_later_fragment(l3: Cursor, upper: Upper) -> bool;
    /// May no router cut the packet into fragments?
    fn is_whole_by_demand(l3: Cursor) -> bool;
    /// Turns a whole echo request without options into its reply.
    fn write_echo_reply(l3: Cursor) -> Option<()>;
    /// Where what an ICMP checksum is of begins in a packet: with the message, or the addresses in front of it.
    const SUMMED_FROM_BYTES: usize;
    /// Sum of what else is in it, for a message of this length.
    fn pseudo_header_sum(message_bytes: usize) -> u32;
    /// Writes IP and ICMP headers in front of a quote, the ICMP checksum still zero. An MTU of 0: Time Exceeded.
    fn write_error(l3: Cursor, mtu_bytes: u16, message_bytes: usize) -> Option<()>;
}

/// Tells the sender that the TTL is used up, in the name of this host.
#[inline(always)]
pub fn time_exceeded<I: Answer>(ctx: &XdpContext, l2_bytes: usize) -> Outcome {
    if I::send_error(ctx.ctx, l2_bytes as u32, 0) == SENT { Outcome::TtlAnswered } else { Outcome::TtlExpired }
}

/// Tells the sender the MTU that fits, in the name of the VIP: clients behind filters believe no one else, and the
/// answer is the same from every `PoP`.
#[inline(always)]
pub fn too_big<I: Answer>(ctx: &XdpContext, l2_bytes: usize, mtu_bytes: usize) -> Outcome {
    let mtu_bytes = if mtu_bytes < I::MTU_MIN_BYTES { I::MTU_MIN_BYTES } else { mtu_bytes };
    let is_sent = I::send_error(ctx.ctx, l2_bytes as u32, mtu_bytes as u32) == SENT;
    if is_sent { Outcome::TooBigAnswered } else { Outcome::TooBig }
}

/// What the functions below return of a packet that became its answer. Anything else: it was left as it is.
pub const SENT: u32 = 1;

/// The functions that are far from the fast path. Exported, so that the verifier takes each by itself and once ("global
/// functions", Linux 5.6), and not again in every state that a packet's way may lead to them in.
macro_rules! functions {
    ($family:ty: $send_error:ident, $echo:ident) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $send_error(ctx: *mut xdp_md, l2_bytes: u32, mtu_bytes: u32) -> u32 {
            u32::from($crate::stage::answer::send::<$family>(ctx, l2_bytes, mtu_bytes as u16).is_some())
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $echo(ctx: *mut xdp_md, l2_bytes: u32, offset: u32, policy: u32) -> u32 {
            $crate::stage::echo::decide::<$family>(ctx, l2_bytes, offset, policy)
        }
    };
}
pub(crate) use functions;

/// The length of an L2 header, as one that the verifier knows the bound of.
#[inline(always)]
pub fn bounded(l2_bytes: u32) -> Option<usize> {
    let l2_bytes = opaque(l2_bytes as usize) & 0x1f;
    (l2_bytes <= ETHERNET_BYTES + VLAN_TAGS_MAX * VLAN_TAG_BYTES).then_some(l2_bytes)
}

/// Does this limiter admit one more answer now?
#[inline(always)]
pub fn admits(limit: u32) -> bool {
    let Some(rates) = maps::icmp_rates() else {
        return false;
    };
    let rate_pps = if limit == LIMIT_ECHO { rates.echo_pps } else { rates.errors_pps };
    // SAFETY: a helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_coarse_ns() };
    maps::icmp_admits(limit, now_ns, rate_pps)
}

/// Makes the frame an error about the packet that is in it: Packet Too Big from where it went, or Time Exceeded from this
/// host where no MTU is given. `None`: it must not be answered, or not now.
#[inline(always)]
pub fn send<I: Answer>(ctx: *mut xdp_md, l2_bytes: u32, mtu_bytes: u16) -> Option<()> {
    let ctx = &XdpContext::new(ctx);
    let l2_bytes = bounded(l2_bytes)?;
    // Of either kind of program: here it does not matter what asking for the length costs.
    let frame = Cursor::spillable(ctx).of_frames::<Fragmented>(ctx);
    let l3 = frame.skip(l2_bytes);
    let header = I::parse(l3).ok()?;
    // A sender that sends no more than the MTU already cannot be helped.
    if mtu_bytes != 0 && (!I::is_whole_by_demand(l3) || header.length <= mtu_bytes as usize) {
        return None;
    }
    if mtu_bytes == 0 {
        I::own_address()?;
    }
    if !may_be_answered::<I>(l3, &header) || !admits(LIMIT_ERRORS) {
        return None;
    }
    let headers_bytes = I::HEADER_BYTES + ICMP_BYTES;
    let quote_max_bytes = I::ERROR_MAX_BYTES - headers_bytes;
    let quote_bytes = if header.length < quote_max_bytes { header.length } else { quote_max_bytes };
    let behind_quote_bytes = l3.remaining() - quote_bytes;

    adjust_head(ctx, headers_bytes.cast_signed() as i32).ok()?;
    // To cut nothing off is refused where frames have fragments.
    if behind_quote_bytes != 0 {
        adjust_tail(ctx, -(behind_quote_bytes.cast_signed() as i32)).ok()?;
    }
    let frame = Cursor::spillable(ctx);
    frame::turn_round(frame.skip_constant(headers_bytes), frame, l2_bytes)?;
    I::write_error(frame.skip(l2_bytes), mtu_bytes, ICMP_BYTES + quote_bytes)?;
    // Of the checksum field itself, which is zero, too.
    let from_bytes = I::SUMMED_FROM_BYTES;
    let sum = sum(ctx, maps::icmp_scratch()?, l2_bytes + from_bytes, headers_bytes + quote_bytes - from_bytes)?;
    let sum = checksum::fold(sum) as u32 + I::pseudo_header_sum(ICMP_BYTES + quote_bytes);
    let icmp = Cursor::spillable(ctx).skip(l2_bytes).skip_constant(I::HEADER_BYTES).window::<ICMP_BYTES>()?;
    icmp.set_ne16::<2>(checksum::finish(sum));
    Some(())
}

/// No error is sent about an error, nor about a fragment but the first (RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e)).
/// Nor is one to more than one host: such sources, and frames to groups, were dropped before.
#[inline(always)]
fn may_be_answered<I: Answer>(l3: Cursor, header: &Header<I>) -> bool {
    let Some(upper) = I::upper(l3, header) else {
        return false;
    };
    if upper.fragment && I::is_later_fragment(l3, upper) {
        return false;
    }
    if upper.protocol != I::ICMP {
        return true;
    }
    // Whatever does not say what it is may be an error.
    upper.offset < header.length
        && l3.skip(upper.offset).window::<1>().is_some_and(|icmp| !I::forbids_error(icmp.u8::<0>()))
}

/// The header of an ICMP error of this type and code, the checksum still zero.
#[inline(always)]
fn write_icmp(icmp: Window<ICMP_BYTES>, kind: [u8; 2], mtu_bytes: u16) {
    icmp.set_ne16::<0>(u16::from_ne_bytes(kind));
    icmp.set_ne16::<2>(0);
    icmp.set_ne16::<4>(0);
    icmp.set_ne16::<6>(mtu_bytes.to_be());
}

/// Another ICMP type, and the checksum of the message with it.
#[inline(always)]
fn set_kind(icmp: Window<4>, kind: u8) {
    let old = icmp.ne16::<0>();
    let [_, code] = old.to_ne_bytes();
    let new = u16::from_ne_bytes([kind, code]);
    icmp.set_ne16::<0>(new);
    let checksum = checksum::replace_word(icmp.ne16::<2>(), old, new);
    // An echo reply of nothing but zeros sums to +0, which no receiver takes for right; as -0 it is right in any message.
    icmp.set_ne16::<2>(if checksum == 0 { 0xffff } else { checksum });
}
