//! Attaching programs to interfaces by pinned links.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use aya::programs::{
    ProgramError, Xdp, XdpMode,
    links::{FdLink, LinkError, PinnedLink},
    xdp::XdpLink,
};

use super::{
    interfaces::{self, interface_index},
    inventory::InterfaceRecord,
    loader::Loaded,
    pins::{Pins, interface_of, pin_name},
};
use crate::desired::{AttachMode, Config, Interface, Role};

/// How long a link that was taken away may stay on its interface.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// The program for an interface.
pub fn program_for(role: &Role, interface: &Interface) -> &'static str {
    match role {
        Role::Gateway(_) => "gateway",
        Role::Pop(_) if interface.access => "pop",
        Role::Pop(_) => "backbone",
    }
}

/// Attaches every interface of the configuration: swaps the program under a link that is there, and makes those that
/// are not. Then takes away the links of interfaces that the configuration no longer names.
///
/// # Errors
///
/// The first interface that refuses. Nothing is attached then that was not before.
pub fn attach(loaded: &mut Loaded, pins: &Pins, config: &Config) -> Result<Vec<InterfaceRecord>> {
    let mut ids = BTreeSet::new();
    for interface in &config.local.interfaces {
        let id = loaded.xdp(program_for(&config.local.role, interface))?.info()?.id();
        // Before it runs: its losses are counted from the first packet.
        loaded.kernel.counters.program_ids.insert(id, 1, 0)?;
        ids.insert(id);
    }
    let mut records = Vec::new();
    let mut made = Vec::new();
    for interface in &config.local.interfaces {
        let name = program_for(&config.local.role, interface);
        let pin = pins.link(&interface.name);
        let is_new = !pin.exists();
        let mode = match one(loaded.xdp(name)?, &pin, interface) {
            Ok(mode) => mode,
            Err(error) => {
                take_back(&made);
                return Err(error).with_context(|| format!("cannot attach to {}", interface.name));
            }
        };
        if is_new {
            made.push(pin);
        }
        tracing::info!(interface = interface.name, program = name, mode, "attached");
        records.push(InterfaceRecord {
            name: interface.name.clone(),
            program: name.to_owned(),
            asked: interface.attach.to_string(),
        });
    }
    detach_others(pins, config)?;
    let known = &mut loaded.kernel.counters.program_ids;
    for id in known.keys().collect::<Result<Vec<_>, _>>()?.into_iter().filter(|id| !ids.contains(id)) {
        known.remove(&id)?;
    }
    Ok(records)
}

/// Takes away links that were just made.
fn take_back(pins: &[PathBuf]) {
    for pin in pins {
        if let Err(error) = fs::remove_file(pin) {
            tracing::warn!("cannot remove {}: {error}", pin.display());
        }
    }
}

/// Takes away the links of interfaces that the configuration does not name.
fn detach_others(pins: &Pins, config: &Config) -> Result<()> {
    let own: BTreeSet<_> = config.local.interfaces.iter().map(|interface| pin_name(&interface.name)).collect();
    for entry in fs::read_dir(pins.links())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !own.contains(&name) {
            let interface = interface_of(&name);
            fs::remove_file(entry.path()).with_context(|| format!("cannot detach from {interface}"))?;
            tracing::info!(interface, "detached");
        }
    }
    Ok(())
}

/// Attaches one interface, and tells the mode.
fn one(program: &mut Xdp, pin: &Path, interface: &Interface) -> Result<&'static str> {
    if let Some(link) = pinned(pin, interface)? {
        program.attach_to_link(link)?;
        return mode(&interface.name);
    }
    let modes: &[_] = match interface.attach {
        AttachMode::Auto => &[XdpMode::Driver, XdpMode::Skb],
        AttachMode::Native => &[XdpMode::Driver],
        AttachMode::Generic => &[XdpMode::Skb],
    };
    for (attempt, mode) in modes.iter().enumerate() {
        match program.attach(&interface.name, *mode) {
            Ok(id) => {
                let link: FdLink = program.take_link(id)?.try_into()?;
                link.pin(pin)?;
                return self::mode(&interface.name);
            }
            Err(error) if attempt + 1 < modes.len() => {
                let error = anyhow::Error::new(error);
                tracing::warn!(interface = interface.name, "the driver refuses native XDP, trying generic: {error:#}");
            }
            Err(error) => return Err(explain(error, interface)),
        }
    }
    bail!("no mode left to try")
}

/// The pinned link of an interface, if it is attached as the configuration asks.
fn pinned(pin: &Path, interface: &Interface) -> Result<Option<XdpLink>> {
    let link = match PinnedLink::from_pin(pin) {
        Ok(link) => link,
        Err(LinkError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
        Err(error) => return Err(error).context("cannot open the pinned link"),
    };
    let link = FdLink::from(link);
    let state = match interface_index(&interface.name) {
        Some(index) => interfaces::xdp(index)?,
        None => None,
    };
    let here = state.as_ref().is_some_and(|state| link.info().is_ok_and(|info| info.program_id() == state.program_id));
    let asked = match interface.attach {
        AttachMode::Auto => true,
        AttachMode::Native => state.is_some_and(|state| state.mode == "native"),
        AttachMode::Generic => state.is_some_and(|state| state.mode == "generic"),
    };
    if here && asked {
        return Ok(Some(XdpLink::try_from(link)?));
    }
    // The interface went away and came back, or another mode is asked for: the link cannot be used again.
    drop(link);
    fs::remove_file(pin).context("cannot remove the old link")?;
    if let Some((index, state)) = interface_index(&interface.name).zip(state).filter(|_| here) {
        await_release(index, state.program_id)?;
    }
    Ok(None)
}

/// Waits until a program is off an interface. The kernel drops the last reference to a link a moment after its file is
/// gone (`bpf_link_put` leaves it to a worker), and till then no link of another mode is taken.
fn await_release(index: u32, program_id: u32) -> Result<()> {
    let deadline = Instant::now() + RELEASE_TIMEOUT;
    while interfaces::xdp(index)?.is_some_and(|state| state.program_id == program_id) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// The mode in which an interface runs XDP now.
fn mode(interface: &str) -> Result<&'static str> {
    let index = interface_index(interface).with_context(|| format!("there is no interface {interface}"))?;
    Ok(interfaces::xdp(index)?.map_or("detached", |state| state.mode))
}

fn explain(error: ProgramError, interface: &Interface) -> anyhow::Error {
    let hint = match (&error, interface.attach) {
        (ProgramError::UnknownInterface { .. }, _) => "check the name with `ip link`",
        (ProgramError::SyscallError(error), _)
            if matches!(error.io_error.raw_os_error(), Some(libc::EBUSY | libc::EEXIST)) =>
        {
            "another XDP program is attached; find it with `ip -d link show`, and take it away with `ip link set dev ... xdp off`"
        }
        (_, AttachMode::Native) => {
            "attach = \"native\" does not fall back; use \"auto\" or \"generic\" where the driver has no native XDP, and see \
             that the MTU of the interface is within what its driver takes for XDP"
        }
        (_, AttachMode::Auto | AttachMode::Generic) => "both modes were refused",
    };
    anyhow::Error::new(error).context(hint)
}
