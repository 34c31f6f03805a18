//! Reads listeners in their notation: `tcp/80`, `udp/5000-5100`, `sctp`, `icmp`, `47`.

use anycast_common::{listen::port_table_slot, listeners::PROTOCOL_NAMES};
use toml::de::DeValue;

use super::{
    findings::Problem,
    schema::nearest,
    types::{FieldType, text},
};
use crate::desired::Listener;

impl FieldType for Listener {
    fn kind() -> String {
        "listener".to_owned()
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        parse(text::<Self>(value)?)
    }
}

/// Reads one listener.
pub(crate) fn parse(written: &str) -> Result<Listener, Problem> {
    let (name, ports) = match written.split_once('/') {
        Some((name, ports)) => (name, Some(ports)),
        None => (written, None),
    };
    let protocol = parse_protocol(name)?;
    let Some(ports) = ports else {
        return Ok(Listener { protocol, ports: None });
    };
    if port_table_slot(protocol).is_none() {
        let what = format!("`{written}` gives ports of a protocol that has none");
        return Err(Problem::new(what, format!("write \"{name}\"; only tcp, udp and sctp have ports")));
    }
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (Some(first), Some(last)) = (parse_port(first), parse_port(last)) else {
        let what = format!("`{ports}` is neither a port nor a range of ports");
        return Err(Problem::new(what, "write a port from 1 to 65535, or two with a `-` between"));
    };
    if first > last {
        let what = format!("the range `{ports}` runs backwards");
        return Err(Problem::new(what, format!("write \"{name}/{last}-{first}\"")));
    }
    Ok(Listener { protocol, ports: Some((first, last)) })
}

/// The number of a protocol that is named or numbered.
pub(crate) fn parse_protocol(name: &str) -> Result<u8, Problem> {
    if let Some((_, number)) = PROTOCOL_NAMES.iter().find(|(known, _)| *known == name) {
        return Ok(*number);
    }
    if let Some(number) = digits(name) {
        return u8::try_from(number).map_err(|_| {
            Problem::new(format!("protocol number {name} is out of range"), "write a number from 0 to 255")
        });
    }
    let names: Vec<&str> = PROTOCOL_NAMES.iter().map(|(name, _)| *name).collect();
    let help = match nearest(name, names.iter().copied()) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("write {}, or a protocol number from 0 to 255", names.join(", ")),
    };
    Err(Problem::new(format!("`{name}` is no protocol known here"), help))
}

fn parse_port(written: &str) -> Option<u16> {
    u16::try_from(digits(written)?).ok().filter(|port| *port != 0)
}

/// A number of digits only: unlike `parse`, which takes `+80`.
fn digits(written: &str) -> Option<u32> {
    let all_digits = !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_digit());
    // More digits than a u32 has are out of every range here.
    all_digits.then(|| written.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use anycast_common::header::protocol;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_notation_means_its_protocol_and_ports() {
        let table = [
            ("tcp/80", protocol::TCP, Some((80, 80))),
            ("udp/5000-5100", protocol::UDP, Some((5000, 5100))),
            ("6/80", protocol::TCP, Some((80, 80))),
            ("sctp", protocol::SCTP, None),
            ("icmp", protocol::ICMP, None),
            ("esp", 50, None),
            ("47", 47, None),
            ("253", 253, None),
        ];
        for (written, protocol, ports) in table {
            assert_eq!(parse(written), Ok(Listener { protocol, ports }), "{written}");
        }
    }

    #[test]
    fn other_notations_are_refused() {
        for written in [
            "",
            "/",
            "tcp/",
            "tcp/0",
            "tcp/65536",
            "tcp/+80",
            "tcp/90-80",
            "icmp/8",
            "47/1",
            "256",
            "TCP",
            "tcp/1-2-3",
            "tpc",
            "99999999999",
        ] {
            assert!(parse(written).is_err(), "{written}");
        }
    }

    proptest! {
        #[test]
        fn notation_of_a_listener_reads_back_as_it(protocol in any::<u8>(), a in 1u16.., b in 1u16.., with_ports: bool) {
            let ports = (with_ports && port_table_slot(protocol).is_some()).then_some((a.min(b), a.max(b)));
            let listener = Listener { protocol, ports };
            prop_assert_eq!(parse(&listener.to_string()), Ok(listener));
        }
    }
}
