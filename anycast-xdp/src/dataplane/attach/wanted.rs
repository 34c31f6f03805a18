//! What is to run where.

use super::super::{
    axp::{Axp, PROBE, PROBE_ANSWERS, PROBE_MARK},
    egress::PROGRAM,
};
use crate::desired::{AttachMode, Config, Interface, Role};

/// The XDP program for an interface; none: packets only leave there.
pub const fn xdp_program(role: &Role, interface: &Interface) -> Option<&'static str> {
    match role {
        Role::Gateway(_) if interface.backbone => Some("gateway"),
        Role::Gateway(_) => None,
        Role::Pop(_) if interface.access && interface.backbone => Some("one_arm"),
        Role::Pop(_) if interface.access => Some("pop"),
        Role::Pop(_) => Some("backbone"),
    }
}

/// The program at the egress of an interface: a gateway's, where answers leave.
pub const fn egress_program(role: &Role, interface: &Interface) -> Option<&'static str> {
    match role {
        Role::Gateway(_) if interface.backbone || interface.egress => Some(PROGRAM),
        Role::Gateway(_) | Role::Pop(_) => None,
    }
}

/// An interface, and what is to run there.
pub(super) struct Wanted {
    pub interface: Interface,
    pub xdp: Option<&'static str>,
    pub egress: Option<&'static str>,
}

/// What the interfaces of the configuration are to run.
pub(super) fn wanted(config: &Config) -> impl Iterator<Item = Wanted> {
    let role = &config.local.role;
    config.local.interfaces.iter().map(|interface| Wanted {
        interface: interface.clone(),
        xdp: xdp_program(role, interface),
        egress: egress_program(role, interface),
    })
}

/// What `axp0` is to run. An interface with generic XDP takes no frames from a native program, unless its driver can, so that
/// the whole host is generic then (`dev_map_enqueue`, kernel/bpf/devmap.c).
pub(super) fn wanted_of_axp(config: &Config, has_generic: bool) -> impl Iterator<Item = Wanted> {
    let attach = if has_generic { AttachMode::Generic } else { AttachMode::Native };
    let programs = [(PROBE, None), (PROBE_ANSWERS, Some(PROBE_MARK))];
    let sides = Axp::of(&config.local).into_iter().flat_map(move |axp| axp.interfaces(attach));
    sides.zip(programs).map(|(interface, (xdp, egress))| Wanted { interface, xdp: Some(xdp), egress })
}
