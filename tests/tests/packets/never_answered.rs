//! A PoP whose rates are 0: what is over the rate is dropped, and counted by what it is.

use anycast_common::outcome::Outcome::{EchoLimited, EchoPolicy, TtlExpired};

use crate::fixture::{Row, pop, to, world::vip};

pub fn rows() -> Vec<Row> {
    let families = [
        ("IPv4", vip::ANSWERED_V4, vip::SILENT_V4, vip::WHOLE_V4_BY_V4),
        ("IPv6", vip::ANSWERED_V6, vip::SILENT_V6, vip::WHOLE_V6_BY_V6),
    ];
    let of_family = |(family, answered, silent, whole)| {
        [
            pop(format!("{family}: an echo request over the rate is dropped"), to(answered).icmp_echo(1, 2))
                .dropped(answered, EchoLimited),
            pop(format!("{family}: a policy is told before the rate"), to(silent).icmp_echo(1, 2))
                .dropped(silent, EchoPolicy),
            pop(format!("{family}: a last hop over the rate of errors drops silently"), to(whole).ttl(1).udp(1, 2))
                .dropped(whole, TtlExpired),
        ]
    };
    families.into_iter().flat_map(of_family).collect()
}
