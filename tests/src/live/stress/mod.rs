//! Tables that change at full speed while packets flow, made so that every mix of two states shows in the packet.
//!
//! What belongs together carries the same number, wherever the tables keep it:
//!
//! | where | carries |
//! | --- | --- |
//! | VIP `n` | its own number; its pools, and no others, have backends `10.4.n.x` or `fd00:4:n::x` |
//! | outer header of a backend | `x`, and a source whose number is `x mod 4`: both are of one entry |
//! | next hop of a route | MAC `02:n:hop:link:era:00`: the backend's `n`, and what its link must be |
//! | link | source MAC `06:link:era:00:00:00`, a tag of `100 + link`, its interface |
//! | route | narrow ones, with an MTU of [`NARROW_MTU_BYTES`], have hops from [`NARROW_HOP`] on |

mod change;
mod check;
mod grace;
mod program;
mod slow;
mod state;

pub use change::Changer;
pub use check::{Seen, mix};
pub use grace::{Graceless, Readers, Watched};
pub use program::{Tally, packets};
pub use slow::{Reader, read};
pub use state::{INTERFACES, LIMITS, STEADY_VIPS, VIPS, config, vip_address};

/// MTU of a narrow route: small frames fit with an outer header, large ones do not.
pub const NARROW_MTU_BYTES: u16 = 200;
/// The first hop number of narrow routes.
pub const NARROW_HOP: u8 = 11;
