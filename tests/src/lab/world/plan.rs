//! What there is in the world.

use super::super::routing::Software;

/// The operator's AS. All AS numbers are those for documentation (RFC 5398).
pub const OPERATOR_AS: u32 = 64500;
/// Prefixes that PoPs announce.
pub const PREFIXES: [&str; 2] = ["192.0.2.0/24", "2001:db8:80::/48"];

/// A carrier.
#[derive(Clone, Copy, Debug)]
pub struct CarrierPlan {
    /// Name.
    pub name: &'static str,
    /// Its AS.
    pub number: u32,
    /// Its PoPs by preference, the nearest first: a carrier's routers prefer what is near.
    pub pops: [usize; 3],
}

/// A PoP.
#[derive(Clone, Copy, Debug)]
pub struct PopPlan {
    /// Name.
    pub name: &'static str,
    /// What its border router runs.
    pub border: Software,
    /// What its hosts run.
    pub hosts: &'static [Software],
}

/// An AS in which players are.
#[derive(Clone, Copy, Debug)]
pub struct AccessPlan {
    /// Name.
    pub name: &'static str,
    /// Its AS.
    pub number: u32,
    /// Carriers, the preferred one first.
    pub carriers: &'static [usize],
    /// PoP that it meets at an exchange.
    pub exchange: Option<usize>,
}

/// A home region.
#[derive(Clone, Copy, Debug)]
pub struct RegionPlan {
    /// Name.
    pub name: &'static str,
    /// Gateways.
    pub gateways: u8,
    /// One way to the backbone, in ms.
    pub backbone_delay_ms: u64,
    /// Carrier that its own addresses are reached by, and one way there, in ms.
    pub exit: (usize, u64),
}

/// The carriers do not peer with one another: what only one of them knows, the other one's customers do not reach.
pub const CARRIERS: [CarrierPlan; 2] = [
    CarrierPlan { name: "northnet", number: 64496, pops: [0, 2, 1] },
    CarrierPlan { name: "southnet", number: 64497, pops: [1, 2, 0] },
];

/// FRR and BIRD, as borders and as hosts, and together.
pub const POPS: [PopPlan; 3] = [
    PopPlan { name: "beijing", border: Software::Frr, hosts: &[Software::Frr, Software::Bird] },
    PopPlan { name: "singapore", border: Software::Frr, hosts: &[Software::Frr] },
    PopPlan { name: "frankfurt", border: Software::Bird, hosts: &[Software::Frr] },
];

/// Near to one PoP each. Those at frankfurt have no carrier that reaches the home region's own addresses.
pub const ACCESS: [AccessPlan; 3] = [
    AccessPlan { name: "beijing", number: 64501, carriers: &[0, 1], exchange: None },
    AccessPlan { name: "singapore", number: 64502, carriers: &[1, 0], exchange: None },
    AccessPlan { name: "frankfurt", number: 64503, carriers: &[1], exchange: Some(2) },
];

/// The first one serves; the second one takes its place.
pub const REGIONS: [RegionPlan; 2] = [
    RegionPlan { name: "guangzhou", gateways: 2, backbone_delay_ms: 5, exit: (0, 10) },
    RegionPlan { name: "virginia", gateways: 1, backbone_delay_ms: 10, exit: (1, 15) },
];

impl AccessPlan {
    /// The PoP that its players enter at while all is well.
    pub fn nearest_pop(&self) -> usize {
        self.exchange.unwrap_or(CARRIERS[self.carriers[0]].pops[0])
    }
}
