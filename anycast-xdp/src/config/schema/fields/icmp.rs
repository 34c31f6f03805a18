//! `[icmp]`

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::config::{
    schema::{Field, Roles, Section},
    types::Integer,
};

pub(crate) const SOURCE_IPV4: Field<Ipv4Addr> = Field::optional(
    "source_ipv4",
    "first global IPv4 address of the first access interface",
    "An address of this host: `traceroute` shows it, because Time Exceeded comes from it. Without any, none is sent.",
);
pub(crate) const SOURCE_IPV6: Field<Ipv6Addr> =
    Field::optional("source_ipv6", "first global IPv6 address of the first access interface", "The same for IPv6.");
pub(crate) const ECHO_RATE_PPS: Field<Integer<0, 1_000_000>> = Field::default(
    "echo_rate_pps",
    "1000",
    "Echo replies per second over all VIPs with `icmp_echo = \"answer\"`. Requests beyond it are dropped and counted as `echo_limited`; 0 answers none.",
);
pub(crate) const ERROR_RATE_PPS: Field<Integer<0, 1_000_000>> = Field::default(
    "error_rate_pps",
    "1000",
    "ICMP errors per second, Time Exceeded and Packet Too Big (Fragmentation Needed) together. Beyond it packets are dropped silently and counted as `ttl_expired` and `too_big`; 0 sends none, and with a small backbone MTU path-MTU discovery then fails.",
);
pub(crate) const SECTION: Section = Section {
    key: "icmp",
    header: "[icmp]",
    roles: Roles::Pop,
    required: false,
    description: "What this PoP answers by itself.",
    fields: &[SOURCE_IPV4.spec, SOURCE_IPV6.spec, ECHO_RATE_PPS.spec, ERROR_RATE_PPS.spec],
    sections: &[],
    name_key: "name",
};
