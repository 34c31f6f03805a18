//! The model: what docs/datapath.md says, with slices and early returns.
//!
//! It shares nothing with the programs but the outcome list, the flow hash and the Maglev tables, which are contracts
//! between PoPs and have test vectors of their own. Headers, lengths and checksums are worked out here once more.

mod answer;
mod backbone;
mod encap;
mod flow;
mod gateway;
mod gateway_return;
mod input;
mod ip;
mod layer2;
mod mss;
mod pop;
mod probe;
mod select;
#[cfg(test)]
mod tests;
mod tunnel;

use anycast_common::{
    map::{Counter, DROP_OF_RETURN},
    outcome::{Class, Outcome},
};

use super::tables::{Path, Returns, Tables};

pub(super) use gateway::peer;
pub use input::{Buffer, Input, Mark};
pub use ip::{Family, checksum, replace_checksum_word};

/// Which program the packet meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Program {
    /// Access interfaces of a PoP.
    Pop,
    /// Backbone interfaces of a PoP.
    Backbone,
    /// Interfaces of a PoP that are both.
    OneArm,
    /// What a PoP host itself sends to VIPs.
    Probe,
    /// Backbone interfaces of a gateway.
    Gateway,
    /// The egress of a gateway's interfaces. The frame leaves by the interface of the input.
    GatewayReturn,
}

impl Program {
    /// Programs of one host count in the same counters: the one that stands for both.
    #[must_use]
    pub fn host(self) -> Self {
        match self {
            Self::Pop | Self::Backbone | Self::OneArm | Self::Probe => Self::Pop,
            Self::Gateway | Self::GatewayReturn => Self::Gateway,
        }
    }
}

/// XDP actions, with the numbers of the kernel's `enum xdp_action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Action {
    /// `XDP_DROP`.
    Drop = 1,
    /// `XDP_PASS`.
    Pass = 2,
    /// `XDP_TX`.
    Tx = 3,
    /// `XDP_REDIRECT`.
    Redirect = 4,
}

/// What a counter counts. Positions are those of [`Tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CounterKey {
    /// One outcome of one program.
    Outcome(Program, u32),
    /// One class ([`Class`] as a number) of one VIP.
    Vip(Program, usize, u32),
    /// One drop reason of one VIP.
    VipDrop(Program, usize, u32),
    /// What went toward one backend (pool, backend).
    Backend(usize, usize),
    /// One outcome of a PoP's probes.
    Probe(u32),
    /// Answers of one VIP on their way back.
    Returned(Program, usize),
    /// What a gateway sent toward one PoP host, by position of the allowed source.
    Peer(usize),
    /// An index of this table that belongs to nothing. Nothing is ever counted there.
    Stray(Program, &'static str, u32),
}

/// What must have happened to a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `None`: the backbone and the return program, where the packet is none of their business.
    pub outcome: Option<Outcome>,
    /// What the program returns.
    pub action: Action,
    /// The frame afterwards; `None`: dropped after it was written to, so its bytes mean nothing.
    pub frame: Option<Vec<u8>>,
    /// What every counter grows by; those not named stay.
    pub counts: Vec<(CounterKey, Counter)>,
    /// The way of the client that the gateway remembers, in the place of the one that the tables have.
    pub remembers: Option<Path>,
}

impl Verdict {
    /// The ways of clients that the gateway must remember afterwards, in order; `None`: the packet is none that it remembers
    /// anything of.
    pub fn paths(&self, tables: &Tables, input: &Input) -> Option<Vec<Path>> {
        let returns = &tables.gateway.returns;
        if input.program != Program::Gateway || returns.vips.iter().all(|returns| *returns == Returns::Direct) {
            return None;
        }
        let is_of = |path: &Path, other: &Path| (path.client, path.vip) == (other.client, other.vip);
        let kept = returns.paths.iter().filter(|path| self.remembers.is_none_or(|new| !is_of(path, &new)));
        let mut paths: Vec<Path> = kept.copied().chain(self.remembers).collect();
        paths.sort();
        Some(paths)
    }
}

/// A frame on its way out.
struct Sent {
    outcome: Outcome,
    action: Action,
    frame: Vec<u8>,
}

/// What is known about a packet when its fate is decided: the facts that counters need.
struct Facts {
    /// Length to count.
    bytes: usize,
    /// Position of the VIP it is for.
    vip: Option<usize>,
    /// Pool and backend it goes to.
    backend: Option<(usize, usize)>,
    /// It is an answer of the VIP.
    is_answer: bool,
    /// It is a probe, or the answer to one.
    is_probe: bool,
    /// The way that is remembered.
    remembers: Option<Path>,
    /// The PoP host that it is sent to, and what the packet becomes on its way there.
    sent: Option<(usize, Counter)>,
}

