//! Routers that speak BGP and BFD: FRR and BIRD, one set of processes a namespace, by the configurations of
//! `packaging/bgp` or by any other.

mod bird;
mod frr;
mod peers;
mod template;

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use ipnet::IpNet;

pub use self::{
    bird::Bird,
    frr::Frr,
    peers::{BfdPeer, Route},
    template::Values,
};
use super::{Namespace, scratch::Scratch, wait::wait_for};

/// How long sessions may take to come up: daemons start, neighbours are resolved, and both ends connect.
const SESSIONS_LIMIT: Duration = Duration::from_secs(30);

/// Ahead of what else computes, as FRR's own unit has it: BFD that waits for the processor is a router that is dead.
const NICE: [&str; 2] = ["-n", "-5"];

/// A router's daemons.
#[derive(Debug)]
pub enum Router {
    /// zebra, staticd, bfdd and bgpd.
    Frr(Box<Frr>),
    /// BIRD.
    Bird(Bird),
}

/// Which daemons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Software {
    /// FRR.
    Frr,
    /// BIRD.
    Bird,
}

/// What a router of a PoP is, which is the name of its configuration in `packaging/bgp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Runs anycast-xdp.
    Host,
    /// Speaks to carriers.
    Border,
}

impl Router {
    /// Starts what `packaging/bgp` has for this role, with these values.
    pub fn of_pop(
        software: Software,
        role: Role,
        namespace: &Namespace,
        scratch: &Scratch,
        values: &Values,
    ) -> Result<Self> {
        let (directory, file) = (
            match software {
                Software::Frr => "frr",
                Software::Bird => "bird",
            },
            match role {
                Role::Host => "host.conf",
                Role::Border => "border.conf",
            },
        );
        let path = packaging().join(directory).join(file);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Self::start(software, namespace, scratch, &values.fill(&format!("{directory}/{file}"), &text)?)
    }

    /// Starts the daemons with a configuration.
    pub fn start(software: Software, namespace: &Namespace, scratch: &Scratch, configuration: &str) -> Result<Self> {
        Ok(match software {
            Software::Frr => Self::Frr(Box::new(Frr::start(namespace, scratch, configuration)?)),
            Software::Bird => Self::Bird(Bird::start(namespace, scratch, configuration)?),
        })
    }

    /// Sessions that are not established, by name.
    pub fn sessions_down(&self) -> Result<Vec<String>> {
        match self {
            Self::Frr(frr) => frr.sessions_down(),
            Self::Bird(bird) => bird.sessions_down(),
        }
    }

    /// What BFD knows, by peer.
    pub fn bfd_peers(&self) -> Result<Vec<BfdPeer>> {
        match self {
            Self::Frr(frr) => frr.bfd_peers(),
            Self::Bird(bird) => bird.bfd_peers(),
        }
    }

    /// What BGP knows of a network, the best way first.
    pub fn routes(&self, network: IpNet) -> Result<Vec<Route>> {
        match self {
            Self::Frr(frr) => frr.routes(network),
            Self::Bird(bird) => bird.routes(network),
        }
    }

    /// Waits until all of its sessions are established, and as many BFD sessions are up.
    pub fn wait_until_up(&self) -> Result<()> {
        let mut last = String::new();
        let is_up = || {
            let state = self.sessions_down().and_then(|mut down| {
                let bfd = self.bfd_peers()?;
                down.extend(bfd.iter().filter(|peer| !peer.is_up).map(|peer| format!("BFD {}", peer.address)));
                Ok(down)
            });
            match state {
                Ok(down) if down.is_empty() => return Some(()),
                Ok(down) => last = down.join(", "),
                Err(error) => last = format!("{error:#}"),
            }
            std::thread::sleep(Duration::from_millis(50));
            None
        };
        wait_for("BGP and BFD sessions", SESSIONS_LIMIT, is_up).with_context(|| format!("still down: {last}"))
    }

    /// SIGKILL to what speaks BGP, and a new start of it. FRR's other daemons go on; BIRD is all of it, BFD included.
    pub fn restart_bgp(&mut self) -> Result<()> {
        match self {
            Self::Frr(frr) => frr.restart_bgpd(),
            Self::Bird(bird) => bird.restart(),
        }
    }
}

/// `packaging/bgp` of this checkout.
fn packaging() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../packaging/bgp")
}
