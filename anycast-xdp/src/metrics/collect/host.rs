//! The program, the host, and what its interfaces do.

use std::fmt;

use anycast_common::{map::Counter, outcome::Outcome};

use crate::{
    metrics::{
        catalogue::{
            BUILD, DATAPATH_READABLE, HOST, INTERFACE_LOST, INTERFACE_NIC, OUTCOME_BYTES, OUTCOME_PACKETS,
            PROBE_PACKETS, PROGRAM, PROGRAM_ATTACHED, SCRAPE_DURATION, START_TIME, TABLE_CAPACITY, TABLE_USED,
        },
        reading::Reading,
        writer::Writer,
    },
    view::{Attachment, Status, TableFill},
};

pub fn program(writer: &mut Writer<'_>, reading: &Reading) -> fmt::Result {
    writer.infos(&BUILD, [([env!("CARGO_PKG_VERSION").into()], Vec::new())])?;
    let status = reading.datapath.as_ref().map(|datapath| &datapath.status);
    let host = status.map(|Status { instance, role, pop, host, abi_version, .. }| {
        let named = [instance, role, pop, host].map(|name| name.as_str().into());
        let [instance, role, pop, host] = named;
        ([instance, role, pop, host, abi_version.to_string().into()], Vec::new())
    });
    writer.infos(&HOST, host)?;
    writer.gauge(&START_TIME, reading.recorder.start_time_secs())?;
    writer.gauge(&SCRAPE_DURATION, reading.took.as_secs_f64())?;
    writer.gauge(&DATAPATH_READABLE, u32::from(status.is_some()))
}

/// All of them, those that never happened as well: a counter that appears with its first packet hides that one from
/// `rate`.
pub fn outcomes(writer: &mut Writer<'_>, reading: &Reading) -> fmt::Result {
    let counted = reading.datapath.as_ref().map(|datapath| &datapath.stats.outcomes);
    let row = |outcome: &Outcome, unit: fn(Counter) -> u64| {
        let count = counted?.get(outcome.label()).copied().unwrap_or_default().0;
        Some(([outcome.label().into(), outcome.class().label().into()], unit(count)))
    };
    writer.counters(&OUTCOME_PACKETS, Outcome::ALL.iter().filter_map(|outcome| row(outcome, |count| count.packets)))?;
    writer.counters(&OUTCOME_BYTES, Outcome::ALL.iter().filter_map(|outcome| row(outcome, |count| count.bytes)))?;
    let probes = reading.datapath.as_ref().map(|datapath| &datapath.stats.probes);
    let probe = |outcome: &Outcome| {
        let count = probes?.get(outcome.label()).copied().unwrap_or_default().0;
        Some(([outcome.label().into()], count.packets))
    };
    writer.counters(&PROBE_PACKETS, Outcome::ALL.iter().filter_map(probe))
}

pub fn interfaces(writer: &mut Writer<'_>, reading: &Reading) -> fmt::Result {
    let attachments = || reading.datapath.iter().flat_map(|datapath| &datapath.status.attachments);
    let infos = attachments().map(|attachment| {
        let Attachment { interface, hook, program, asked, mode, frags, .. } = attachment;
        let asked = asked.as_deref().unwrap_or_default().into();
        let frags = if *frags { "true" } else { "false" };
        ([interface.into(), (*hook).into(), program.into(), asked, mode.into(), frags.into()], Vec::new())
    });
    writer.infos(&PROGRAM, infos)?;
    let attached = attachments().map(|attachment| {
        let Attachment { interface, hook, program, program_id, .. } = attachment;
        ([interface.into(), (*hook).into(), program.into()], u32::from(*program_id != 0))
    });
    writer.gauges(&PROGRAM_ATTACHED, attached)?;
    let interfaces = || reading.datapath.iter().flat_map(|datapath| &datapath.stats.interfaces);
    let lost = interfaces().flat_map(|counted| {
        counted.xdp_losses.iter().map(|(label, frames)| ([counted.interface.as_str().into(), label.into()], *frames))
    });
    writer.counters(&INTERFACE_LOST, lost)?;
    let nic = interfaces().flat_map(|counted| {
        counted.nic.iter().map(|(label, count)| ([counted.interface.as_str().into(), label.into()], *count))
    });
    writer.counters(&INTERFACE_NIC, nic)
}

pub fn tables(writer: &mut Writer<'_>, reading: &Reading) -> fmt::Result {
    let tables = || reading.datapath.iter().flat_map(|datapath| &datapath.status.tables);
    writer.gauges(&TABLE_USED, tables().map(|TableFill { name, used, .. }| ([name.into()], *used)))?;
    writer.gauges(&TABLE_CAPACITY, tables().map(|TableFill { name, capacity, .. }| ([name.into()], *capacity)))
}
