//! Learns the MTUs of paths from the ICMP errors of backbone routers. Tunnel packets are never fragmented, so a router
//! with a smaller link beyond it drops them, and tells.
//!
//! | file | concern |
//! | --- | --- |
//! | `socket` | raw sockets that hear the errors |
//! | `message` | bytes → what a message tells and quotes |
//! | `belief` | which messages are believed |
//! | `learnt` | what was learnt, until when, and its file |

mod belief;
mod learnt;
mod message;
mod socket;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    future::pending,
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use tokio::time::sleep;

use self::socket::ErrorSocket;
pub use self::{
    belief::{Doubt, Facts, Told, Tunnels, believe},
    learnt::{Learnt, monotonic_now},
    message::Message,
};
use crate::{
    dataplane::{apply::peers, interfaces::interface_index},
    desired::{Config, Encap, Role},
    netlink::View,
};

/// Most messages that are read before the daemon looks at its other events: a flood of forged ones delays nothing else.
const MESSAGES_MAX: usize = 64;

/// What the daemon knows of the MTUs of paths.
#[derive(Debug)]
pub struct PathMtu {
    /// Of the families that there are tunnel sources of.
    sockets: Vec<ErrorSocket>,
    tunnels: Tunnels,
    /// Names of the backbone interfaces.
    backbones: Vec<String>,
    learnt: Learnt,
    directory: PathBuf,
}

impl PathMtu {
    /// Goes on where another daemon stopped. Without permission for raw sockets nothing is learnt, with a warning.
    pub fn start(config: &Config, directory: &Path) -> Self {
        let backbones = config.local.interfaces.iter().filter(|interface| interface.backbone);
        let (learnt, is_damaged) = match Learnt::read(directory) {
            Ok(learnt) => (learnt, false),
            Err(error) => {
                tracing::warn!("learnt MTUs are learnt again: {error:#}");
                (Learnt::default(), true)
            }
        };
        let tunnels = tunnels(config);
        let path_mtu = Self {
            sockets: sockets(&tunnels.sources),
            tunnels,
            backbones: backbones.map(|interface| interface.name.clone()).collect(),
            learnt,
            directory: directory.to_owned(),
        };
        if is_damaged {
            path_mtu.save();
        }
        path_mtu
    }

    /// Listens for errors about the tunnels of these services, on the sockets that it has.
    pub fn follow(&mut self, config: &Config) {
        self.tunnels = tunnels(config);
    }

    /// Waits until [`Self::update`] has something to do. Cancel-safe: nothing is read here.
    pub async fn ready(&self) {
        let expiry = monotonic_now().ok().and_then(|now| self.learnt.next_expiry(now));
        let expired = async {
            match expiry {
                Some(left) => sleep(left).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = readable(self.sockets.first()) => {}
            () = readable(self.sockets.get(1)) => {}
            () = expired => {}
        }
    }

    /// Takes in what routers told, and forgets what has expired or was learnt of another path than `view` has now;
    /// whether anything changed.
    pub fn update(&mut self, view: &View) -> bool {
        let before = self.learnt.clone();
        if let Err(error) = self.try_update(view) {
            tracing::warn!("path MTUs are not learnt any more: {error}");
            self.sockets.clear();
        }
        let is_changed = self.learnt != before;
        if is_changed {
            self.save();
        }
        is_changed
    }

    fn save(&self) {
        if let Err(error) = self.learnt.write(&self.directory) {
            tracing::warn!("`status` and the next daemon do not know of learnt MTUs: {error:#}");
        }
    }

    /// The MTU that was learnt of the path to each backend, in bytes.
    pub fn mtus(&self) -> BTreeMap<IpAddr, u16> {
        self.learnt.mtus()
    }

    fn try_update(&mut self, view: &View) -> io::Result<()> {
        let now = monotonic_now()?;
        for backend in self.learnt.forget(&view.routes, now) {
            tracing::info!(%backend, "the learnt path MTU is forgotten");
        }
        for socket in &mut self.sockets {
            let mut facts = None;
            for _ in 0..MESSAGES_MAX {
                let is_heard = socket.hear(|message| {
                    let facts = facts.get_or_insert_with(|| {
                        let backbones = self.backbones.iter().filter_map(|name| interface_index(name));
                        Facts::new(backbones, &self.tunnels, view)
                    });
                    take_in(&mut self.learnt, message, facts, now);
                })?;
                if !is_heard {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Learns what a message tells, if it is believed.
fn take_in(learnt: &mut Learnt, message: &Message<'_>, facts: &Facts<'_>, now: Duration) {
    let router = message.source;
    match believe(message, facts) {
        Ok(told) => {
            let route = facts.routes.get(&told.backend);
            if route.is_some_and(|route| learnt.learn(told, route, now)) {
                let Told { backend, mtu_bytes } = told;
                tracing::info!(%backend, mtu_bytes, %router, "path MTU learnt");
            }
        }
        Err(doubt) => tracing::debug!(%router, ifindex = message.ifindex, "ICMP error ignored: {doubt}"),
    }
}

fn tunnels(config: &Config) -> Tunnels {
    match &config.local.role {
        Role::Pop(pop) => {
            let (ipv4, ipv6) = (pop.tunnel_source_ipv4.map(IpNet::V4), pop.tunnel_source_ipv6.map(IpNet::V6));
            let backends = config.services.pools.iter().flat_map(|pool| &pool.backends);
            let ports =
                backends.filter_map(|backend| if let Encap::Gue { port } = backend.encap { Some(port) } else { None });
            Tunnels { sources: ipv4.into_iter().chain(ipv6).collect(), gue_ports: ports.collect(), hosts: Vec::new() }
        }
        Role::Gateway(gateway) => {
            // Where no answers go through PoPs, this host sends no tunnel packets.
            let Some((_, hosts)) = peers::pool(config) else { return Tunnels::default() };
            Tunnels {
                sources: gateway.tunnel_addresses.iter().copied().map(IpNet::from).collect(),
                gue_ports: [gateway.gue_port].into(),
                hosts,
            }
        }
    }
}

/// One a family that there are sources of: it hears all errors of its family.
fn sockets(sources: &[IpNet]) -> Vec<ErrorSocket> {
    let of_family = |is_ipv4: bool| sources.iter().copied().find(|source| source.addr().is_ipv4() == is_ipv4);
    [true, false].into_iter().filter_map(of_family).filter_map(open).collect()
}

fn open(source: IpNet) -> Option<ErrorSocket> {
    let (family, socket) = match source {
        IpNet::V4(_) => ("IPv4", ErrorSocket::ipv4()),
        IpNet::V6(_) => ("IPv6", ErrorSocket::ipv6()),
    };
    socket
        .inspect_err(|error| {
            tracing::warn!(
                "path MTUs of {family} tunnels are not learnt: cannot open a raw socket (CAP_NET_RAW): {error}"
            );
        })
        .ok()
}

/// Never, where there is no socket.
async fn readable(socket: Option<&ErrorSocket>) {
    match socket {
        // A failure shows again when it is read.
        Some(socket) => drop(socket.readable().await),
        None => pending().await,
    }
}
