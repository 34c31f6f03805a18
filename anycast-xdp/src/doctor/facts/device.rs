//! What drivers tell of devices, and which programs on them are ours.

use std::{collections::BTreeMap, io};

use anyhow::Result;
use aya::programs::{
    links::{FdLink, PinnedLink},
    loaded_links, loaded_programs,
};

use super::{Known, Link};
use crate::{
    dataplane::{
        egress::{self, EgressProgram},
        ethtool::{self, RxQueues},
        pins::Pins,
    },
    netlink::device::{Devices, XdpFeatures},
};

/// What a driver tells of a device.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its driver.
    pub driver: Known<String>,
    /// What it can do with XDP.
    pub xdp_features: Known<XdpFeatures>,
    /// Offloads by the kernel's names, and whether they are on.
    pub offloads: Known<BTreeMap<String, bool>>,
    /// Its receive queues.
    pub rx_queues: Known<RxQueues>,
    /// Id of the program that the instance's pinned link runs here.
    pub own_program_id: Option<u32>,
    /// Name of the program that runs here, whoever it belongs to.
    pub program_name: Option<String>,
    /// Ids of the links that hold that program, here or elsewhere; empty: it was attached without a link.
    pub link_ids: Vec<u32>,
    /// The programs at its egress, in the order in which they run.
    pub egress: Known<Vec<AtEgress>>,
}

/// A program at the egress.
#[derive(Clone, Debug)]
pub struct AtEgress {
    /// It, and how it is attached.
    pub program: EgressProgram,
    /// It is the instance's.
    pub is_own: bool,
    /// Ids of the links that hold it, here or elsewhere.
    pub link_ids: Vec<u32>,
}

pub(super) fn read<'a>(
    links: impl Iterator<Item = (&'a String, &'a Link)>,
    instance: &str,
) -> BTreeMap<String, Device> {
    let pins = Pins::of(instance);
    let mut devices = Devices::open().map_err(|error| format!("netlink: {error}"));
    links.map(|(name, link)| (name.clone(), device(name, link, &pins, &mut devices))).collect()
}

fn device(name: &str, link: &Link, pins: &Pins, devices: &mut Known<Option<Devices>>) -> Device {
    let told = |error: io::Error| format!("ethtool: {error}");
    Device {
        driver: ethtool::driver(name).map_err(told),
        xdp_features: xdp_features(devices, link.ifindex),
        offloads: ethtool::offloads(name).map_err(told),
        rx_queues: ethtool::rx_queues(name).map_err(told),
        own_program_id: own_program_id(pins, name),
        program_name: link.xdp.and_then(|xdp| program_name(xdp.program_id)),
        link_ids: link.xdp.map(|xdp| link_ids(xdp.program_id)).unwrap_or_default(),
        egress: at_egress(pins, name).map_err(|error| format!("{error:#}")),
    }
}

fn xdp_features(devices: &mut Known<Option<Devices>>, ifindex: u32) -> Known<XdpFeatures> {
    match devices {
        Err(error) => Err(error.clone()),
        Ok(None) => Err("kernels before 6.3 do not tell".to_owned()),
        Ok(Some(devices)) => {
            let features = devices.xdp_features(ifindex).map_err(|error| format!("netlink: {error}"))?;
            features.ok_or_else(|| "the kernel does not tell".to_owned())
        }
    }
}

/// Without a pin, or without the right to open it: none.
fn own_program_id(pins: &Pins, interface: &str) -> Option<u32> {
    let link = FdLink::from(PinnedLink::from_pin(pins.link(interface)).ok()?);
    link.info().ok().map(|info| info.program_id())
}

fn at_egress(pins: &Pins, interface: &str) -> Result<Vec<AtEgress>> {
    let programs = egress::programs(interface)?;
    let own = egress::own(pins, interface, &programs).cloned();
    let row = |mut program: EgressProgram| {
        let is_own = own.as_ref() == Some(&program);
        if program.filter.is_none() {
            program.name = program_name(program.program_id).unwrap_or_default();
        }
        AtEgress { is_own, link_ids: link_ids(program.program_id), program }
    };
    Ok(programs.into_iter().map(row).collect())
}

/// Programs of others are opened by id, for which the kernel wants CAP_SYS_ADMIN.
fn program_name(id: u32) -> Option<String> {
    let mut programs = loaded_programs().peekable();
    if let Some(Err(_)) = programs.peek() {
        return Some("its name is told to root alone".to_owned());
    }
    programs.flatten().find(|program| program.id() == id)?.name_as_str().map(str::to_owned)
}

fn link_ids(program_id: u32) -> Vec<u32> {
    loaded_links().flatten().filter(|link| link.program_id() == program_id).map(|link| link.id()).collect()
}
