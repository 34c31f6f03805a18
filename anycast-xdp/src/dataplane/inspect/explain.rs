//! The way of one packet: a second copy of the attached program runs on it, and the inventory gives what it did names.

mod returns;
mod steps;

use std::fmt;

use anycast_common::{
    header::ETHERNET_BYTES,
    map::Explanation,
    outcome::{Class, Outcome},
};
use anyhow::{Context as _, Result, bail, ensure};
use aya::programs::links::{FdLink, PinnedLink};

use self::steps::Steps;
use super::{
    super::{
        attach::linear_mtu_bytes_max,
        egress,
        interfaces::{interface_index, interface_name},
        inventory::{InterfaceRecord, variant},
        pins::Pins,
        programs::Attached,
        second_copy::{SecondCopy, Verdict},
        test_run::TestFrame,
    },
    Inspector,
};
use crate::{
    explain::{Frame, advice, changes, headers, packet},
    view::{Count, Explained, ExplainedCount, ExplainedPop},
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

/// Explains packets that one program takes.
pub struct Explainer<'a> {
    inspector: &'a Inspector,
    interface: InterfaceRecord,
    program: String,
    is_egress: bool,
    ifindex: u32,
    copy: SecondCopy,
    is_attached_build: bool,
}

impl Inspector {
    /// Makes ready to explain a packet that is taken there.
    ///
    /// # Errors
    ///
    /// No such interface, nothing attached to it, or whatever the kernel refuses.
    pub fn explainer(&self, hook: &Hook, frame: &[u8]) -> Result<Explainer<'_>> {
        let (interface, is_egress) = match hook {
            Hook::Ingress(from) => (self.interface_of(from)?.clone(), false),
            Hook::Egress(interface) => (self.leaving(interface.as_deref(), frame)?.clone(), true),
        };
        let name = &interface.name;
        let program = if is_egress { Some(egress::PROGRAM.to_owned()) } else { interface.program.clone() };
        let program = program.with_context(|| format!("no XDP program is for {name}"))?;
        let ifindex = interface_index(name).with_context(|| format!("there is no interface {name} any more"))?;
        let attached = attached(&self.pins, name, is_egress)?;
        let rooms = self.rooms();
        let copy = SecondCopy::load(
            &self.generation.maps,
            &variant(&program, interface.frags && !is_egress),
            &attached,
            rooms.0,
            rooms.1,
        )?;
        let is_attached_build = copy.is_copy_of(&attached)?;
        Ok(Explainer { inspector: self, interface, program, is_egress, ifindex, copy, is_attached_build })
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

/// The program that the instance has attached to an interface, or to its egress.
fn attached(pins: &Pins, interface: &str, is_egress: bool) -> Result<Attached> {
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
            self.is_egress || *frags || bytes <= linear_bytes_max,
            "the {bytes} bytes of packet {number} are more than {name} gives its program, which is attached without \
             fragments: at most {linear_bytes_max}"
        );
        let frame = TestFrame { bytes: &given.bytes, ingress_ifindex: self.ifindex, ..TestFrame::default() };
        let known = if self.is_egress { self.inspector.known(&given.bytes) } else { Explanation::default() };
        let verdict = self.copy.run(frame, &known).with_context(|| {
            let most = if self.is_egress { ", and at an egress less than a page" } else { "" };
            format!("the {bytes} bytes of packet {number} are not run: the kernel takes at least 14{most}")
        })?;
        let mut notes = given.notes.clone();
        notes.extend(self.is_egress.then(|| returns::elsewhere(self.ifindex, &given.bytes)).flatten());
        if !self.is_attached_build {
            notes.push("the attached program is of another build than this command, and may do otherwise".to_owned());
        }
        if !verdict.settled {
            notes.push("the tables changed while it ran; the steps may be those of another moment".to_owned());
        }
        let steps = Steps::new(self.inspector, &verdict.explanation);
        let outcome = verdict.outcome;
        let next_hop = steps.next_hop();
        let action = self.action(verdict.action);
        let egress = match action {
            "XDP_TX" | "TC_ACT_UNSPEC" | "TC_ACT_OK" => Some(self.interface.name.clone()),
            "XDP_REDIRECT" | "TC_ACT_REDIRECT" => steps.link().map(|link| name_of(link.ifindex)),
            _ => None,
        };
        let pop = if self.is_egress { self.pop(&steps, given)? } else { None };
        let (headers, changes) = rewritten(given, &verdict, self.program == "backbone");
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
            // A gateway's backends are the PoP hosts.
            backend: steps.backend().filter(|_| !self.is_egress),
            pop,
            next_hop,
            action: action.to_owned(),
            egress,
            outcome: outcome.label().to_owned(),
            class: outcome.class().label().to_owned(),
            reason: self.reason(outcome).to_owned(),
            help: self.help(outcome).map(str::to_owned),
            headers,
            changes,
            counted: counted(&steps, &verdict),
            frame: headers::hex(&verdict.frame),
        })
    }

    /// The PoP that an answer goes back through.
    fn pop(&self, steps: &Steps<'_>, given: &Frame) -> Result<Option<ExplainedPop>> {
        let client = packet::addresses(&given.bytes).map(|(_, client)| client);
        let Some((vip_index, client)) = steps.vip_index().zip(client) else { return Ok(None) };
        self.inspector.pop(vip_index, client)
    }

    /// The name of an action.
    fn action(&self, number: u32) -> &'static str {
        let names = if self.is_egress { TC_ACTIONS } else { XDP_ACTIONS };
        names.iter().find(|(known, _)| *known == number).map_or("unknown", |(_, name)| name)
    }

    /// What other programs than `pop` and `gateway` leave alone is none of theirs, and not wrong.
    fn untaken(&self, outcome: Outcome) -> Option<&'static str> {
        match self.program.as_str() {
            _ if outcome != Outcome::NotVip => None,
            "backbone" => Some("No answer of a VIP that goes back through here: left to the host's stack untouched."),
            egress::PROGRAM => Some("No answer of a VIP: left alone, and sent as the stack routes it."),
            _ => None,
        }
    }

    fn reason(&self, outcome: Outcome) -> &'static str {
        self.untaken(outcome).unwrap_or_else(|| outcome.description())
    }

    fn help(&self, outcome: Outcome) -> Option<&'static str> {
        if self.untaken(outcome).is_some() { None } else { advice::of(outcome) }
    }
}

