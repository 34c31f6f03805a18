//! At the egress of a gateway: the tunnel back to a PoP host.

use anycast_common::{
    checksum,
    flow::flow_label,
    header::{ETHERNET_BYTES, GRE_BYTES, GRE_FLAGS_KEY, GRE_KEYED_BYTES, IPV4_BYTES, IPV6_BYTES, UDP_BYTES, protocol},
    map::{BackendEntry, Counter, ENCAP_GRE, ENCAP_GRE_KEYED, ENCAP_GUE, LIMIT_ERRORS, ReturnPath},
    outcome::Outcome,
    outer_patch::{gue_source_port, ipv6_first_word},
};
use aya_ebpf::{
    bindings::{
        BPF_F_ADJ_ROOM_ENCAP_L3_IPV4, BPF_F_ADJ_ROOM_ENCAP_L3_IPV6, BPF_F_ADJ_ROOM_ENCAP_L4_GRE,
        BPF_F_ADJ_ROOM_ENCAP_L4_UDP,
    },
    helpers::bpf_ktime_get_coarse_ns,
    programs::TcContext,
};

use super::{
    answer::Answer,
    encap,
    icmp::ICMP_BYTES,
    ip::{Header, V4, V6},
    next_hop::Way,
};
use crate::{
    maps::{self, Tunnels},
    packet::{Cursor, opaque},
    skb,
};

/// Most ICMP errors a second about what the host itself sends: it believes the first.
const ERRORS_PPS: u32 = 1000;

/// An IP family that can be wrapped, and wrap.
pub trait Wrap: Answer {
    /// Flag of the kernel's helper for an outer header of this family.
    const ROOM_FLAG: u32;
    /// [`tell`] of this family.
    fn tell(ctx: &TcContext, mtu_bytes: u16) -> Option<()>;
    /// Writes the outer IP header.
    fn write_outer(at: Cursor, outer: &OuterIp<Self>) -> Option<()>;
}

/// What an outer IP header is made of.
pub struct OuterIp<O: Wrap> {
    length: usize,
    tos: u8,
    protocol: u8,
    flow_hash: u64,
    source: O::Address,
    destination: O::Address,
}

/// How the packet fits.
pub struct Fit {
    /// How many packets it will be, and their bytes without the outer header.
    pub sent: Counter,
    /// Its segments keep their length.
    pub keeps_segments: bool,
}

impl Fit {
    /// `None`: it does not. TCP that the host is to cut into segments can be cut shorter, by the bytes of the outer header.
    #[inline(always)]
    pub fn of<I: Answer>(
        ctx: &TcContext,
        l3: Cursor,
        header: &Header<I>,
        outer_bytes: usize,
        inner_bytes_max: usize,
    ) -> Option<Self> {
        let segment_bytes = skb::segment_bytes(ctx);
        if segment_bytes == 0 {
            let sent = Counter { packets: 1, bytes: header.length as u64 };
            return (header.length <= inner_bytes_max).then_some(Self { sent, keeps_segments: true });
        }
        let is_tcp = header.next == protocol::TCP;
        let l4 = l3.skip(opaque(header.bytes) & 0x3f);
        let l4_bytes = if is_tcp { (l4.window::<14>()?.u8::<12>() >> 4) as usize * 4 } else { UDP_BYTES };
        let headers_bytes = header.bytes + l4_bytes;
        let payload_bytes = header.length.saturating_sub(headers_bytes);
        let packet_bytes = headers_bytes + segment_bytes;
        let in_segments_of = |bytes: usize| {
            let packets = (payload_bytes as u32).div_ceil(bytes as u32) as u64;
            Counter { packets, bytes: payload_bytes as u64 + packets * headers_bytes as u64 }
        };
        if packet_bytes <= inner_bytes_max {
            return Some(Self { sent: in_segments_of(segment_bytes), keeps_segments: true });
        }
        let shorter = segment_bytes.checked_sub(outer_bytes).filter(|bytes| *bytes != 0)?;
        (is_tcp && headers_bytes + shorter <= inner_bytes_max)
            .then(|| Self { sent: in_segments_of(shorter), keeps_segments: false })
    }
}

