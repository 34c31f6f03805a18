//! The way of one packet: a second copy of the attached program runs on it, and the inventory gives what it did names.

mod steps;

use std::fmt;

use anycast_common::{
    header::ETHERNET_BYTES,
    outcome::{Class, Outcome},
};
use anyhow::{Context as _, Result, bail, ensure};
use aya::programs::{
    ProgramInfo,
    links::{FdLink, PinnedLink},
    loaded_programs,
};

use self::steps::Steps;
use super::{
    super::{
        attach::linear_mtu_bytes_max,
        interfaces::{interface_index, interface_name},
        inventory::{InterfaceRecord, variant},
        pins::Pins,
        second_copy::{SecondCopy, Verdict},
        test_run::TestFrame,
    },
    Inspector,
};
use crate::{
    explain::{Frame, advice, changes, headers},
    view::{Count, Explained, ExplainedCount},
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

/// Explains packets that come in by one interface.
pub struct Explainer<'a> {
    inspector: &'a Inspector,
    interface: InterfaceRecord,
    program: String,
    ifindex: u32,
    copy: SecondCopy,
    is_attached_build: bool,
}

impl Inspector {
    /// Makes ready to explain packets that come from there.
    ///
    /// # Errors
    ///
    /// No such interface, nothing attached to it, or whatever the kernel refuses.
    pub fn explainer(&self, from: &Ingress) -> Result<Explainer<'_>> {
        let interface = self.interface_of(from)?.clone();
        let name = &interface.name;
        let program = interface.program.clone().with_context(|| format!("no XDP program is for {name}"))?;
        let ifindex = interface_index(name).with_context(|| format!("there is no interface {name} any more"))?;
        let attached = attached(&self.pins, name)?;
        let rooms = self.rooms();
        let copy =
            SecondCopy::load(&self.pins.maps(), &variant(&program, interface.frags), &attached, rooms.0, rooms.1)?;
        let is_attached_build = copy.is_copy_of(&attached)?;
        Ok(Explainer { inspector: self, interface, program, ifindex, copy, is_attached_build })
    }

    fn interface_of(&self, from: &Ingress) -> Result<&InterfaceRecord> {
        let interfaces = &self.inventory.interfaces;
        let is_other = |record: &InterfaceRecord, program| record.program.as_deref().is_some_and(|own| own != program);
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

    /// Numbers of counters that the copy needs for the VIPs and backends that are in use.
    fn rooms(&self) -> (u32, u32) {
        let backends = self.inventory.pools.iter().flat_map(|pool| &pool.backends);
        let highest_backend = backends.map(|backend| backend.index).max().unwrap_or(0);
        (self.inventory.vips.iter().map(|vip| vip.index).max().unwrap_or(0) + 1, highest_backend + 1)
    }
}

/// The program that the instance has attached to an interface.
fn attached(pins: &Pins, interface: &str) -> Result<ProgramInfo> {
    let link =
        PinnedLink::from_pin(pins.link(interface)).with_context(|| format!("nothing is attached to {interface}"))?;
    let id = FdLink::from(link).info()?.program_id();
    let found = loaded_programs().filter_map(Result::ok).find(|program| program.id() == id);
    found.with_context(|| format!("nothing is attached to {interface}"))
}

