//! Reads `[health]` and `[pool.health]`.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use super::{
    findings::{Findings, Problem},
    place::{Located, Place},
    schema::{Field, fields::health as fields},
    table::Table,
    types::{CheckName, FieldType, Integer, Name, Span, article},
};
use crate::desired::{Check, Health, HealthFacts};

/// `[health]`
#[derive(Default)]
pub(super) struct SourcesDraft {
    pub(super) source_ipv4: Option<Located<Ipv4Addr>>,
    pub(super) source_ipv6: Option<Located<Ipv6Addr>>,
    damping_half_life: Option<Duration>,
}

/// The section, or what a file without one means.
pub(super) fn read_sources(section: Option<&Table<'_>>, findings: &mut Findings<'_>) -> SourcesDraft {
    let Some(section) = section else {
        let half_life = HealthFacts::default().damping_half_life;
        return SourcesDraft { damping_half_life: Some(half_life), ..SourcesDraft::default() };
    };
    SourcesDraft {
        source_ipv4: section.read(&fields::host::SOURCE_IPV4, findings),
        source_ipv6: section.read(&fields::host::SOURCE_IPV6, findings),
        damping_half_life: section.read(&fields::host::DAMPING_HALF_LIFE, findings).map(|half_life| half_life.value.0),
    }
}

impl SourcesDraft {
    /// The desired form; `None` only if something was refused.
    pub(super) fn finish(self) -> Option<HealthFacts> {
        Some(HealthFacts {
            source_ipv4: self.source_ipv4.map(|source| source.value),
            source_ipv6: self.source_ipv6.map(|source| source.value),
            damping_half_life: self.damping_half_life?,
        })
    }
}

/// `[pool.health]`
pub(super) struct CheckDraft {
    pub(super) place: Place,
    pub(super) vip: Option<Located<Name>>,
    check: Option<Check>,
    interval: Option<Duration>,
    timeout: Option<Duration>,
    rise: Option<u8>,
    fall: Option<u8>,
    jitter_percent: Option<u8>,
}

/// The check of a pool, if it has one.
pub(super) fn read_check(pool: &Table<'_>, findings: &mut Findings<'_>) -> Option<CheckDraft> {
    use fields::pool as f;

    pool.place_of(&f::SECTION)?;
    let health = pool.section(&f::SECTION, findings)?;
    let interval = health.read(&f::INTERVAL, findings).map(|interval| interval.value.0);
    let timeout = read_timeout(&health, interval, findings);
    let mut times = |field: &Field<Integer<1, 100>>| {
        health.read(field, findings).and_then(|times| u8::try_from(times.value.0).ok())
    };
    let (rise, fall) = (times(&f::RISE), times(&f::FALL));
    let jitter = health.read(&f::JITTER_PERCENT, findings);
    Some(CheckDraft {
        check: read_what(&health, findings),
        vip: health.read(&f::VIP, findings),
        interval,
        timeout,
        rise,
        fall,
        jitter_percent: jitter.and_then(|percent| u8::try_from(percent.value.0).ok()),
        place: health.place,
    })
}

/// At most the interval: one probe of a backend at a time.
fn read_timeout(health: &Table<'_>, interval: Option<Duration>, findings: &mut Findings<'_>) -> Option<Duration> {
    let field = &fields::pool::TIMEOUT;
    match (health.read(field, findings), interval) {
        (Some(Located { value: Span(timeout), place }), Some(interval)) if timeout > interval => {
            let what = format!("{timeout:?} are longer than the interval of {interval:?}");
            findings.refuse(&place, Problem::new(what, "write less, or a longer `interval`"));
            None
        }
        (Some(timeout), _) => Some(timeout.value.0),
        (None, Some(interval)) if !health.has(field) => Some(interval * 4 / 5),
        (None, _) => None,
    }
}

