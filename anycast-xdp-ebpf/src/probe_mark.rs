//! The egress of `axp0`: writes the mark of a probe where XDP can read it.

use anycast_common::probe::ProbeMark;
use aya_ebpf::{bindings::TC_ACT_UNSPEC, programs::TcContext};

use crate::skb;

/// Where the Ethernet source address lies.
const SOURCE_AT: u32 = 6;

/// Writes the mark of a probe into its Ethernet source address. Whatever becomes of that, the frame goes on: one without its mark
/// is a packet of this host like any other.
#[inline(always)]
pub fn run(ctx: &TcContext) -> i32 {
    if let Some(mark) = ProbeMark::from_socket_mark(skb::socket_mark(ctx)) {
        skb::store(ctx, SOURCE_AT, mark.to_mac());
    }
    TC_ACT_UNSPEC
}
