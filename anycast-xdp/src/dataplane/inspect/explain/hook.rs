//! Where a packet is taken, and by which program.

use std::fmt;

use anyhow::{Context as _, Result, bail};
use aya::programs::links::{FdLink, PinnedLink};

use super::super::{
    super::{egress, inventory::InterfaceRecord, pins::Pins, programs::Attached},
    Inspector,
};

/// Where a packet is taken to come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ingress {
    /// The first interface that takes in what the instance is for: from clients on a PoP, from PoPs on a gateway.
    #[default]
    Outside,
    /// The first backbone interface.
    Backbone,
    /// The interface with this name.
    Interface(String),
}

impl fmt::Display for Ingress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside => f.write_str("access interface"),
            Self::Backbone => f.write_str("backbone interface"),
            Self::Interface(name) => write!(f, "interface {name}"),
        }
    }
}

/// Where a program takes a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hook {
    /// It comes in.
    Ingress(Ingress),
    /// The stack sends it by this interface; none: by the one that its route names.
    Egress(Option<String>),
}

impl Inspector {
    /// The interface that a packet from there comes in by.
    ///
    /// # Errors
    ///
    /// The instance has none.
    pub(super) fn interface_of(&self, from: &Ingress) -> Result<&InterfaceRecord> {
        let interfaces = &self.inventory.interfaces;
        let is_other = |record: &InterfaceRecord, program| {
            !record.is_axp() && record.program.as_deref().is_some_and(|own| own != program)
        };
        let found = interfaces.iter().find(|record| match from {
            Ingress::Outside => is_other(record, "backbone"),
            // A gateway's are all of the backbone.
            Ingress::Backbone => is_other(record, "pop"),
            Ingress::Interface(name) => record.name == *name,
        });
        // With one arm the backbone is where clients are too.
        let found = found.or_else(|| interfaces.first().filter(|_| *from == Ingress::Backbone));
        let Some(found) = found else {
            let names: Vec<_> = interfaces.iter().map(|record| record.name.as_str()).collect();
            bail!("the instance has no {from}; its interfaces are {}", names.join(", "));
        };
        Ok(found)
    }
}

/// The program that the instance has attached to an interface, or to its egress.
pub(super) fn attached(pins: &Pins, interface: &str, is_egress: bool) -> Result<Attached> {
    let nothing = || format!("nothing is attached to {}{interface}", if is_egress { "the egress of " } else { "" });
    let id = if is_egress {
        let programs = egress::programs(interface)?;
        egress::own(pins, interface, &programs).with_context(nothing)?.program_id
    } else {
        let link = PinnedLink::from_pin(pins.link(interface)).with_context(nothing)?;
        FdLink::from(link).info()?.program_id()
    };
    Attached::open(pins, id)
}