/// Bytes between the outer IP header and the inner packet.
#[inline(always)]
pub fn behind_bytes(encap: u8) -> usize {
    match encap {
        ENCAP_GRE => GRE_BYTES,
        ENCAP_GRE_KEYED => GRE_KEYED_BYTES,
        ENCAP_GUE => UDP_BYTES,
        _ => 0,
    }
}

/// Makes room and writes everything in front of the inner packet.
#[expect(clippy::too_many_arguments, reason = "it is what the stages before gave, and inlined")]
#[inline(always)]
pub fn run<O: Wrap, I: Wrap>(
    ctx: &TcContext,
    header: &Header<I>,
    path: ReturnPath,
    peer: &BackendEntry,
    way: &Way,
    flow_hash: u64,
    outer_bytes: usize,
    keeps_segments: bool,
    tunnels: Tunnels,
) -> Result<(), Outcome> {
    let (carried, flag) = match path.encap {
        ENCAP_GRE | ENCAP_GRE_KEYED => (protocol::GRE, BPF_F_ADJ_ROOM_ENCAP_L4_GRE),
        ENCAP_GUE => (protocol::UDP, BPF_F_ADJ_ROOM_ENCAP_L4_UDP),
        _ => (I::TUNNEL_PROTOCOL, 0),
    };
    skb::grow(ctx, outer_bytes, O::ROOM_FLAG | flag, keeps_segments).map_err(|()| Outcome::Headroom)?;
    let outer = OuterIp {
        length: (ctx.len() as usize).wrapping_sub(ETHERNET_BYTES),
        tos: header.tos,
        protocol: carried,
        flow_hash,
        source: O::unmapped(maps::returns::tunnel_address(path.tunnel_index)),
        destination: O::with_end(O::destination_of(peer), path.source_end),
    };
    write::<O, I>(ctx, &outer, path, way, tunnels).ok_or(Outcome::Headroom)?;
    let [vlan_tci]: [u16; 1] = maps::half_words(&way.link.vlan_tci);
    if vlan_tci != 0 {
        skb::push_tag(ctx, vlan_tci).map_err(|()| Outcome::Headroom)?;
    }
    Ok(())
}

#[inline(always)]
fn write<O: Wrap, I: Wrap>(
    ctx: &TcContext,
    outer: &OuterIp<O>,
    path: ReturnPath,
    way: &Way,
    tunnels: Tunnels,
) -> Option<()> {
    let frame = Cursor::of_skb(ctx);
    let ethernet = frame.window::<ETHERNET_BYTES>()?;
    encap::ethernet(ethernet.part(0), way.next_hop, way.link);
    ethernet.set_ne16::<12>(O::ETHERTYPE.to_be());
    let ip = frame.skip_constant(ETHERNET_BYTES);
    O::write_outer(ip, outer)?;
    let behind = ip.skip_constant(O::HEADER_BYTES);
    match path.encap {
        ENCAP_GRE => {
            let gre = behind.window::<GRE_BYTES>()?;
            gre.set_ne16::<0>(0);
            gre.set_ne16::<2>(I::ETHERTYPE.to_be());
        }
        ENCAP_GRE_KEYED => {
            let gre = behind.window::<GRE_KEYED_BYTES>()?;
            gre.set_ne16::<0>(GRE_FLAGS_KEY.to_be());
            gre.set_ne16::<2>(I::ETHERTYPE.to_be());
            gre.set_word::<4>(maps::returns::gre_key(path.key_index));
        }
        ENCAP_GUE => {
            let udp = behind.window::<UDP_BYTES>()?;
            udp.set_ne16::<0>(u16::from_ne_bytes(gue_source_port(outer.flow_hash)));
            udp.set_ne16::<2>(tunnels.policy().gue_port.to_be());
            udp.set_ne16::<4>(((outer.length.wrapping_sub(O::HEADER_BYTES)) as u16).to_be());
            udp.set_ne16::<6>(0);
        }
        _ => {}
    }
    Some(())
}

impl Wrap for V4 {
    const ROOM_FLAG: u32 = BPF_F_ADJ_ROOM_ENCAP_L3_IPV4;

