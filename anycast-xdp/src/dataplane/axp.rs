//! `axp0`: the veth pair by which this host itself sends to VIPs, so that its packets take the way that clients' take.
//!
//! Routes of VIPs lead to the host's side; the program `probe` runs on the other. The pair is made at a start, and stays when the
//! daemon goes: routes that lead there are what BGP announces. Whose it is is said by its alias.

mod found;
mod make;

use anyhow::{Context as _, Result, bail};

use self::found::{Found, Side};
use super::{ethtool, interfaces};
use crate::{
    desired::{AttachMode, Interface, Local, PublishFacts, Role},
    netlink,
};

/// XDP program of the far side.
pub const PROBE: &str = "probe";
/// XDP program of the host's side.
pub const PROBE_ANSWERS: &str = "probe_answers";
/// Classifier at the egress of the host's side.
pub const PROBE_MARK: &str = "probe_mark";

/// What the name of the far side ends with.
const FAR_SUFFIX: &str = "-xdp";
/// Longest name of an interface (`IFNAMSIZ`, include/uapi/linux/if.h, with the final zero).
const NAME_BYTES_MAX: usize = 15;

/// MAC addresses, host's side first: local ones, which begin as no mark of a probe does.
const MACS: [[u8; 6]; 2] = [[0x02, 0x61, 0x78, 0x70, 0, 1], [0x02, 0x61, 0x78, 0x70, 0, 2]];

/// The pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axp {
    /// Routes lead to this one.
    pub host_side: String,
    /// Programs run on that one.
    pub far_side: String,
}

impl Axp {
    /// The pair with this name for the host's side; a longer one than leaves room is cut for the other.
    #[must_use]
    pub fn named(host_side: &str) -> Self {
        let room = NAME_BYTES_MAX - FAR_SUFFIX.len();
        let begin = host_side.char_indices().take_while(|(at, char)| at + char.len_utf8() <= room);
        let far_side = begin.map(|(_, char)| char).chain(FAR_SUFFIX.chars()).collect();
        Self { host_side: host_side.to_owned(), far_side }
    }

    /// The pair that a host needs; none: it publishes nothing and probes nobody.
    #[must_use]
    pub fn of(local: &Local) -> Option<Self> {
        let Role::Pop(role) = &local.role else { return None };
        let probes = role.health.source_ipv4.is_some() || role.health.source_ipv6.is_some();
        let name = match &role.publish {
            Some(publish) => publish.interface.as_str(),
            None if probes => PublishFacts::INTERFACE,
            None => return None,
        };
        Some(Self::named(name))
    }

    /// Both sides as interfaces with programs.
    pub(super) fn interfaces(&self, attach: AttachMode) -> [Interface; 2] {
        let side =
            |name: &String| Interface { name: name.clone(), access: false, backbone: false, egress: false, attach };
        [side(&self.far_side), side(&self.host_side)]
    }

    /// Makes the pair, or what is missing of it. One that is whole is left as it is, with its routes.
    ///
    /// # Errors
    ///
    /// An interface of this name that the instance did not make, or whatever the kernel refuses.
    pub fn ensure(&self, instance: &str) -> Result<()> {
        self.make(instance).with_context(|| format!("cannot make the interface {}", self.host_side))
    }

    fn make(&self, instance: &str) -> Result<()> {
        let alias = alias_of(instance);
        let mut found = Found::read()?;
        let mut stale: Vec<_> = found.own(&alias).filter(|side| !self.has(side)).map(|side| side.ifindex).collect();
        // A side whose other is gone, or has another name, is no use.
        if !found.is_pair(self) {
            stale.extend(found.own(&alias).map(|side| side.ifindex));
        }
        if !stale.is_empty() {
            make::delete(stale)?;
            found = Found::read()?;
        }
        if !found.is_pair(self) {
            if let Some(other) = found.named(&self.host_side).or_else(|| found.named(&self.far_side)) {
                bail!(
                    "there is another interface of the name {}; rename it, or give `publish.interface` another name",
                    other.name
                );
            }
            make::create(self, queues())?;
            found = Found::read()?;
            tracing::info!(interface = self.host_side, far = self.far_side, "made");
        }
        for (name, mac) in [&self.host_side, &self.far_side].into_iter().zip(MACS) {
            let side = found.named(name).with_context(|| format!("there is no interface {name}"))?;
            if side.alias.as_ref().is_some_and(|other| *other != alias) {
                bail!(
                    "{name} is that of `{}`; give `publish.interface` another name",
                    side.alias.as_deref().unwrap_or("")
                );
            }
            if !side.is_ready(&alias, mac) {
                make::set(side, alias.clone(), mac)?;
            }
        }
        // XDP forwards bytes: what the stack sends has to be there whole, with its checksum.
        ethtool::transmit_offloads_off(&self.host_side)
            .with_context(|| format!("cannot switch offloads of {} off", self.host_side))
    }

    fn has(&self, side: &Side) -> bool {
        side.name == self.host_side || side.name == self.far_side
    }
}

/// Takes away what the instance made, but the pair that it is to have. With the host's last pair the way of probes goes, too.
/// `true`: there was something.
///
/// # Errors
///
/// Whatever the kernel refuses.
pub fn remove(instance: &str, kept: Option<&Axp>) -> Result<bool> {
    let found = Found::read()?;
    let alias = alias_of(instance);
    let own = found.own(&alias).filter(|side| kept.is_none_or(|kept| !kept.has(side)));
    let own: Vec<_> = own.collect();
    for side in &own {
        tracing::info!(interface = side.name, "removed");
    }
    make::delete(own.iter().map(|side| side.ifindex).collect())?;
    let is_last = kept.is_none() && found.pairs().all(|side| side.alias.as_ref() == Some(&alias));
    let had_way = is_last && netlink::forget_probes().context("cannot take the way of probes away")?;
    Ok(had_way || !own.is_empty())
}

/// What the aliases of all instances' sides begin with.
const ALIAS_PREFIX: &str = "anycast-xdp ";

/// How the sides are named as an instance's.
fn alias_of(instance: &str) -> String {
    format!("{ALIAS_PREFIX}{instance}")
}

/// Queues of each side: each has a ring of its own, and is taken from by one processor (`VETH_RING_SIZE`, drivers/net/veth.c).
fn queues() -> u32 {
    const QUEUES_MAX: usize = 16;
    std::thread::available_parallelism().map_or(1, |cpus| cpus.get().min(QUEUES_MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_side_is_named_after_the_host_s_within_what_a_name_may_have() {
        for (host_side, far_side) in
            [("axp0", "axp0-xdp"), ("eleven-byte", "eleven-byte-xdp"), ("fifteen-bytes-x", "fifteen-byt-xdp")]
        {
            assert_eq!(Axp::named(host_side).far_side, far_side);
        }
    }

    #[test]
    fn addresses_of_the_pair_are_no_marks() {
        for mac in MACS {
            assert_eq!(anycast_common::probe::ProbeMark::from_mac(mac), None);
        }
    }
}