/// XDP actions (include/uapi/linux/bpf.h).
const XDP_ACTIONS: &[(u32, &str)] =
    &[(0, "XDP_ABORTED"), (1, "XDP_DROP"), (2, "XDP_PASS"), (3, "XDP_TX"), (4, "XDP_REDIRECT")];

/// Those of classifiers (include/uapi/linux/pkt_cls.h).
const TC_ACTIONS: &[(u32, &str)] =
    &[(u32::MAX, "TC_ACT_UNSPEC"), (0, "TC_ACT_OK"), (2, "TC_ACT_SHOT"), (7, "TC_ACT_REDIRECT")];

/// The name of an interface, or its index where it has gone.
fn name_of(ifindex: u32) -> String {
    interface_name(ifindex).unwrap_or_else(|| ifindex.to_string())
}

/// The headers around the inner packet, and what was changed within.
fn rewritten(given: &Frame, verdict: &Verdict, unwraps: bool) -> (Vec<headers::HeaderField>, Vec<changes::Change>) {
    let before = headers::decode(&given.bytes, false);
    let given_ip = given.bytes.get(before.ip_at..).unwrap_or_default();
    match verdict.outcome.class() {
        Class::Forwarded if unwraps || verdict.outcome == Outcome::Decapsulated => {
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
        counted.returned.map(|count| ("vip", vip(), Outcome::Returned.label(), count)),
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
