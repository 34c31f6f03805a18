//! A small Internet: players, carriers, PoPs, a private backbone and home regions, with real BGP and BFD between all of
//! them, and the real daemons.
//!
//! ```text
//!  players ── access router ──┬── carriers ──┬── border ──┬── host ──┐
//!            (an AS each)     └── exchange ──┘   (of a    └── host ──┤
//!                                                PoP)                │
//!                                 gateways ── region router ── backbone
//!                                                   └── exit to one carrier
//! ```
//!
//! [`plan`] says how many there are of each. Borders and hosts run the configurations of `packaging/bgp`. A home
//! region's own exit reaches the customers of one carrier only: answers go back through the PoP.

mod addresses;
mod build;
mod fail;
mod files;
mod home;
mod internet;
mod observe;
pub mod plan;
mod pop;
mod sessions;
mod settle;

use std::net::IpAddr;

use anyhow::{Context, Result};

use self::addresses::Net;
pub use self::{
    fail::Dark,
    home::Region,
    observe::Observed,
    pop::{Pop, PopHost},
    sessions::BfdSessions,
};
use super::{Namespace, link::Link, routing::Router, scratch::Scratch, topology::Family, wire::Wire};

/// VIPs of the world, by name.
pub const VIPS: [(&str, IpAddr); 2] = [
    ("game", IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 10))),
    ("game-ipv6", IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0x80, 0, 0, 0, 0, 0x10))),
];
/// Port of the game: echo by TCP and by UDP.
pub const GAME_PORT: u16 = 7000;
/// Port at which servers say who they are, by UDP: ten times the number of the region, and that of the gateway.
pub const NUMBER_PORT: u16 = 7001;

/// How long hosts that drain tell it before they withdraw.
pub const DRAIN_SIGNAL: std::time::Duration = std::time::Duration::from_secs(2);

/// A built world.
// Field order is drop order: daemons before the links and namespaces that they use.
#[derive(Debug)]
pub struct World {
    /// PoPs in the order of [`plan::POPS`].
    pub pops: Vec<Pop>,
    /// Home regions in the order of [`plan::REGIONS`].
    pub regions: Vec<Region>,
    /// Carriers in the order of [`plan::CARRIERS`].
    pub carriers: Vec<Site>,
    /// ASes of players in the order of [`plan::ACCESS`].
    pub access: Vec<Access>,
    wires: Vec<Wire>,
    _links: Vec<Link>,
    backbone: Namespace,
    /// Files of this world.
    pub scratch: Scratch,
}

/// A router and where it runs.
#[derive(Debug)]
pub struct Site {
    /// Its daemons.
    pub router: Router,
    /// Where they run.
    pub namespace: Namespace,
}

/// An AS in which players are.
#[derive(Debug)]
pub struct Access {
    /// The players.
    pub players: Namespace,
    /// Their way to the Internet.
    pub site: Site,
}

impl World {
    /// Builds it, and waits until every session is up and every player reaches every VIP.
    pub fn build() -> Result<Self> {
        build::build()
    }

    /// Address of a home host that is not anycast: what players would use without the product.
    pub fn home_address(&self, region: u8, gateway: u8, family: Family) -> IpAddr {
        Net::Gateway { region, gateway }.address(family, 2)
    }

    /// The PoP at which packets of these players to a VIP enter, as the routers' kernels have it; none where one has no way.
    pub fn entry(&self, access: usize, vip: IpAddr) -> Result<Option<usize>> {
        let Some(mut way) = interface_toward(&self.access[access].site.namespace, vip)? else { return Ok(None) };
        if let Some(carrier) = way.strip_prefix("car") {
            let carrier: usize = carrier.parse()?;
            let Some(behind) = interface_toward(&self.carriers[carrier].namespace, vip)? else { return Ok(None) };
            way = behind;
        }
        // Interfaces are named after what is behind them: `pop1` at a carrier, `ix1` at an exchange.
        let pop = way.strip_prefix("pop").or(way.strip_prefix("ix"));
        pop.map(|number| number.parse().with_context(|| format!("interface {way}"))).transpose()
    }

    /// Frames that wires could not carry.
    pub fn lost_by_wires(&self) -> u64 {
        self.wires.iter().map(Wire::lost).sum()
    }
}

/// The interface that a router's kernel sends to an address by.
fn interface_toward(router: &Namespace, address: IpAddr) -> Result<Option<String>> {
    let family = if address.is_ipv4() { "-4" } else { "-6" };
    let text = router.ip(&format!("{family} route show match {address}"))?;
    let words: Vec<&str> = text.split_whitespace().collect();
    Ok(words.windows(2).find(|pair| pair[0] == "dev").map(|pair| pair[1].to_owned()))
}