    #[inline(always)]
    fn tell(ctx: &TcContext, mtu_bytes: u16) -> Option<()> {
        tell::<Self, { (IPV4_BYTES + 8) / 4 }, { ETHERNET_BYTES + IPV4_BYTES + ICMP_BYTES + IPV4_BYTES + 8 }>(
            ctx, mtu_bytes,
        )
    }

    #[inline(always)]
    fn write_outer(at: Cursor, outer: &OuterIp<Self>) -> Option<()> {
        let ip = at.window::<IPV4_BYTES>()?;
        Self::write_header(ip, outer.tos, outer.length, outer.protocol, outer.source, outer.destination);
        Some(())
    }
}

impl Wrap for V6 {
    const ROOM_FLAG: u32 = BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;

    #[inline(always)]
    fn tell(ctx: &TcContext, mtu_bytes: u16) -> Option<()> {
        tell::<Self, { (IPV6_BYTES + 8) / 4 }, { ETHERNET_BYTES + IPV6_BYTES + ICMP_BYTES + IPV6_BYTES + 8 }>(
            ctx, mtu_bytes,
        )
    }

    #[inline(always)]
    fn write_outer(at: Cursor, outer: &OuterIp<Self>) -> Option<()> {
        let ip = at.window::<IPV6_BYTES>()?;
        let first_word = ipv6_first_word(outer.tos, flow_label(outer.flow_hash));
        let payload_bytes = outer.length.wrapping_sub(IPV6_BYTES);
        Self::write_header(ip, first_word, payload_bytes, outer.protocol, outer.source, outer.destination);
        Some(())
    }
}

/// Tells the host what fits, in the name of the client: the error comes in by the interface that answers to the client leave
/// by, where a reverse-path check expects it. `TooBig`: it could not be told, or not now.
#[inline(always)]
pub fn too_big<I: Wrap>(ctx: &TcContext, l3: Cursor, header: &Header<I>, mtu_bytes: usize) -> Outcome {
    let mtu_bytes = if mtu_bytes < I::MTU_MIN_BYTES { I::MTU_MIN_BYTES } else { mtu_bytes };
    let is_first = !header.fragment && header.bytes == I::HEADER_BYTES && header.next != I::ICMP;
    if !is_first || !I::is_whole_by_demand(l3) || header.length <= mtu_bytes {
        return Outcome::TooBig;
    }
    // SAFETY: a helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_coarse_ns() };
    if maps::icmp_admits(LIMIT_ERRORS, now_ns, ERRORS_PPS) && I::tell(ctx, mtu_bytes as u16).is_some() {
        Outcome::TooBigAnswered
    } else {
        Outcome::TooBig
    }
}

/// Makes the frame an error about itself: `QUOTE` words are quoted, the ports among them, which is what the stack needs to
/// find the socket. `FRAME` bytes in all.
#[inline(always)]
fn tell<I: Answer, const QUOTE: usize, const FRAME: usize>(ctx: &TcContext, mtu_bytes: u16) -> Option<()> {
    skb::cut(ctx, FRAME as u32).ok()?;
    let frame = Cursor::of_skb(ctx);
    frame.window::<FRAME>()?;
    let l3 = frame.skip_constant(ETHERNET_BYTES);
    let quote_at = l3.skip_constant(I::HEADER_BYTES + ICMP_BYTES);
    // From the end, because the two lie over each other.
    for word in (0..QUOTE).rev() {
        let from = l3.skip_constant(word * 4).window::<4>()?.word::<0>();
        quote_at.skip_constant(word * 4).window::<4>()?.set_word::<0>(from);
    }
    crate::frame::turn_round(frame, frame, ETHERNET_BYTES)?;
    I::write_error(l3, mtu_bytes, ICMP_BYTES + QUOTE * 4)?;
    let mut sum = I::pseudo_header_sum(ICMP_BYTES + QUOTE * 4);
    let summed_words = (I::HEADER_BYTES + ICMP_BYTES + QUOTE * 4 - I::SUMMED_FROM_BYTES) / 4;
    for word in 0..summed_words {
        let at = l3.skip_constant(I::SUMMED_FROM_BYTES + word * 4);
        sum += checksum::halves(at.window::<4>()?.word::<0>());
    }
    l3.skip_constant(I::HEADER_BYTES).window::<4>()?.set_ne16::<2>(checksum::finish(sum));
    Some(())
}
