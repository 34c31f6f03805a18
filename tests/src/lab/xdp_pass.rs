//! The XDP program that the receiving end of a link needs.

use anycast_xdp::objects;
use anyhow::{Context, Result};
use aya::{
    Ebpf,
    programs::{Xdp, XdpMode},
};

use super::Namespace;

/// `XDP_PASS`, attached natively; detached on drop.
#[derive(Debug)]
pub struct PassProgram {
    /// Owns the program and its link.
    _object: Ebpf,
}

impl PassProgram {
    /// Attaches to an interface of the namespace.
    pub fn attach(namespace: &Namespace, interface: &str) -> Result<Self> {
        let attach = || -> Result<Self> {
            let mut object = Ebpf::load(objects::LAB)?;
            let program: &mut Xdp = object.program_mut("pass").context("no program `pass`")?.try_into()?;
            program.load()?;
            program.attach(interface, XdpMode::Driver)?;
            Ok(Self { _object: object })
        };
        // The kernel looks the interface up in the namespace of the calling thread.
        namespace.enter(attach)?.with_context(|| format!("XDP_PASS on {interface} of {}", namespace.name()))
    }
}
