//! An ICMP error about what came in a tunnel, sent back in the same tunnel. Rare, and in functions of their own.

use anycast_common::{
    checksum,
    header::{ETHERNET_BYTES, GRE_KEYED_BYTES, IPV4_BYTES, IPV6_BYTES, UDP_BYTES, protocol},
    outer_patch::ipv6_first_word,
};
use aya_ebpf::{bindings::xdp_md, programs::XdpContext};

use super::{
    answer::{self, Answer, SENT},
    decap,
    ip::{V4, V6},
};
use crate::{
    maps,
    packet::{Cursor, Window, adjust_head, opaque},
};

/// Most bytes behind the outer IP header.
const BEHIND_IP_MAX_BYTES: usize = GRE_KEYED_BYTES;

/// Where the words behind the IP header are kept.
const BEHIND: usize = IPV6_BYTES / 4;

/// The words of an outer header.
type Words = [u32; BEHIND + BEHIND_IP_MAX_BYTES / 4];

/// An outer family in which errors can be sent back.
pub trait Bounce: Answer {
    /// [`send`], in a function of its own. `sizes`: bytes of L2 in bits 0..8, of the outer header in 8..16, the MTU in 16..32.
    /// 1: the frame is the error now.
    fn bounce(ctx: *mut xdp_md, sizes: u32, inner_header_bytes: u32) -> u32;
    /// The length of the packet and its checksum, the TOS of an error, which may carry no mark that the packet met, and the
    /// addresses the other way round.
    fn turn(header: Cursor, length: usize) -> Option<()>;
}

macro_rules! functions {
    ($family:ty: $name:ident) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(ctx: *mut xdp_md, sizes: u32, inner_header_bytes: u32) -> u32 {
            let sent = if inner_header_bytes as usize == IPV4_BYTES {
                send::<$family, V4>(ctx, sizes)
            } else {
                send::<$family, V6>(ctx, sizes)
            };
            u32::from(sent.is_some())
        }
    };
}

functions!(V4: bounce_v4);
functions!(V6: bounce_v6);

impl Bounce for V4 {
    #[inline(always)]
    fn bounce(ctx: *mut xdp_md, sizes: u32, inner_header_bytes: u32) -> u32 {
        bounce_v4(ctx, sizes, inner_header_bytes)
    }

    #[inline(always)]
    fn turn(header: Cursor, length: usize) -> Option<()> {
        let ip = header.window::<IPV4_BYTES>()?;
        let (source, destination) = (ip.word::<12>(), ip.word::<16>());
        ip.set_u8::<1>(answer::TOS);
        ip.set_ne16::<2>((length as u16).to_be());
        ip.set_u8::<8>(answer::TTL);
        ip.set_ne16::<10>(0);
        ip.set_word::<12>(destination);
        ip.set_word::<16>(source);
        let words = [ip.word::<0>(), ip.word::<4>(), ip.word::<8>(), source, destination];
        let sum = words.into_iter().map(checksum::halves).sum();
        ip.set_ne16::<10>(checksum::finish(sum));
        Some(())
    }
}

impl Bounce for V6 {
    #[inline(always)]
    fn bounce(ctx: *mut xdp_md, sizes: u32, inner_header_bytes: u32) -> u32 {
        bounce_v6(ctx, sizes, inner_header_bytes)
    }

    #[inline(always)]
    fn turn(header: Cursor, length: usize) -> Option<()> {
        let ip = header.window::<IPV6_BYTES>()?;
        let (source, destination) = (ip.words::<8>(), ip.words::<24>());
        ip.set_bytes4::<0>(ipv6_first_word(answer::TOS, 0));
        ip.set_ne16::<4>(((length - IPV6_BYTES) as u16).to_be());
        ip.set_u8::<7>(answer::TTL);
        ip.set_words::<8>(destination);
        ip.set_words::<24>(source);
        Some(())
    }
}

