//! What runs at the egress of interfaces: the programs of tcx links, and of the filters of a `clsact` qdisc.
//!
//! Kernels that have no tcx get a filter. Nothing pins filters: they stay when the daemon goes, and what is an instance's
//! own is known by the filter's name.

mod filter;

use std::{io, path::Path};

use anyhow::{Context as _, Result};
use aya::programs::tc::SchedClassifierLink;
use serde::{Deserialize, Serialize};

pub use self::filter::{Filter, attach as attach_filter, own as own_filters, remove_own as remove_own_filters};
use super::{
    axp::PROBE_MARK,
    bpf,
    interfaces::interface_index,
    pins::{Pins, open_link},
};

/// A gateway's program, as the object calls it.
pub const PROGRAM: &str = "gateway_return";
/// All programs that are attached to an egress.
const PROGRAMS: [&str; 2] = [PROGRAM, PROBE_MARK];

/// How a program is attached to the egress of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EgressHook {
    /// A tcx link: Linux 6.6 (commit e420bed02507, "bpf: Add fd-based tcx multi-prog infra with link support").
    Tcx,
    /// A filter of a `clsact` qdisc.
    Clsact,
}

impl EgressHook {
    /// The one that this kernel has for an interface. A kernel without tcx does not know what it is asked for.
    pub fn of_kernel(interface: &str) -> Self {
        match interface_index(interface).map(bpf::tcx_egress) {
            Some(Err(error)) if is_unknown(&error) => Self::Clsact,
            _ => Self::Tcx,
        }
    }

    /// The label in CLI and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Tcx => "tcx egress",
            Self::Clsact => "clsact egress",
        }
    }
}

/// A program at the egress of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressProgram {
    /// Its id.
    pub program_id: u32,
    /// Of a filter, the filter's name. Programs tell theirs to CAP_SYS_ADMIN alone.
    pub name: String,
    /// The filter that runs it; none: tcx does.
    pub filter: Option<Filter>,
}

impl EgressProgram {
    /// How it is attached.
    pub const fn hook(&self) -> EgressHook {
        if self.filter.is_some() { EgressHook::Clsact } else { EgressHook::Tcx }
    }
}

/// All programs at the egress of an interface, in the order in which they run.
///
/// # Errors
///
/// The kernel does not tell.
pub fn programs(interface: &str) -> Result<Vec<EgressProgram>> {
    let Some(index) = interface_index(interface) else { return Ok(Vec::new()) };
    let tcx = match bpf::tcx_egress(index) {
        Ok(programs) => programs,
        Err(error) if is_unknown(&error) => Vec::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot ask for the tcx programs of {interface}")),
    };
    let tcx = tcx.into_iter().map(|program_id| EgressProgram { program_id, name: String::new(), filter: None });
    let filters = filter::filters(index)?.into_iter().map(|filter| EgressProgram {
        program_id: filter.program_id,
        name: filter.name.clone(),
        filter: Some(filter),
    });
    Ok(tcx.chain(filters).collect())
}

/// The instance's own among the programs of an interface.
pub fn own<'a>(pins: &Pins, interface: &str, programs: &'a [EgressProgram]) -> Option<&'a EgressProgram> {
    let pinned = open_link(&pins.egress_link(interface)).ok().flatten().and_then(|link| link.info().ok());
    let pinned = pinned.map(|info| info.program_id());
    programs.iter().find(|program| match &program.filter {
        Some(filter) => filter.is_own(pins.instance()),
        None => pinned == Some(program.program_id),
    })
}

/// The pinned tcx link of an interface, if it is attached there.
pub(super) fn pinned(pin: &Path, interface: &str) -> Result<Option<SchedClassifierLink>> {
    let Some(link) = open_link(pin)? else { return Ok(None) };
    let program_id = link.info()?.program_id();
    let is_here = programs(interface)?.iter().any(|one| one.filter.is_none() && one.program_id == program_id);
    if is_here {
        return Ok(Some(link.try_into()?));
    }
    // The interface went away and came back: the link cannot be used again.
    drop(link);
    std::fs::remove_file(pin).context("cannot remove the old link")?;
    Ok(None)
}

/// `BPF_PROG_QUERY` of an attach type that the kernel has not, or is built without.
fn is_unknown(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINVAL)
}
