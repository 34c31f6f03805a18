//! What is tried on an interface: which variant of the program, in which mode.

use anycast_common::header::ETHERNET_BYTES;
use aya::programs::XdpMode;

use super::super::inventory::variant;
use crate::desired::AttachMode;

/// Longest IP packet whose frame lies in a page, beside the 256 bytes of headroom (`XDP_PACKET_HEADROOM`) and the 320 of
/// `struct skb_shared_info`. Above it drivers give frames in fragments; many do from less on.
pub fn linear_mtu_bytes_max() -> u32 {
    // SAFETY: asks for a number.
    let page_bytes = u32::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    page_bytes - 256 - 320 - ETHERNET_BYTES as u32
}

/// A variant of a program, in a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// `native` or `generic`.
    pub mode: &'static str,
    /// The variant that takes frames with fragments.
    pub frags: bool,
}

impl Attempt {
    /// The mode as aya names it.
    pub fn xdp_mode(self) -> XdpMode {
        if self.mode == GENERIC { XdpMode::Skb } else { XdpMode::Driver }
    }

    /// The variant of a program.
    pub fn program(self, name: &str) -> String {
        variant(name, self.frags)
    }
}

const NATIVE: &str = "native";
const GENERIC: &str = "generic";

/// What to try, in this order, on an interface with this MTU.
///
/// The variant without fragments is the faster one. Where the MTU says that it will not do it is not even tried, because
/// some drivers look at the MTU only when it changes. Where it would do by the MTU a driver may still refuse it: veth
/// counts the MTU of its peer, and others have less room than a page. Generic XDP makes every frame linear.
pub(super) fn attempts(asked: AttachMode, mtu_bytes: u32) -> Vec<Attempt> {
    let native = |frags| Attempt { mode: NATIVE, frags };
    let generic = Attempt { mode: GENERIC, frags: false };
    let natives =
        if mtu_bytes > linear_mtu_bytes_max() { vec![native(true)] } else { vec![native(false), native(true)] };
    match asked {
        AttachMode::Auto => [natives, vec![generic]].concat(),
        AttachMode::Native => natives,
        AttachMode::Generic => vec![generic],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(asked: AttachMode, mtu_bytes: u32) -> Vec<(&'static str, bool)> {
        attempts(asked, mtu_bytes).into_iter().map(|attempt| (attempt.mode, attempt.frags)).collect()
    }

    #[test]
    fn variant_without_fragments_comes_first_up_to_a_page_and_never_beyond() {
        for mtu_bytes in [1500, 3506] {
            assert_eq!(tried(AttachMode::Native, mtu_bytes), [(NATIVE, false), (NATIVE, true)], "{mtu_bytes}");
        }
        for mtu_bytes in [3507, 9000] {
            assert_eq!(tried(AttachMode::Native, mtu_bytes), [(NATIVE, true)], "{mtu_bytes}");
        }
    }

    #[test]
    fn generic_mode_comes_last_and_has_no_fragments() {
        assert_eq!(tried(AttachMode::Auto, 9000), [(NATIVE, true), (GENERIC, false)]);
        assert_eq!(tried(AttachMode::Auto, 1500), [(NATIVE, false), (NATIVE, true), (GENERIC, false)]);
        assert_eq!(tried(AttachMode::Generic, 9000), [(GENERIC, false)]);
    }
}
