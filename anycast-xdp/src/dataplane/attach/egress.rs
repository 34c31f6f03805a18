//! Attaching programs to the egress of interfaces.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use aya::programs::{
    LinkOrder, ProgramError, TcAttachType,
    links::{FdLink, LinkError},
    tc::TcAttachOptions,
};

use super::super::{
    egress::{self, EgressHook, attach_filter, remove_own_filters},
    interfaces::interface_index,
    loader::Loaded,
    pins::Pins,
};

/// What an attempt made, to be taken away if another one fails.
pub(super) enum Made {
    /// A pinned link.
    Pin(PathBuf),
    /// The instance's filter on an interface.
    Filter(String),
}

impl Made {
    /// Takes it away.
    pub fn take_back(&self, instance: &str) -> Result<()> {
        match self {
            Self::Pin(pin) => fs::remove_file(pin).with_context(|| format!("cannot remove {}", pin.display())),
            Self::Filter(interface) => remove_own_filters(instance, |name| name != interface).map(drop),
        }
    }
}

/// Swaps the program at the egress of an interface, or attaches it. What it made, if it was not there.
pub(super) fn one(
    loaded: &mut Loaded,
    pins: &Pins,
    name: &str,
    interface: &str,
    hook: EgressHook,
) -> Result<Option<Made>> {
    let program = loaded.classifier(name)?;
    match hook {
        EgressHook::Tcx => {
            let pin = pins.egress_link(interface);
            if let Some(link) = egress::pinned(&pin, interface)? {
                program.attach_to_link(link)?;
                return Ok(None);
            }
            // Before the others, which then see what it leaves alone.
            let order = TcAttachOptions::TcxOrder(LinkOrder::first());
            let id = program.attach_with_options(interface, TcAttachType::Egress, order).map_err(explain)?;
            let link: FdLink = program.take_link(id)?.try_into().map_err(|error: LinkError| anyhow::anyhow!(error))?;
            link.pin(&pin)?;
            Ok(Some(Made::Pin(pin)))
        }
        EgressHook::Clsact => {
            let index = interface_index(interface).with_context(|| format!("there is no interface {interface}"))?;
            let is_new = attach_filter(program, name, index, pins.instance())?;
            Ok(is_new.then(|| Made::Filter(interface.to_owned())))
        }
    }
}

fn explain(error: ProgramError) -> anyhow::Error {
    let is_full = |error: &ProgramError| matches!(error, ProgramError::SyscallError(error) if error.io_error.raw_os_error() == Some(libc::ERANGE));
    let hint = if is_full(&error) {
        "too many tcx programs are attached; find them with `bpftool net show dev ...`"
    } else {
        "the kernel refuses a tcx link"
    };
    anyhow::Error::new(error).context(hint)
}