impl Explainer<'_> {
    /// Explains one packet. Nothing is sent, and no live counter moves.
    ///
    /// # Errors
    ///
    /// Whatever the kernel refuses: a frame that is too long or too short, for one.
    pub fn explain(&mut self, given: &Frame) -> Result<Explained> {
        let (bytes, number) = (given.bytes.len(), given.number);
        let InterfaceRecord { name, frags, .. } = &self.interface;
        let linear_bytes_max = linear_mtu_bytes_max() as usize + ETHERNET_BYTES;
        ensure!(
            *frags || bytes <= linear_bytes_max,
            "the {bytes} bytes of packet {number} are more than {name} gives its program, which is attached without \
             fragments: at most {linear_bytes_max}"
        );
        let frame = TestFrame { bytes: &given.bytes, ingress_ifindex: self.ifindex, ..TestFrame::default() };
        let verdict = self.copy.run(frame).with_context(|| {
            format!("the {bytes} bytes of packet {number} are not run: the kernel takes at least 14")
        })?;
        let mut notes = given.notes.clone();
        if !self.is_attached_build {
            notes.push("the attached program is of another build than this command, and may do otherwise".to_owned());
        }
        if !verdict.settled {
            notes.push("the tables changed while it ran; the steps may be those of another moment".to_owned());
        }
        let steps = Steps::new(self.inspector, &verdict.explanation);
        let outcome = verdict.outcome;
        let next_hop = steps.next_hop();
        let egress = match action(verdict.action) {
            "XDP_TX" => Some(self.interface.name.clone()),
            "XDP_REDIRECT" => steps.link().map(|link| name_of(link.ifindex)),
            _ => None,
        };
        let (headers, changes) = rewritten(given, &verdict);
        Ok(Explained {
            instance: self.inspector.instance.clone(),
            interface: self.interface.name.clone(),
            program: self.program.clone(),
            packet: given.number,
            summary: headers::summary(&given.bytes),
            frame_bytes: given.bytes.len(),
            notes,
            vip: steps.vip(),
            listener: steps.listener(),
            flow: steps.flow(),
            pool: steps.pool(),
            backend: steps.backend(),
            next_hop,
            action: action(verdict.action).to_owned(),
            egress,
            outcome: outcome.label().to_owned(),
            class: outcome.class().label().to_owned(),
            reason: self.reason(outcome),
            help: self.help(outcome),
            headers,
            changes,
            counted: counted(&steps, &verdict),
            frame: headers::hex(&verdict.frame),
        })
    }

    fn is_backbone(&self) -> bool {
        self.program == "backbone"
    }

    fn reason(&self, outcome: Outcome) -> String {
        if self.is_backbone() {
            return "What arrives on a backbone interface is left to the host's stack untouched.".to_owned();
        }
        outcome.description().to_owned()
    }

    fn help(&self, outcome: Outcome) -> Option<String> {
        if self.is_backbone() { None } else { advice::of(outcome).map(str::to_owned) }
    }
}

/// The name of an XDP action (include/uapi/linux/bpf.h).
fn action(number: u32) -> &'static str {
    ["XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"].get(number as usize).copied().unwrap_or("unknown")
}

/// The name of an interface, or its index where it has gone.
fn name_of(ifindex: u32) -> String {
    interface_name(ifindex).unwrap_or_else(|| ifindex.to_string())
}

/// The headers around the inner packet, and what was changed within.
fn rewritten(given: &Frame, verdict: &Verdict) -> (Vec<headers::HeaderField>, Vec<changes::Change>) {
    let before = headers::decode(&given.bytes, false);
    let given_ip = given.bytes.get(before.ip_at..).unwrap_or_default();
    match verdict.outcome.class() {
        Class::Forwarded if verdict.outcome == Outcome::Decapsulated => {
            let around = headers::decode(&given.bytes, true);
            let after = headers::decode(&verdict.frame, false);
            let inner = around.inner_at.and_then(|at| given.bytes.get(at..)).unwrap_or_default();
            let changes = changes::between(inner, verdict.frame.get(after.ip_at..).unwrap_or_default());
            (around.fields, changes)
        }
        Class::Forwarded => {
            let around = headers::decode(&verdict.frame, true);
            let inner = around.inner_at.and_then(|at| verdict.frame.get(at..)).unwrap_or_default();
            (around.fields, changes::between(given_ip, inner))
        }
        Class::Answered => (headers::decode(&verdict.frame, false).fields, Vec::new()),
        Class::Passed | Class::Dropped => (Vec::new(), Vec::new()),
    }
}

fn counted(steps: &Steps<'_>, verdict: &Verdict) -> Vec<ExplainedCount> {
    let counted = verdict.counted;
    let vip = || steps.vip().map(|vip| vip.name);
    let rows = [
        counted.outcome.map(|(outcome, count)| ("outcome", None, outcome.label(), count)),
        counted.vip.map(|(class, count)| ("vip", vip(), class.label(), count)),
        counted.vip_drop.map(|count| ("vip_reason", vip(), verdict.outcome.label(), count)),
        counted.backend.map(|count| {
            let name = steps.backend().map(|backend| backend.address.to_string());
            ("backend", name, Class::Forwarded.label(), count)
        }),
    ];
    let row = |(of, name, label, count): (_, _, &str, _)| ExplainedCount {
        of,
        name,
        label: label.to_owned(),
        added: Count(count),
    };
    rows.into_iter().flatten().map(row).collect()
}