/// What a probe is. Keys of another type are refused, and so is one that the type asks for and that is not there.
fn read_what(health: &Table<'_>, findings: &mut Findings<'_>) -> Option<Check> {
    use fields::pool as f;

    let name = health.read(&f::TYPE, findings);
    let port = health.read(&f::PORT, findings).and_then(|port| u16::try_from(port.value.0).ok());
    let host = health.read(&f::HOST, findings).map(|host| host.value.0);
    let path = health.read(&f::PATH, findings).map(|path| path.value.0);
    let status = health.read(&f::STATUS, findings).map(|status| status.value.0);
    let send = health.read(&f::SEND, findings).map(|send| send.value.0);
    let expect = health.read(&f::EXPECT, findings).map(|expect| expect.value.0);
    let domain = health.read(&f::NAME, findings).map(|name| name.value.0);
    let name = name?.value;

    let (is_http, is_udp, is_dns) =
        (matches!(name, CheckName::Http | CheckName::Https), name == CheckName::Udp, name == CheckName::Dns);
    only_for(health, &f::PORT, name, name != CheckName::Icmp, findings);
    only_for(health, &f::HOST, name, is_http, findings);
    only_for(health, &f::PATH, name, is_http, findings);
    only_for(health, &f::STATUS, name, is_http, findings);
    only_for(health, &f::SEND, name, is_udp, findings);
    only_for(health, &f::EXPECT, name, is_udp, findings);
    only_for(health, &f::NAME, name, is_dns, findings);

    Some(match name {
        CheckName::Icmp => Check::Icmp,
        CheckName::Tcp => Check::Tcp { port: needed(health, &f::PORT, port, name, findings)? },
        CheckName::Http | CheckName::Https => {
            let tls = name == CheckName::Https;
            let port = with_default(health, &f::PORT, port, if tls { 443 } else { 80 })?;
            Check::Http { port, tls, host, path: path?, status: status? }
        }
        CheckName::Udp => {
            let port = needed(health, &f::PORT, port, name, findings);
            let send = needed(health, &f::SEND, send, name, findings);
            Check::Udp { port: port?, send: send?, expect: expect.unwrap_or_default() }
        }
        CheckName::Dns => {
            let port = with_default(health, &f::PORT, port, 53);
            Check::Dns { name: needed(health, &f::NAME, domain, name, findings)?, port: port? }
        }
    })
}

/// Refuses a key that the type of the check has no use for.
fn only_for<T>(health: &Table<'_>, field: &Field<T>, name: CheckName, is_used: bool, findings: &mut Findings<'_>) {
    if let Some(place) = health.place_of_key(field).filter(|_| !is_used) {
        let what = format!("a check of type \"{name}\" has no `{}`", field.spec.key);
        findings.refuse(&place, Problem::new(what, "remove it, or write the `type` that it belongs to"));
    }
}

/// The value of a key that this type asks for; what was given and refused is not told to be missing.
fn needed<T: FieldType, V>(
    health: &Table<'_>,
    field: &Field<T>,
    value: Option<V>,
    name: CheckName,
    findings: &mut Findings<'_>,
) -> Option<V> {
    if !health.has(field) {
        let help = format!("add `{}`, {}: a check of type \"{name}\" needs it", field.spec.key, article(&T::kind()));
        findings.refuse(&health.place.missing(field.spec.key), Problem::new("missing", help));
    }
    value
}

/// The value of a key, or what it is without; `None`: it was refused.
fn with_default<T, V>(health: &Table<'_>, field: &Field<T>, value: Option<V>, absent: V) -> Option<V> {
    if health.has(field) { value } else { Some(absent) }
}

impl CheckDraft {
    /// The desired form; `None` only if something was refused.
    pub(super) fn finish(self) -> Option<Health> {
        Some(Health {
            check: self.check?,
            vip: self.vip.map(|vip| vip.value.0),
            interval: self.interval?,
            timeout: self.timeout?,
            rise: self.rise?,
            fall: self.fall?,
            jitter_percent: self.jitter_percent?,
        })
    }
}
