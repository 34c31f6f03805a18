//! What became of an inner packet: the fields of it that are not as they were.

use serde::Serialize;

use super::headers::hex;

/// A field that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Name, or `byte N` of the IP packet.
    pub field: String,
    /// What it was.
    pub before: String,
    /// What it is.
    pub after: String,
}

/// Fields of an IP header: first byte, length, name, and whether it is a number for people.
type Field = (usize, usize, &'static str, bool);

const IPV4: &[Field] = &[(1, 1, "DSCP and ECN", false), (8, 1, "TTL", true), (10, 2, "header checksum", false)];
const IPV6: &[Field] = &[(0, 2, "traffic class", false), (7, 1, "hop limit", true)];

/// The differences of two IP packets, and of their lengths.
pub fn between(before: &[u8], after: &[u8]) -> Vec<Change> {
    let fields = if before.first().is_some_and(|first| first >> 4 == 6) { IPV6 } else { IPV4 };
    let common = before.len().min(after.len());
    let mut changes = Vec::new();
    let mut at = 0;
    while at < common {
        let known = fields.iter().find(|(start, length, ..)| (*start..start + length).contains(&at));
        let (start, end) = known.map_or((at, at + 1), |(start, length, ..)| (*start, (start + length).min(common)));
        if before[start..end] != after[start..end] {
            let value = |bytes: &[u8]| match known {
                Some((_, 1, _, true)) => bytes[0].to_string(),
                _ => format!("0x{}", hex(bytes)),
            };
            let field = known.map_or_else(|| format!("byte {start}"), |(_, _, name, _)| (*name).to_owned());
            changes.push(Change { field, before: value(&before[start..end]), after: value(&after[start..end]) });
        }
        at = end;
    }
    if before.len() != after.len() {
        let bytes = |packet: &[u8]| format!("{} bytes", packet.len());
        changes.push(Change { field: "length".to_owned(), before: bytes(before), after: bytes(after) });
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &[u8], after: &[u8]) -> Vec<String> {
        between(before, after)
            .into_iter()
            .map(|change| format!("{} {} {}", change.field, change.before, change.after))
            .collect()
    }

    #[test]
    fn changed_fields_are_told_once_and_by_name() {
        let before = [0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0x12, 0x34, 1, 2, 3, 4];
        let mut after = before;
        after[8] = 63;
        after[10] = 0x13;
        after[14] = 9;
        assert_eq!(told(&before, &after), ["TTL 64 63", "header checksum 0x1234 0x1334", "byte 14 0x03 0x09"]);
        assert_eq!(told(&before, &before), [""; 0]);
    }

    #[test]
    fn hop_limit_and_length_of_ipv6_are_told() {
        let before = [0x60, 0, 0, 0, 0, 0, 6, 2, 9, 9];
        let after = [0x60, 0x30, 0, 0, 0, 0, 6, 1, 9];
        let wanted = ["traffic class 0x6000 0x6030", "hop limit 2 1", "length 10 bytes 9 bytes"];
        assert_eq!(told(&before, &after), wanted);
    }
}
