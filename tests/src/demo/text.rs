//! What the demo prints.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::world::{Fetch, POPS, VIPS, World};
use crate::lab::daemon::{Stats, daemon_binary};

/// The fetches, times in milliseconds.
pub(super) fn fetches(out: &mut impl Write, fetches: &[Fetch]) -> io::Result<()> {
    writeln!(out, "\nOne service in one home region, fetched at two PoPs (curl, milliseconds):\n")?;
    let mut table = table(&["client at", "URL", "status", "time_connect", "time_starttransfer", "time_total"], 2);
    for fetch in fetches {
        let host = if fetch.vip.is_ipv6() { format!("[{}]", fetch.vip) } else { fetch.vip.to_string() };
        let times = [fetch.transfer.time_connect, fetch.transfer.time_starttransfer, fetch.transfer.time_total];
        let mut row = vec![fetch.client_at.to_owned(), format!("http://{host}/"), fetch.transfer.http_code.to_string()];
        row.extend(times.map(|secs| format!("{:.2}", secs * 1000.0)));
        table.add_row(row);
    }
    writeln!(out, "{table}")
}

/// The per-VIP counters of each PoP.
pub(super) fn counters(out: &mut impl Write, stats: &[Stats]) -> io::Result<()> {
    writeln!(out, "\nWhat each PoP counted, toward the home region and back (nothing goes past it):\n")?;
    let mut table = table(&["PoP", "VIP", "received", "forwarded", "bytes", "dropped", "returned", "bytes"], 2);
    for (pop, stats) in POPS.iter().zip(stats) {
        for (name, _) in VIPS {
            let bytes = stats.vip(name)["forwarded"]["bytes"].to_string();
            let packets = |class| stats.vip_packets(name, class).to_string();
            let (back, back_bytes) = (stats.vip_returned_packets(name), stats.vip_returned_bytes(name));
            let (back, back_bytes) = (back.to_string(), back_bytes.to_string());
            let row = [packets("received"), packets("forwarded"), bytes, packets("dropped"), back, back_bytes];
            table.add_row([(*pop).to_owned(), name.to_owned()].into_iter().chain(row));
        }
    }
    writeln!(out, "{table}")
}

/// Commands for the curious.
pub(super) fn what_to_try(out: &mut impl Write, world: &World) -> io::Result<()> {
    let site = &world.lab.sites[0];
    let [client, pop] =
        [&site.client, &*site.pop].map(|namespace| format!("nsenter --net=/run/netns/{}", namespace.name()));
    let daemon = daemon_binary();
    let (daemon, instance) = (daemon.display(), world.pops[0].instance());
    let (_, vip) = VIPS[0];
    writeln!(
        out,
        "\nTo try next, while it is up (`cargo xtask demo --keep`, and `cargo xtask demo down` to end it):\n"
    )?;
    for (command, what) in [
        (format!("{client} curl -s http://{vip}/"), "fetch as the client at beijing"),
        (format!("{client} ping -c 3 {vip}"), "ICMP takes the same way"),
        (format!("{pop} {daemon} stats --watch --instance {instance}"), "its packets, as the PoP counts them"),
        (format!("{pop} {daemon} status --instance {instance}"), "what is attached, and where packets go"),
        (format!("kill -9 {}", world.pops[0].pid().unwrap_or_default()), "the daemon; fetch again: forwarding goes on"),
    ] {
        writeln!(out, "  # {what}\n  {command}")?;
    }
    writeln!(out)
}

/// A table whose columns from `numbers_from` on are numbers.
pub(super) fn table(header: &[&str], numbers_from: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    for column in table.column_iter_mut().skip(numbers_from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
