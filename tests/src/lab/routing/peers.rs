//! What routers say, the same for FRR and BIRD.

use std::{net::IpAddr, time::Duration};

/// A BFD session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BfdPeer {
    /// The other end.
    pub address: IpAddr,
    /// Both ends hear each other.
    pub is_up: bool,
    /// How often it went down since it was made; BIRD does not tell.
    pub downs: Option<u64>,
    /// The time of day at which it came up, where BIRD tells: to the millisecond, and as the clock is set now.
    pub since: Option<Duration>,
    /// Time without a packet after which it goes down, in ms.
    pub detection_ms: u64,
}

/// A way that BGP knows to a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The next hops' addresses; none for one of this router's own.
    pub next_hop: Option<IpAddr>,
    /// AS numbers on the way, the nearest first.
    pub as_path: Vec<u32>,
    /// Local preference (RFC 4271); 100 where it is not told.
    pub local_preference: u32,
    /// GRACEFUL_SHUTDOWN (RFC 8326) is among its communities.
    pub is_draining: bool,
    /// It is the best one, or of equal cost with it.
    pub is_used: bool,
}