/// What must happen to a packet.
pub fn run(tables: &Tables, input: &Input) -> Verdict {
    let layer2 = layer2::parse(&input.frame[..input.readable_bytes()]);
    let mut facts = Facts {
        bytes: input.frame.len() - layer2.ip_offset,
        vip: None,
        backend: None,
        is_answer: false,
        is_probe: false,
        remembers: None,
        sent: None,
    };
    let result = match input.program {
        Program::Backbone => backbone::run(&tables.pop, input, layer2, &mut facts),
        Program::Pop => Some(pop::run(&tables.pop, input, layer2, &mut facts)),
        Program::Probe => Some(match input.mark {
            Some(mark) => probe::run(&tables.pop, input, mark, &mut facts),
            None => match probe::ended_bytes(&tables.pop, input) {
                Some(bytes) => {
                    (facts.is_probe, facts.bytes) = (true, bytes);
                    Err(Outcome::ProbeEnded)
                }
                None => pop::run(&tables.pop, input, layer2, &mut facts),
            },
        }),
        Program::OneArm => backbone::run(&tables.pop, input, layer2, &mut facts)
            .or_else(|| Some(pop::run(&tables.pop, input, layer2, &mut facts))),
        Program::GatewayReturn => gateway_return::run(&tables.gateway, input, &mut facts),
        Program::Gateway => Some(gateway::run(&tables.gateway, input, layer2, &mut facts)),
    };
    let untouched = || input.buffer.seen(input.frame.clone(), input.buffer.vlan_tci);
    let Some(result) = result else {
        let frame = Some(untouched());
        return Verdict { outcome: None, action: Action::Pass, frame, counts: Vec::new(), remembers: None };
    };
    match result {
        Ok(Sent { outcome, action, frame }) => {
            let counts = counts(input.program, outcome, &facts);
            Verdict { outcome: Some(outcome), action, frame: Some(frame), counts, remembers: facts.remembers }
        }
        Err(outcome) => {
            // On a PoP, what is to be told about an answer is taken out of its tunnel first.
            let is_taken_out = facts.is_answer && outcome == Outcome::TooBig && input.program != Program::GatewayReturn;
            let has_no_mark = facts.is_probe && outcome == Outcome::TooBig;
            let written = is_taken_out || has_no_mark || matches!(outcome, Outcome::NoEgress | Outcome::Headroom);
            Verdict {
                outcome: Some(outcome),
                action: if outcome.class() == Class::Passed { Action::Pass } else { Action::Drop },
                frame: (!written).then(untouched),
                counts: counts(input.program, outcome, &facts),
                remembers: facts.remembers,
            }
        }
    }
}

/// "Counting" of docs/datapath.md.
fn counts(program: Program, outcome: Outcome, facts: &Facts) -> Vec<(CounterKey, Counter)> {
    let host = program.host();
    let one = Counter { packets: 1, bytes: facts.bytes as u64 };
    let mut keys = Vec::new();
    if facts.is_probe {
        return vec![(CounterKey::Probe(outcome as u32), one)];
    }
    if facts.is_answer
        && let Some(vip) = facts.vip
    {
        if outcome == Outcome::Returned {
            let sent = facts.sent.map_or(one, |(_, sent)| sent);
            let to_peer = facts.sent.map(|(peer, sent)| (CounterKey::Peer(peer), sent));
            return [(CounterKey::Returned(host, vip), sent)].into_iter().chain(to_peer).collect();
        }
        let number = outcome as u32;
        let keys = [CounterKey::Outcome(host, number), CounterKey::VipDrop(host, vip, number | DROP_OF_RETURN)];
        return keys.map(|key| (key, one)).to_vec();
    }
    let forwarded = outcome.class() == Class::Forwarded;
    if !forwarded {
        keys.push(CounterKey::Outcome(host, outcome as u32));
    }
    if let Some(vip) = facts.vip {
        keys.push(CounterKey::Vip(host, vip, outcome.class() as u32));
        if outcome.class() == Class::Dropped {
            keys.push(CounterKey::VipDrop(host, vip, outcome as u32));
        }
    }
    if let (true, Some((pool, backend))) = (forwarded, facts.backend) {
        keys.push(CounterKey::Backend(pool, backend));
    }
    keys.into_iter().map(|key| (key, one)).collect()
}
