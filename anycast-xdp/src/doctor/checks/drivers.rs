//! What drivers can do with XDP.

use std::collections::BTreeSet;

use super::{
    super::{
        Place,
        Severity::{Error, Warning},
    },
    Answer, Case, Check, Concerns,
    interfaces::with_xdp,
};
use crate::{
    dataplane::attach::linear_mtu_bytes_max,
    desired::{AttachMode, Role},
    netlink::device::XdpFeatures,
};

/// Frames of several buffers, received and redirected to.
const RX_AND_XMIT_SG: XdpFeatures = XdpFeatures(XdpFeatures::RX_SG.0 | XdpFeatures::NDO_XMIT_SG.0);

pub(super) const CHECKS: [Check; 3] = [
    Check {
        code: "xdp_native_missing",
        severities: &[Error, Warning],
        concerns: Concerns::All,
        finds: "a driver without native XDP",
        run: xdp_native_missing,
    },
    Check {
        code: "xdp_xmit_missing",
        severities: &[Error],
        concerns: Concerns::Pops,
        finds: "an egress device that takes no redirected frames (`ndo_xdp_xmit`)",
        run: xdp_xmit_missing,
    },
    Check {
        code: "mtu_needs_frags",
        severities: &[Error, Warning],
        concerns: Concerns::All,
        finds: "an MTU whose frames do not fit one buffer, where its driver takes no more",
        run: mtu_needs_frags,
    },
];

fn xdp_native_missing(case: &Case<'_>, answer: &mut Answer<'_>) {
    for (interface, link) in with_xdp(case) {
        let name = &interface.name;
        let runs_natively = link.xdp.is_some_and(|xdp| xdp.mode == "native");
        if runs_natively || interface.attach == AttachMode::Generic {
            continue;
        }
        let Some(device) = case.facts.devices.get(name) else { continue };
        let driver = device.driver.as_deref().unwrap_or("unknown");
        match &device.xdp_features {
            Err(reason) => answer.skip(Place::interface(name), reason),
            Ok(features) if features.has(XdpFeatures::BASIC) => {}
            Ok(_) if interface.attach == AttachMode::Native => answer.error(
                Place::interface(name),
                format!("`{name}` (driver {driver}) has no native XDP, which its `attach` asks for"),
                format!("write attach = \"auto\" for `{name}`, or use a NIC whose driver has native XDP"),
            ),
            Ok(_) => answer.warning(
                Place::interface(name),
                format!("`{name}` (driver {driver}) has no native XDP: the slower generic mode is used"),
                "use a NIC whose driver has native XDP",
            ),
        }
    }
}

/// Frames that leave by the interface that they came in by are transmitted, not redirected; those of generic programs
/// go by the stack.
fn xdp_xmit_missing(case: &Case<'_>, answer: &mut Answer<'_>) {
    for name in egress(case) {
        let (Some(link), Some(device)) = (case.facts.links.get(name), case.facts.devices.get(name)) else { continue };
        let redirects = case
            .interfaces()
            .any(|interface| interface.access && interface.name != *name && interface.attach != AttachMode::Generic);
        let at = Place::interface(name);
        match &device.xdp_features {
            _ if !redirects => {}
            Err(reason) => answer.skip(at, reason),
            Ok(features) if features.has(XdpFeatures::NDO_XMIT) => {}
            Ok(_) if link.kind == "veth" => answer.error(
                at,
                format!("`{name}` takes no redirected frames, because the other end of this veth pair has neither a program nor GRO"),
                "ethtool -K PEER gro on, at the other end, or attach an XDP program there",
            ),
            // Some drivers take them only while a program is attached, and the kernel says so only then.
            Ok(_) if link.xdp.is_none() => {
                answer.skip(at, format!("the driver of `{name}` tells only while a program is attached"));
            }
            Ok(_) => answer.error(
                at,
                format!("the driver of `{name}` takes no redirected frames (no ndo_xdp_xmit)"),
                format!(
                    "use a NIC that does for the backbone; or take `{name}` for both roles, roles = [\"access\", \"backbone\"], so that frames leave as they came"
                ),
            ),
        }
    }
}

/// The devices that tunnels leave by, or should.
fn egress<'a>(case: &Case<'a>) -> BTreeSet<&'a String> {
    let named = case.backbone().map(|interface| &interface.name);
    let links = case.facts.ways.iter().flat_map(|ways| ways.view.links.values());
    let routed = links.filter_map(|link| case.facts.link_by_index(link.egress_ifindex)).map(|(name, _)| name);
    named.chain(routed).collect()
}

fn mtu_needs_frags(case: &Case<'_>, answer: &mut Answer<'_>) {
    let limit_bytes = linear_mtu_bytes_max();
    for (interface, link) in with_xdp(case) {
        let name = &interface.name;
        let runs_natively = link.xdp.is_some_and(|xdp| xdp.mode == "native");
        if link.mtu_bytes <= limit_bytes || runs_natively || interface.attach == AttachMode::Generic {
            continue;
        }
        let sends = interface.backbone && matches!(case.config.local.role, Role::Pop(_));
        let needed = if sends { RX_AND_XMIT_SG } else { XdpFeatures::RX_SG };
        match case.facts.devices.get(name).map(|device| &device.xdp_features) {
            Some(Ok(features)) if !features.has(needed) => {}
            Some(Err(reason)) => {
                answer.skip(Place::interface(name), reason);
                continue;
            }
            Some(Ok(_)) | None => continue,
        }
        let problem = format!(
            "`{name}` has an MTU of {} bytes; its driver takes frames of one buffer, packets of up to {limit_bytes}",
            link.mtu_bytes
        );
        let fix = format!("ip link set {name} mtu {limit_bytes}, or less; at the other end, too");
        match interface.attach {
            AttachMode::Native => answer.error(Place::interface(name), problem, fix),
            AttachMode::Auto | AttachMode::Generic => answer.warning(Place::interface(name), problem, fix),
        }
    }
}
