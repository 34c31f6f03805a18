//! Text of `doctor`.

use std::fmt::Write as _;

use super::{
    count_of,
    table::{Column, titled},
};
use crate::doctor::{
    Finding, Report, Severity,
    checklist::{Checklist, Step},
    report::InterfaceRow,
};

/// What was found, worst first. `all`: with the checks that found nothing.
pub fn doctor(report: &Report, all: bool, width: Option<u16>) -> String {
    let daemon = match report.daemon_pid {
        Some(pid) => format!("running, pid {pid}"),
        None => "not running".to_owned(),
    };
    let mut out = format!(
        "instance  {}\nrole      {}\nhost      {}/{}\ndaemon    {daemon}\nkernel    {}, {}\n",
        report.instance,
        report.role,
        report.pop,
        report.host,
        report.kernel,
        count_of(report.cpus as usize, "CPU")
    );
    let interfaces = report.interfaces.iter().map(interface).collect();
    out.push_str(&titled("Interfaces", &INTERFACE_COLUMNS, interfaces, width));
    for one in &report.findings {
        out.push_str(&finding(one));
    }
    // Writing to a String cannot fail.
    if !report.skipped.is_empty() {
        out.push_str("\nNot looked at\n");
        for skipped in &report.skipped {
            let _ = writeln!(out, "  {} ({}): {}", skipped.code, skipped.at, skipped.reason);
        }
    }
    if all && !report.ok.is_empty() {
        out.push_str("\nFound nothing\n");
        for code in &report.ok {
            let _ = writeln!(out, "  {code}");
        }
    }
    let count = |severity, noun| count_of(report.count(severity), noun);
    let _ = writeln!(
        out,
        "\n{}, {}, {}; {} found nothing, {} not looked at",
        count(Severity::Error, "error"),
        count(Severity::Warning, "warning"),
        count(Severity::Info, "info"),
        count_of(report.ok.len(), "check"),
        report.skipped.len()
    );
    out
}

const INTERFACE_COLUMNS: [Column; 7] = [
    Column::Text("INTERFACE"),
    Column::Text("ROLES"),
    Column::Text("DRIVER"),
    Column::Number("MTU"),
    Column::Number("QUEUES"),
    Column::Text("XDP"),
    Column::Text("DRIVER CAN"),
];

fn interface(row: &InterfaceRow) -> Vec<String> {
    let known = |value: Option<String>| value.unwrap_or_else(|| "?".to_owned());
    vec![
        row.name.clone(),
        row.roles.join(" "),
        known(row.driver.clone()),
        known(row.mtu_bytes.map(|bytes| bytes.to_string())),
        known(row.rx_queues.map(|queues| queues.to_string())),
        row.xdp.to_owned(),
        known(row.xdp_features.as_ref().map(|words| words.join(" "))),
    ]
}

fn finding(finding: &Finding) -> String {
    let Finding { severity, code, at, problem, fix } = finding;
    format!("\n{severity}: {code} ({at})\n  {problem}\n  fix: {fix}\n")
}

/// What backends must have.
pub fn checklists(lists: &[Checklist]) -> String {
    lists.iter().map(checklist).collect::<Vec<_>>().join("\n")
}

fn checklist(list: &Checklist) -> String {
    let path = list.path_mtu_bytes.map_or_else(|| "no route".to_owned(), |bytes| format!("MTU {bytes}"));
    let (pools, overhead) = (list.pools.join(" "), list.overhead_bytes);
    let (backend, encap) = (list.backend, &list.encap);
    let head = format!("Backend {backend} of {pools} ({encap}, {path}, outer header {overhead} bytes)\n");
    list.steps.iter().fold(head, |text, one| text + &step(one))
}

fn step(step: &Step) -> String {
    let commands = step.commands.iter().map(|command| format!("      {command}\n"));
    format!("  {}\n{}", step.what, commands.collect::<String>())
}
