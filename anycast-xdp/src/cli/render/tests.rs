//! What the tables look like at 80 columns.

use std::time::Duration;

mod doctor;
pub(super) mod examples;
mod explained;
mod health;
mod probed;
mod services;

use self::examples::{example_stats, example_status, example_vips, later};
use super::{Rates, rates, stats, status, vips};
use crate::view::{Stats, Status};

const WIDTH: Option<u16> = Some(80);

#[test]
fn status_of_a_running_pop_shows_attachments_backends_and_tables() {
    insta::assert_snapshot!(status(&example_status(), WIDTH));
}

#[test]
fn status_without_daemon_says_what_that_means() {
    let stopped = Status {
        daemon_pid: None,
        attachments: Vec::new(),
        icmp: None,
        tables: Vec::new(),
        returns: Vec::new(),
        backends: Vec::new(),
        ..example_status()
    };
    insta::assert_snapshot!(status(&stopped, WIDTH));
}

#[test]
fn vips_wrap_within_80_columns() {
    insta::assert_snapshot!(vips(&example_vips(), WIDTH));
}

#[test]
fn vips_without_terminal_stand_on_one_line_each() {
    assert_eq!(vips(&example_vips(), None).lines().count(), 1 + example_vips().len());
}

#[test]
fn stats_show_packets_bytes_reasons_and_losses() {
    insta::assert_snapshot!(stats(&example_stats(), WIDTH));
}

#[test]
fn no_line_is_longer_than_the_terminal() {
    let rates_of = Rates::between(&example_stats(), &later(), Duration::from_secs(1));
    for text in [
        status(&example_status(), WIDTH),
        vips(&example_vips(), WIDTH),
        stats(&example_stats(), WIDTH),
        rates(&rates_of, WIDTH),
    ] {
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn rates_are_differences_per_second() {
    let rates_of = Rates::between(&example_stats(), &later(), Duration::from_secs(2));
    insta::assert_snapshot!(rates(&rates_of, WIDTH));
}

#[test]
fn rates_in_json_are_exact() {
    let rates_of = Rates::between(&example_stats(), &later(), Duration::from_millis(2001));
    insta::assert_json_snapshot!(rates_of);
}

#[test]
fn counters_that_fell_count_from_zero() {
    let rates_of = Rates::between(&later(), &example_stats(), Duration::from_secs(1));
    assert_eq!(rates_of.vips[0].received.packets, 12_345_678);
}

#[test]
fn vip_that_appeared_counts_from_zero() {
    let earlier = Stats { vips: Vec::new(), ..example_stats() };
    let rates_of = Rates::between(&earlier, &example_stats(), Duration::from_secs(1));
    assert_eq!(rates_of.vips[0].dropped.packets, 7);
}
