//! veth pairs between namespaces, with every setting that XDP on veth needs in one place.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};
use ipnet::IpNet;

use super::{Namespace, xdp_pass::PassProgram};

/// Links that one process can make: its interface indexes are `pid × LINK_ENDS + n`, which for the largest process id
/// (2^22) is still a positive `int`.
const LINK_ENDS: u32 = 500;

/// One end of a link, as it will be.
#[derive(Clone, Debug)]
pub struct End<'a> {
    namespace: &'a Namespace,
    name: String,
    addresses: Vec<IpNet>,
}

impl<'a> End<'a> {
    /// An interface of this name in this namespace.
    pub fn new(namespace: &'a Namespace, name: impl Into<String>, addresses: impl IntoIterator<Item = IpNet>) -> Self {
        Self { namespace, name: name.into(), addresses: addresses.into_iter().collect() }
    }
}

/// Describes a link; [`LinkSpec::create`] makes it.
#[derive(Clone, Debug)]
#[must_use = "call create"]
pub struct LinkSpec<'a> {
    ends: [End<'a>; 2],
    mtu_bytes: u16,
    xdp: [bool; 2],
}

/// A veth pair. It lives as long as the namespaces of its ends; what this value owns are the programs on it.
#[derive(Debug)]
pub struct Link {
    /// Interface indexes of the first and the second end: unlike the kernel's own choice, unique on the whole machine,
    /// because kernel tracepoints name an interface by nothing else.
    pub indexes: [u32; 2],
    _pass: Vec<PassProgram>,
}

impl<'a> LinkSpec<'a> {
    /// A link with an MTU of 1500 bytes and no XDP.
    pub fn new(first: End<'a>, second: End<'a>) -> Self {
        Self { ends: [first, second], mtu_bytes: 1500, xdp: [false; 2] }
    }

    /// MTU of both ends: with two different ones, frames vanish at the smaller end without a counter.
    pub fn mtu(mut self, bytes: u16) -> Self {
        self.mtu_bytes = bytes;
        self
    }

    /// The programs under test will be attached to the second end.
    pub fn xdp_at_second(mut self) -> Self {
        self.xdp[1] = true;
        self
    }

    /// The programs under test will be attached to the first end.
    pub fn xdp_at_first(mut self) -> Self {
        self.xdp[0] = true;
        self
    }

    /// Makes the link, sets its ends up, and gives them their addresses.
    pub fn create(self) -> Result<Link> {
        let indexes = [next_index()?, next_index()?];
        let [first, second] = &self.ends;
        first.namespace.ip(&format!(
            "link add {} index {} mtu {mtu} type veth peer name {} index {} mtu {mtu} netns {}",
            first.name,
            indexes[0],
            second.name,
            indexes[1],
            second.namespace.name(),
            mtu = self.mtu_bytes,
        ))?;
        let mut pass = Vec::new();
        for (end, xdp_at_peer) in [(first, self.xdp[1]), (second, self.xdp[0])] {
            if xdp_at_peer {
                pass.push(face_xdp(end)?);
            }
        }
        for end in &self.ends {
            for address in &end.addresses {
                end.namespace.ip(&format!("addr add {address} dev {}{}", end.name, nodad(address)))?;
            }
            end.namespace.ip(&format!("link set {} up", end.name))?;
        }
        Ok(Link { indexes, _pass: pass })
    }
}

/// Makes this end a proper peer of an interface with our programs. These are all the settings that a veth lab needs;
/// real NICs need none of them.
fn face_xdp(end: &End<'_>) -> Result<PassProgram> {
    // A veth end hands locally made packets over with their checksum only begun, since the other end usually needs
    // none. XDP forwards bytes, so the real sum must be in them: "ping works, TCP does not".
    end.namespace
        .run(&format!("ethtool -K {} tx off", end.name))
        .with_context(|| format!("checksum offload of {}", end.name))?;
    // A veth end without NAPI loses what the other end sends by XDP_TX or XDP_REDIRECT (errors -6 and -95, or frames
    // that stay in the ring). A program of its own gives it NAPI on every kernel.
    PassProgram::attach(end.namespace, &end.name)
}

/// IPv6 addresses are tentative, and unusable, while duplicate detection runs.
fn nodad(address: &IpNet) -> &'static str {
    match address {
        IpNet::V4(_) => "",
        IpNet::V6(_) => " nodad",
    }
}

fn next_index() -> Result<u32> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    if n >= LINK_ENDS {
        bail!("a process can make {} links", LINK_ENDS / 2);
    }
    Ok(std::process::id() * LINK_ENDS + n + 1)
}
