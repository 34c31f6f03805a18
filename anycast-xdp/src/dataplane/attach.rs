//! Attaching programs to interfaces: XDP by pinned links, and at the egress by pinned links or by filters.

mod attempt;
mod egress;
mod wanted;
mod xdp;

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result};

use self::{
    attempt::attempts,
    egress::Made,
    wanted::{Wanted, wanted, wanted_of_axp},
    xdp::{Attached, mtu_bytes, one},
};
pub use self::{
    attempt::linear_mtu_bytes_max,
    wanted::{egress_program, xdp_program},
};
use super::{
    egress::{EgressHook, PROGRAM, remove_own_filters},
    inventory::InterfaceRecord,
    loader::Loaded,
    pins::{Pins, egress_pin_name, interface_of, pin_name},
    programs,
};
use crate::desired::{AttachMode, Config};

/// Loads what will be attached, as far as the MTUs tell.
///
/// # Errors
///
/// A program that the verifier refuses.
pub fn load(loaded: &mut Loaded, config: &Config) -> Result<()> {
    let mut names = BTreeSet::new();
    for Wanted { interface, xdp, egress } in wanted(config).chain(wanted_of_axp(config, false)) {
        names.extend(egress.map(str::to_owned));
        let Some(name) = xdp else { continue };
        names.extend(attempts(interface.attach, mtu_bytes(&interface)?).first().map(|first| first.program(name)));
    }
    loaded.programs(&names)
}

/// Attaches every interface of the configuration, and `axp0`: swaps the program under a link that is there, and makes those that
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
    let mut attaching =
        Attaching { loaded, pins, ids: BTreeSet::new(), pinned: BTreeSet::new(), has_generic: false, made: Vec::new() };
    let mut records = Vec::new();
    attaching.all(wanted(config), &egress_hook, &mut records)?;
    let has_generic = attaching.has_generic;
    attaching.all(wanted_of_axp(config, has_generic), &egress_hook, &mut records)?;
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
    /// Of XDP programs.
    ids: BTreeSet<u32>,
    /// Of all programs.
    pinned: BTreeSet<u32>,
    /// One of them runs in the stack.
    has_generic: bool,
    made: Vec<Made>,
}

impl Attaching<'_> {
    /// Attaches them one by one; nothing new stays if one refuses.
    fn all(
        &mut self,
        wanted: impl Iterator<Item = Wanted>,
        egress_hook: &impl Fn(&str) -> EgressHook,
        records: &mut Vec<InterfaceRecord>,
    ) -> Result<()> {
        for wanted in wanted {
            match self.interface(&wanted, egress_hook) {
                Ok(record) => records.push(record),
                Err(error) => {
                    self.take_back();
                    return Err(error).with_context(|| format!("cannot attach to {}", wanted.interface.name));
                }
            }
        }
        Ok(())
    }

    fn interface(
        &mut self,
        Wanted { interface, xdp, egress }: &Wanted,
        egress_hook: impl Fn(&str) -> EgressHook,
    ) -> Result<InterfaceRecord> {
        let mut record = InterfaceRecord {
            name: interface.name.clone(),
            program: None,
            asked: interface.attach.to_string(),
            frags: false,
            egress: None,
            egress_program: None,
        };
        if let Some(name) = *xdp {
            let pin = self.pins.link(&interface.name);
            let is_new = !pin.exists();
            let Attached { program_id, mode, frags } = one(self.loaded, self.pins, name, interface)?;
            if is_new {
                self.made.push(Made::Pin(pin));
            }
            self.ids.insert(program_id);
            self.pinned.insert(program_id);
            self.has_generic |= mode == AttachMode::Generic.to_string();
            tracing::info!(interface = interface.name, program = name, mode, frags, "attached");
            (record.program, record.frags) = (Some(name.to_owned()), frags);
        }
        if let Some(name) = *egress {
            let hook = egress_hook(&interface.name);
            let program = self.loaded.classifier(name)?;
            let program_id = program.info()?.id();
            programs::pin(self.pins, program_id, |path| program.pin(path))?;
            self.pinned.insert(program_id);
            let made = egress::one(self.loaded, self.pins, name, &interface.name, hook).context("at its egress")?;
            self.made.extend(made);
            tracing::info!(interface = interface.name, program = name, hook = hook.label(), "attached");
            record.egress = Some(hook);
            record.egress_program = (name != PROGRAM).then(|| name.to_owned());
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
