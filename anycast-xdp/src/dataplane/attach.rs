//! Attaching programs to interfaces: XDP by pinned links, and at the egress by pinned links or by filters.

mod attempt;
mod egress;

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use aya::programs::{ProgramError, Xdp, links::FdLink, xdp::XdpLink};

pub use self::attempt::linear_mtu_bytes_max;
use self::{
    attempt::{Attempt, attempts},
    egress::Made,
};
use super::{
    egress::{EgressHook, PROGRAM, remove_own_filters},
    interfaces::{self, interface_index},
    inventory::InterfaceRecord,
    loader::Loaded,
    pins::{Pins, egress_pin_name, interface_of, open_link, pin_name},
    programs,
};
use crate::desired::{AttachMode, Config, Interface, Role};

/// How long a link that was taken away may stay on its interface.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

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

/// Loads what will be attached, as far as the MTUs tell.
///
/// # Errors
///
/// A program that the verifier refuses.
pub fn load(loaded: &mut Loaded, config: &Config) -> Result<()> {
    for interface in &config.local.interfaces {
        if let Some(name) = egress_program(&config.local.role, interface) {
            loaded.classifier(name)?;
        }
        let Some(name) = xdp_program(&config.local.role, interface) else { continue };
        if let Some(first) = attempts(interface.attach, mtu_bytes(interface)?).first() {
            loaded.xdp(&first.program(name))?;
        }
    }
    Ok(())
}

/// Attaches every interface of the configuration: swaps the program under a link that is there, and makes those that
/// are not. Then takes away the links and filters of interfaces that the configuration no longer names.
///
/// `egress_hook` says how the egress of an interface is attached to: [`EgressHook::of_kernel`].
///
/// # Errors
///
/// The first interface that refuses. Nothing is attached then that was not before.
pub fn attach(
    loaded: &mut Loaded,
    pins: &Pins,
    config: &Config,
    egress_hook: impl Fn(&str) -> EgressHook,
) -> Result<Vec<InterfaceRecord>> {
    programs::pin_flow_key(loaded, pins)?;
    let mut attaching = Attaching {
        loaded,
        pins,
        role: &config.local.role,
        ids: BTreeSet::new(),
        pinned: BTreeSet::new(),
        made: Vec::new(),
    };
    let mut records = Vec::new();
    for interface in &config.local.interfaces {
        match attaching.interface(interface, &egress_hook) {
            Ok(record) => records.push(record),
            Err(error) => {
                attaching.take_back();
                return Err(error).with_context(|| format!("cannot attach to {}", interface.name));
            }
        }
    }
    let (ids, pinned) = (attaching.ids, attaching.pinned);
    detach_others(pins, &records)?;
    programs::keep(pins, &pinned)?;
    let known = &mut loaded.kernel.counters.program_ids;
    for id in known.keys().collect::<Result<Vec<_>, _>>()?.into_iter().filter(|id| !ids.contains(id)) {
        known.remove(&id)?;
    }
    Ok(records)
}

/// What is attached as far as it went.
struct Attaching<'a> {
    loaded: &'a mut Loaded,
    pins: &'a Pins,
    role: &'a Role,
    /// Of XDP programs.
    ids: BTreeSet<u32>,
    /// Of all programs.
    pinned: BTreeSet<u32>,
    made: Vec<Made>,
}

impl Attaching<'_> {
    fn interface(
        &mut self,
        interface: &Interface,
        egress_hook: impl Fn(&str) -> EgressHook,
    ) -> Result<InterfaceRecord> {
        let mut record = InterfaceRecord {
            name: interface.name.clone(),
            program: None,
            asked: interface.attach.to_string(),
            frags: false,
            egress: None,
        };
        if let Some(name) = xdp_program(self.role, interface) {
            let pin = self.pins.link(&interface.name);
            let is_new = !pin.exists();
            let Attached { program_id, mode, frags } = one(self.loaded, self.pins, name, interface)?;
            if is_new {
                self.made.push(Made::Pin(pin));
            }
            self.ids.insert(program_id);
            self.pinned.insert(program_id);
            tracing::info!(interface = interface.name, program = name, mode, frags, "attached");
            (record.program, record.frags) = (Some(name.to_owned()), frags);
        }
        if let Some(name) = egress_program(self.role, interface) {
            let hook = egress_hook(&interface.name);
            let program = self.loaded.classifier(name)?;
            let program_id = program.info()?.id();
            programs::pin(self.pins, program_id, |path| program.pin(path))?;
            self.pinned.insert(program_id);
            let made = egress::one(self.loaded, self.pins, &interface.name, hook).context("at its egress")?;
            self.made.extend(made);
            tracing::info!(interface = interface.name, program = name, hook = hook.label(), "attached");
            record.egress = Some(hook);
        }
        Ok(record)
    }

    /// Takes away what was just made.
    fn take_back(&self) {
        for made in &self.made {
            if let Err(error) = made.take_back(self.pins.instance()) {
                tracing::warn!("what the failed attempt attached is still there: {error:#}");
            }
        }
    }
}

