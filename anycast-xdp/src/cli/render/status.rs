//! Text of `status`.

use super::table::{Column, titled};
use crate::view::{BackendStatus, BindingStatus, NextHopStatus, Status, TableFill};

/// Places of a next-hop group.
const PLACES: u8 = 16;

/// What is attached, how full the tables are, and where backends' packets go.
pub fn status(status: &Status, width: Option<u16>) -> String {
    let daemon = match status.daemon_pid {
        Some(pid) => format!("running, pid {pid}"),
        None => "not running: packets are forwarded, routes and neighbours are not followed".to_owned(),
    };
    let head = format!(
        "instance  {}\nrole      {}\nhost      {}/{}\ndaemon    {daemon}\nABI       {}\n",
        status.instance, status.role, status.pop, status.host, status.abi_version
    );
    let tables = status.tables.iter().map(fill).collect();
    let backends = status.backends.iter().map(backend).collect();
    let bindings = status.bindings.iter().map(binding).collect();
    [
        head,
        titled("Attached programs", &ATTACHMENT_COLUMNS, attachments(status), width),
        titled("Bindings", &BINDING_COLUMNS, bindings, width),
        titled("Backends", &BACKEND_COLUMNS, backends, width),
        titled("Tables", &TABLE_COLUMNS, tables, width),
    ]
    .concat()
}

const ATTACHMENT_COLUMNS: [Column; 6] = [
    Column::Text("INTERFACE"),
    Column::Number("IFINDEX"),
    Column::Text("PROGRAM"),
    Column::Number("ID"),
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
            attachment.asked.clone(),
            attachment.mode.clone(),
        ]
    });
    rows.collect()
}

const BINDING_COLUMNS: [Column; 5] = [
    Column::Text("POOLS"),
    Column::Number("VIPS"),
    Column::Text("ACTIVE"),
    Column::Text("IN TRANSITION"),
    Column::Text("WHY"),
];

fn binding(binding: &BindingStatus) -> Vec<String> {
    let active = binding.active.clone().unwrap_or_else(|| "-".to_owned());
    let in_transition = if binding.in_transition { "yes" } else { "no" };
    vec![
        binding.pools.join(", "),
        binding.vips.to_string(),
        active,
        in_transition.to_owned(),
        if binding.reason.is_empty() { "-".to_owned() } else { binding.reason.clone() },
    ]
}

const BACKEND_COLUMNS: [Column; 6] = [
    Column::Text("POOL"),
    Column::Whole("BACKEND"),
    Column::Number("WEIGHT"),
    Column::Text("STATE"),
    Column::Number("MTU"),
    Column::Text("NEXT HOPS"),
];

fn backend(backend: &BackendStatus) -> Vec<String> {
    let mtu = if backend.mtu_bytes == 0 { "no route".to_owned() } else { backend.mtu_bytes.to_string() };
    let next_hops = if backend.next_hops.is_empty() {
        "unresolved: dropping".to_owned()
    } else {
        backend.next_hops.iter().map(next_hop).collect::<Vec<_>>().join("\n")
    };
    let (address, weight, state) = (backend.address.to_string(), backend.weight.to_string(), backend.state.to_string());
    vec![backend.pool.clone(), address, weight, state, mtu, next_hops]
}

fn next_hop(next_hop: &NextHopStatus) -> String {
    let share =
        if next_hop.sixteenths == PLACES { String::new() } else { format!(" {}/{PLACES}", next_hop.sixteenths) };
    format!("{} {}{share}", next_hop.interface, next_hop.mac)
}

const TABLE_COLUMNS: [Column; 4] =
    [Column::Text("TABLE"), Column::Number("USED"), Column::Number("CAPACITY"), Column::Number("FULL")];

fn fill(table: &TableFill) -> Vec<String> {
    let percent = u64::from(table.used) * 100 / u64::from(table.capacity.max(1));
    vec![table.name.clone(), table.used.to_string(), table.capacity.to_string(), format!("{percent} %")]
}
