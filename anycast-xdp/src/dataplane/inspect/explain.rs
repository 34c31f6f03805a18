//! The way of one packet: a second copy of the attached program runs on it, and the inventory gives what it did names.

mod effects;
mod hook;
mod outcome;
mod returns;
mod steps;

use anycast_common::{header::ETHERNET_BYTES, map::Explanation};
use anyhow::{Context as _, Result, ensure};

pub use self::hook::{Hook, Ingress};
use self::{
    effects::{counted, rewritten},
    hook::attached,
    steps::Steps,
};
use super::{
    super::{
        attach::linear_mtu_bytes_max,
        egress,
        interfaces::{interface_index, interface_name},
        inventory::{InterfaceRecord, variant},
        second_copy::SecondCopy,
        test_run::TestFrame,
    },
    Inspector,
};
use crate::{
    explain::{Frame, headers, packet},
    view::{Explained, ExplainedPop},
};

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

    /// Numbers of counters that the copy needs for the VIPs and backends that are in use.
    fn rooms(&self) -> (u32, u32) {
        let backends = self.inventory.pools.iter().flat_map(|pool| &pool.backends);
        let highest_backend = backends.map(|backend| backend.index).max().unwrap_or(0);
        (self.inventory.vips.iter().map(|vip| vip.index).max().unwrap_or(0) + 1, highest_backend + 1)
    }
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
}

/// The name of an interface, or its index where it has gone.
fn name_of(ifindex: u32) -> String {
    interface_name(ifindex).unwrap_or_else(|| ifindex.to_string())
}