/// Takes away the links and filters that are of no record.
fn detach_others(pins: &Pins, records: &[InterfaceRecord]) -> Result<()> {
    let xdp = records.iter().filter(|record| record.program.is_some()).map(|record| pin_name(&record.name));
    let with = |hook| records.iter().filter(move |record| record.egress == Some(hook));
    let own: BTreeSet<_> = xdp.chain(with(EgressHook::Tcx).map(|record| egress_pin_name(&record.name))).collect();
    for entry in fs::read_dir(pins.links())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !own.contains(&name) {
            let interface = interface_of(&name);
            fs::remove_file(entry.path()).with_context(|| format!("cannot detach from {interface}"))?;
            tracing::info!(interface, "detached");
        }
    }
    let is_wanted = |name: &str| with(EgressHook::Clsact).any(|record| record.name == name);
    for interface in remove_own_filters(pins.instance(), is_wanted)? {
        tracing::info!(interface, "detached");
    }
    Ok(())
}

/// How an interface was attached.
struct Attached {
    program_id: u32,
    mode: &'static str,
    frags: bool,
}

/// Attaches one interface.
fn one(loaded: &mut Loaded, pins: &Pins, name: &str, interface: &Interface) -> Result<Attached> {
    let pin = &pins.link(&interface.name);
    // A link keeps its mode; the program under it may be swapped for its other variant.
    let held = pinned(pin, interface)?.map(|(_, mode)| mode);
    let attempts = attempts(interface.attach, mtu_bytes(interface)?).into_iter();
    let mut attempts = attempts.filter(|attempt| held.is_none_or(|mode| mode == attempt.mode)).peekable();
    while let Some(attempt) = attempts.next() {
        let program = loaded.xdp(&attempt.program(name))?;
        let program_id = program.info()?.id();
        programs::pin(pins, program_id, |path| program.pin(path))?;
        // Before it runs: its losses are counted from the first packet.
        loaded.kernel.counters.program_ids.insert(program_id, 1, 0)?;
        let Err(error) = try_once(loaded.xdp(&attempt.program(name))?, attempt, pin, interface)? else {
            return Ok(Attached { program_id, mode: mode(&interface.name)?, frags: attempt.frags });
        };
        let Some(next) = attempts.peek().filter(|_| !is_taken(&error)) else {
            return Err(explain(error, interface));
        };
        let (interface, error) = (&interface.name, anyhow::Error::new(error));
        if next.frags {
            tracing::info!(
                interface,
                "the driver refuses the program without fragments, trying the one with: {error:#}"
            );
        } else {
            tracing::warn!(interface, "the driver refuses native XDP, trying generic: {error:#}");
        }
    }
    bail!("no mode left to try")
}

/// Swaps the program under the link that is there, or makes one.
fn try_once(
    program: &mut Xdp,
    attempt: Attempt,
    pin: &Path,
    interface: &Interface,
) -> Result<Result<(), ProgramError>> {
    if let Some((link, _)) = pinned(pin, interface)? {
        return Ok(program.attach_to_link(link).map(drop));
    }
    match program.attach(&interface.name, attempt.xdp_mode()) {
        Ok(id) => {
            let link: FdLink = program.take_link(id)?.try_into()?;
            link.pin(pin)?;
            Ok(Ok(()))
        }
        Err(error) => Ok(Err(error)),
    }
}

/// The MTU of an interface, if it is there.
fn mtu_bytes(interface: &Interface) -> Result<u32> {
    interface_index(&interface.name).map_or(Ok(0), interfaces::mtu_bytes)
}

/// The pinned link of an interface and its mode, if it is attached as the configuration asks.
fn pinned(pin: &Path, interface: &Interface) -> Result<Option<(XdpLink, &'static str)>> {
    let Some(link) = open_link(pin)? else { return Ok(None) };
    let state = match interface_index(&interface.name) {
        Some(index) => interfaces::xdp(index)?,
        None => None,
    };
    let here = state.filter(|state| link.info().is_ok_and(|info| info.program_id() == state.program_id));
    let is_asked = |mode| match interface.attach {
        AttachMode::Auto => true,
        AttachMode::Native => mode == "native",
        AttachMode::Generic => mode == "generic",
    };
    if let Some(state) = here.filter(|state| is_asked(state.mode)) {
        return Ok(Some((XdpLink::try_from(link)?, state.mode)));
    }
    // The interface went away and came back, or another mode is asked for: the link cannot be used again.
    drop(link);
    fs::remove_file(pin).context("cannot remove the old link")?;
    if let Some((index, state)) = interface_index(&interface.name).zip(here) {
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

/// Has another program the interface? Then no other attempt will do.
fn is_taken(error: &ProgramError) -> bool {
    let ProgramError::SyscallError(error) = error else { return false };
    matches!(error.io_error.raw_os_error(), Some(libc::EBUSY | libc::EEXIST))
}

fn explain(error: ProgramError, interface: &Interface) -> anyhow::Error {
    let hint = match (&error, interface.attach) {
        (ProgramError::UnknownInterface { .. }, _) => "check the name with `ip link`",
        (error, _) if is_taken(error) => {
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
