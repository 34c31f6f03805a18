//! Text of `status`.

use super::table::{Column, titled};
use crate::{
    desired::Icmp,
    view::{Attachment, BackendStatus, BindingStatus, MtuSource, NextHopStatus, Status, TableFill},
};

/// Places of a next-hop group.
const PLACES: u8 = 16;

/// What is attached, how full the tables are, and where backends' packets go.
pub fn status(status: &Status, width: Option<u16>) -> String {
    let daemon = match status.daemon_pid {
        Some(pid) => format!("running, pid {pid}"),
        None => "not running: packets are forwarded, routes and neighbours are not followed".to_owned(),
    };
    let head = format!(
        "instance  {}\nrole      {}\nhost      {}/{}\ndaemon    {daemon}\nABI       {}, generation {}\n",
        status.instance, status.role, status.pop, status.host, status.abi_version, status.generation
    );
    let icmp = status.icmp.iter().map(icmp_row).collect();
    let tables = status.tables.iter().map(fill).collect();
    let backends = status.backends.iter().map(backend).collect();
    let bindings = status.bindings.iter().map(binding).collect();
    let returns = status.returns.iter().map(|row| vec![row.returns.to_string(), row.vips.to_string()]).collect();
    [
        head,
        titled("Attached programs", &ATTACHMENT_COLUMNS, attachments(status), width),
        titled("Bindings", &BINDING_COLUMNS, bindings, width),
        titled("Answers of VIPs", &RETURNS_COLUMNS, returns, width),
        titled("Backends", &BACKEND_COLUMNS, backends, width),
        titled("Answers of this host", &ICMP_COLUMNS, icmp, width),
        titled("Tables", &TABLE_COLUMNS, tables, width),
    ]
    .concat()
}

const ATTACHMENT_COLUMNS: [Column; 7] = [
    Column::Text("INTERFACE"),
    Column::Number("IFINDEX"),
    Column::Text("PROGRAM"),
    Column::Number("ID"),
    Column::Text("HOOK"),
    Column::Text("ASKED"),
    Column::Text("MODE"),
];

fn attachments(status: &Status) -> Vec<Vec<String>> {
    let rows = status.attachments.iter().map(|attachment| {
        vec![
            attachment.interface.clone(),
            attachment.ifindex.to_string(),
            attachment.program.clone(),
            attachment.program_id.to_string(),
            attachment.hook.to_owned(),
            attachment.asked.clone().unwrap_or_else(|| "-".to_owned()),
            mode(attachment),
        ]
    });
    rows.collect()
}

fn mode(attachment: &Attachment) -> String {
    if attachment.frags { format!("{}, frags", attachment.mode) } else { attachment.mode.clone() }
}

const BINDING_COLUMNS: [Column; 6] = [
    Column::Text("POOLS"),
    Column::Number("VIPS"),
    Column::Text("GOES OVER, BACK"),
    Column::Text("ACTIVE"),
    Column::Text("IN TRANSITION"),
    Column::Text("WHY"),
];

fn binding(binding: &BindingStatus) -> Vec<String> {
    let active = match binding.shares.as_slice() {
        [] => "-".to_owned(),
        [only] => only.pool.clone(),
        shares => {
            shares.iter().map(|share| format!("{} {} %", share.pool, share.percent)).collect::<Vec<_>>().join(", ")
        }
    };
    let policy = match binding.pools.len() {
        0 | 1 => "-".to_owned(),
        _ => format!("{}, {}", binding.failover, binding.failback),
    };
    let in_transition = if binding.in_transition { "yes" } else { "no" };
    vec![
        binding.pools.join(", "),
        binding.vips.to_string(),
        policy,
        active,
        in_transition.to_owned(),
        if binding.reason.is_empty() { "-".to_owned() } else { binding.reason.clone() },
    ]
}

const RETURNS_COLUMNS: [Column; 2] = [Column::Text("RETURN"), Column::Number("VIPS")];

const BACKEND_COLUMNS: [Column; 8] = [
    Column::Text("POOL"),
    Column::Whole("BACKEND"),
    Column::Number("WEIGHT"),
    Column::Text("STATE"),
    Column::Text("ENCAP"),
    Column::Number("MTU"),
    Column::Text("SAID BY"),
    Column::Text("NEXT HOPS"),
];

fn backend(backend: &BackendStatus) -> Vec<String> {
    let mtu = if backend.mtu_bytes == 0 { "no route".to_owned() } else { backend.mtu_bytes.to_string() };
    let next_hops = if backend.next_hops.is_empty() {
        "unresolved: dropping".to_owned()
    } else {
        backend.next_hops.iter().map(next_hop).collect::<Vec<_>>().join("\n")
    };
    vec![
        backend.pool.clone(),
        backend.address.to_string(),
        backend.weight.to_string(),
        state(backend),
        backend.encap.clone(),
        mtu,
        said_by(backend),
        next_hops,
    ]
}

/// What it is there for, and whether its probes fail.
fn state(backend: &BackendStatus) -> String {
    let by_health = if backend.is_down_by_health { ", down by health" } else { "" };
    format!("{}{by_health}", backend.state)
}

/// Who says the MTU.
fn said_by(backend: &BackendStatus) -> String {
    match backend.mtu_source {
        None => String::new(),
        Some(MtuSource::Route) => "route".to_owned(),
        Some(MtuSource::Configured) => "configured".to_owned(),
        Some(MtuSource::Learnt) => format!("learnt, {} s", backend.mtu_left_secs.unwrap_or(0)),
    }
}

fn next_hop(next_hop: &NextHopStatus) -> String {
    let share =
        if next_hop.sixteenths == PLACES { String::new() } else { format!(" {}/{PLACES}", next_hop.sixteenths) };
    format!("{} {}{share}", next_hop.interface, next_hop.mac)
}

const ICMP_COLUMNS: [Column; 3] =
    [Column::Whole("TIME EXCEEDED FROM"), Column::Number("ECHO PPS"), Column::Number("ERROR PPS")];

fn icmp_row(icmp: &Icmp) -> Vec<String> {
    let v4 = icmp.source_ipv4.map(|source| source.to_string());
    let v6 = icmp.source_ipv6.map(|source| source.to_string());
    let sources: Vec<_> = v4.into_iter().chain(v6).collect();
    let sources = if sources.is_empty() { "no address: not sent".to_owned() } else { sources.join("\n") };
    vec![sources, icmp.echo_rate_pps.to_string(), icmp.error_rate_pps.to_string()]
}

const TABLE_COLUMNS: [Column; 4] =
    [Column::Text("TABLE"), Column::Number("USED"), Column::Number("CAPACITY"), Column::Number("FULL")];

fn fill(table: &TableFill) -> Vec<String> {
    let percent = u64::from(table.used) * 100 / u64::from(table.capacity.max(1));
    vec![table.name.clone(), table.used.to_string(), table.capacity.to_string(), format!("{percent} %")]
}
