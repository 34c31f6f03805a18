//! Text of `explain`: a line for each step, then the headers byte by byte.

use anycast_common::listeners::PROTOCOL_NAMES;

use super::{
    count_of,
    table::{Column, headless, titled},
};
use crate::view::{
    Explained, ExplainedBackend, ExplainedCount, ExplainedFlow, ExplainedListener, ExplainedNextHop, ExplainedPop,
};

/// Places of a next-hop group.
const PLACES: u8 = 16;

/// The way of one packet.
pub fn explain(explained: &Explained, width: Option<u16>) -> String {
    let steps = steps(explained).into_iter().map(|(step, line)| vec![step.to_owned(), line]);
    let text = headless(&STEP_COLUMNS, steps.collect(), width);
    let fields = explained.headers.iter().map(|field| {
        vec![
            field.offset.to_string(),
            field.bytes.clone(),
            field.header.to_owned(),
            field.field.to_owned(),
            field.value.clone(),
        ]
    });
    let changes =
        explained.changes.iter().map(|change| vec![change.field.clone(), change.before.clone(), change.after.clone()]);
    text + &titled(headers_title(explained), &HEADER_COLUMNS, fields.collect(), width)
        + &titled("Inner packet", &CHANGE_COLUMNS, changes.collect(), width)
}

const STEP_COLUMNS: [Column; 2] = [Column::Whole("STEP"), Column::Text("WHAT IT GAVE")];

const HEADER_COLUMNS: [Column; 5] = [
    Column::Number("OFFSET"),
    Column::Text("BYTES"),
    Column::Text("HEADER"),
    Column::Text("FIELD"),
    Column::Whole("VALUE"),
];

const CHANGE_COLUMNS: [Column; 3] = [Column::Text("CHANGED"), Column::Text("BEFORE"), Column::Text("AFTER")];

fn headers_title(explained: &Explained) -> &'static str {
    match explained.program.as_str() {
        _ if explained.class == "answered" => "Headers of the answer",
        "gateway" | "backbone" => "Outer header that is taken off",
        _ => "Outer header",
    }
}

/// The steps that the packet took, each as a word and a line.
fn steps(explained: &Explained) -> Vec<(&'static str, String)> {
    let mut steps = vec![(
        "packet",
        format!(
            "{}; {} by {}, program {}",
            explained.summary,
            count_of(explained.frame_bytes, "byte"),
            explained.interface,
            explained.program
        ),
    )];
    steps.extend(explained.notes.iter().map(|note| ("note", note.clone())));
    if let Some(vip) = &explained.vip {
        steps.push(("VIP", format!("{} ({})", vip.name, vip.address)));
        let all =
            (vip.listeners.is_empty() && explained.flow.is_some()).then(|| "none: the VIP takes everything".to_owned());
        steps.extend(explained.listener.as_ref().map(listener).or(all).map(|line| ("listener", line)));
    }
    steps.extend(explained.flow.as_ref().map(|step| ("flow", flow(step))));
    if let Some(pool) = &explained.pool {
        let why = pool.why.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
        let line = format!("{} in {}: slot {} of {}{why}", pool.name, pool.home_region, pool.slot, pool.slots);
        steps.push(("pool", line));
    }
    steps.extend(explained.backend.as_ref().map(|step| ("backend", backend(step))));
    steps.extend(explained.pop.as_ref().map(|step| ("PoP", pop(step))));
    steps.extend(explained.next_hop.as_ref().map(|step| ("next hop", next_hop(step))));
    let to = explained.egress.as_ref().map(|interface| format!(" to {interface}")).unwrap_or_default();
    steps.push(("action", format!("{}{to}", explained.action)));
    let class = if explained.class == explained.outcome { String::new() } else { format!("{}: ", explained.class) };
    steps.push(("outcome", format!("{class}{}: {}", explained.outcome, explained.reason)));
    steps.extend(explained.help.as_ref().map(|help| ("help", help.clone())));
    steps.extend(explained.counted.iter().map(|count| ("counted", counted(count))));
    steps
}

fn listener(listener: &ExplainedListener) -> String {
    let named = PROTOCOL_NAMES.iter().find(|(_, number)| *number == listener.protocol);
    let protocol = named.map_or_else(|| listener.protocol.to_string(), |(name, _)| (*name).to_owned());
    let asked = listener.port.map_or_else(|| format!("{protocol}, no port"), |port| format!("{protocol}/{port}"));
    match &listener.taken_by {
        Some(written) if *written == asked => written.clone(),
        Some(written) => format!("{written} takes {asked}"),
        None => format!("none takes {asked}"),
    }
}

fn flow(flow: &ExplainedFlow) -> String {
    let ports = flow.hashed_ports.map(|[client, vip]| format!(", ports {client} and {vip}")).unwrap_or_default();
    let protocol = flow.hashed_protocol.map(|protocol| format!(", protocol {protocol}")).unwrap_or_default();
    format!("of client {}, hash {} of addresses{ports}{protocol}", flow.client, flow.hash)
}

fn backend(backend: &ExplainedBackend) -> String {
    let mtu = backend.mtu_bytes.map_or_else(|| "no route".to_owned(), |mtu| format!("path MTU {mtu}"));
    let source = backend.source.map(|source| format!(", {} from {source}", backend.encap)).unwrap_or_default();
    let by_health = if backend.is_down_by_health { ", down by health as all others of the pool" } else { "" };
    format!("{}, weight {}{source}, {mtu}{by_health}", backend.address, backend.weight)
}

fn pop(pop: &ExplainedPop) -> String {
    let mtu = pop.mtu_bytes.map_or_else(|| "no route".to_owned(), |mtu| format!("path MTU {mtu}"));
    let ExplainedPop { prefix, address, gateway, encap, seen_secs, .. } = pop;
    format!("{address} in {prefix}, {encap} from {gateway}, {mtu}, seen {seen_secs} s ago")
}

fn next_hop(next_hop: &ExplainedNextHop) -> String {
    let address = next_hop.addresses.first().map(|address| format!("{address} ")).unwrap_or_default();
    format!("{address}{} on {}, share {}/{PLACES}", next_hop.mac, next_hop.interface, next_hop.sixteenths)
}

fn counted(count: &ExplainedCount) -> String {
    let added = count.added.0;
    let name = count.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    let of = if count.of == "vip_reason" { "vip" } else { count.of };
    let label = if count.of == "vip_reason" { format!("reason {}", count.label) } else { count.label.clone() };
    let packets = count_of(added.packets as usize, "packet");
    format!("{of}{name} {label}: {packets}, {}", count_of(added.bytes as usize, "byte"))
}