/// Makes the frame an error about its inner packet, in the tunnel that it came by.
#[inline(always)]
fn send<O: Bounce, I: Answer>(ctx: *mut xdp_md, sizes: u32) -> Option<()> {
    let l2_bytes = answer::bounded(sizes & 0xff)?;
    let behind_bytes = opaque(((sizes >> 8 & 0xff) as usize).wrapping_sub(O::HEADER_BYTES));
    let mtu_bytes = sizes >> 16;
    let context = &XdpContext::new(ctx);
    // The outer header, to be put back.
    let came = Cursor::spillable(context).skip(l2_bytes);
    let words = &mut maps::returns::scratch()?.outer;
    read_ip::<O>(came, words)?;
    let behind = came.skip_constant(O::HEADER_BYTES);
    match behind_bytes {
        0 => {}
        4 => words[BEHIND] = behind.window::<4>()?.word::<0>(),
        BEHIND_IP_MAX_BYTES => {
            let behind = behind.window::<8>()?;
            words[BEHIND] = behind.word::<0>();
            words[BEHIND + 1] = behind.word::<4>();
        }
        _ => return None,
    }
    decap::strip::<I>(context, l2_bytes, O::HEADER_BYTES + (behind_bytes & 0xf), None).ok()?;
    if I::send_error(ctx, ETHERNET_BYTES as u32, mtu_bytes) != SENT {
        return None;
    }
    let frame = Cursor::spillable(context);
    let ethernet = frame.window::<12>()?;
    let addresses = [ethernet.word::<0>(), ethernet.word::<4>(), ethernet.word::<8>()];
    let inner_bytes = Cursor::of_frame::<crate::packet::Fragmented>(context).remaining() - ETHERNET_BYTES;
    match behind_bytes {
        0 => put::<O, 0>(context, addresses, words, inner_bytes),
        4 => put::<O, 4>(context, addresses, words, inner_bytes),
        _ => put::<O, 8>(context, addresses, words, inner_bytes),
    }
}

/// The words of the outer IP header.
#[inline(always)]
fn read_ip<O: Bounce>(at: Cursor, words: &mut Words) -> Option<()> {
    if O::HEADER_BYTES == IPV4_BYTES {
        let ip = at.window::<IPV4_BYTES>()?;
        [words[0], words[1], words[2], words[3]] = ip.words::<0>();
        words[4] = ip.word::<16>();
    } else {
        let ip = at.window::<IPV6_BYTES>()?;
        [words[0], words[1], words[2], words[3]] = ip.words::<0>();
        [words[4], words[5], words[6], words[7]] = ip.words::<16>();
        words[8] = ip.word::<32>();
        words[9] = ip.word::<36>();
    }
    Some(())
}

/// Puts the outer header in front again, turned round.
#[inline(always)]
fn put<O: Bounce, const BEHIND_BYTES: usize>(
    ctx: &XdpContext,
    addresses: [u32; 3],
    ip: &Words,
    inner_bytes: usize,
) -> Option<()> {
    let outer_bytes = O::HEADER_BYTES + BEHIND_BYTES;
    adjust_head(ctx, outer_bytes.cast_signed() as i32).ok()?;
    let frame = Cursor::spillable(ctx);
    let ethernet: Window<ETHERNET_BYTES> = frame.window()?;
    ethernet.set_word::<0>(addresses[0]);
    ethernet.set_word::<4>(addresses[1]);
    ethernet.set_word::<8>(addresses[2]);
    ethernet.set_ne16::<12>(O::ETHERTYPE.to_be());
    let at = frame.skip_constant(ETHERNET_BYTES);
    if O::HEADER_BYTES == IPV4_BYTES {
        let to = at.window::<IPV4_BYTES>()?;
        to.set_words::<0>([ip[0], ip[1], ip[2], ip[3]]);
        to.set_word::<16>(ip[4]);
    } else {
        let to = at.window::<IPV6_BYTES>()?;
        to.set_words::<0>([ip[0], ip[1], ip[2], ip[3]]);
        to.set_words::<16>([ip[4], ip[5], ip[6], ip[7]]);
        to.set_word::<32>(ip[8]);
        to.set_word::<36>(ip[9]);
    }
    O::turn(at, outer_bytes + inner_bytes)?;
    let behind = at.skip_constant(O::HEADER_BYTES);
    if BEHIND_BYTES >= 4 {
        behind.window::<4>()?.set_word::<0>(ip[BEHIND]);
    }
    if BEHIND_BYTES == 8 {
        behind.window::<8>()?.set_word::<4>(ip[BEHIND + 1]);
        if O::next(at)? == protocol::UDP {
            behind.window::<8>()?.set_ne16::<4>(((UDP_BYTES + inner_bytes) as u16).to_be());
        }
    }
    Some(())
}
