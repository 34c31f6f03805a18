//! What probes send, and what has to come back.

use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::{FieldType, text};
use crate::config::findings::Problem;

/// Most bytes of a payload: with any header it fits into the least MTU that IPv6 asks for.
const PAYLOAD_BYTES_MAX: usize = 1024;

/// Bytes, as text with `\xNN` for those that are none, or as `hex:` and digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payload(pub(crate) Vec<u8>);

impl FieldType for Payload {
    fn kind() -> String {
        format!("text with `\\xNN` for other bytes, or `hex:` and digits, at most {PAYLOAD_BYTES_MAX} bytes")
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        let written = text::<Self>(value)?;
        let (bytes, help) = match written.strip_prefix("hex:") {
            Some(digits) => (from_hex(digits), "write two hex digits a byte behind `hex:`, such as \"hex:00ff\""),
            None => (
                unescaped(written),
                "write `\\xNN` for other bytes and `\\\\` for a backslash, in single quotes or doubled",
            ),
        };
        match bytes {
            Some(bytes) if bytes.len() <= PAYLOAD_BYTES_MAX => Ok(Self(bytes)),
            Some(bytes) => {
                let what = format!("{} bytes are more than {PAYLOAD_BYTES_MAX}", bytes.len());
                Err(Problem::new(what, "write fewer: a probe is one packet"))
            }
            None => Err(Problem::new(format!("`{written}` does not say which bytes"), help)),
        }
    }
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = digits.chars().map(|c| Some(c.to_digit(16)? as u8)).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
}

fn unescaped(written: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(written.len());
    let mut parts = written.split('\\');
    bytes.extend(parts.next().unwrap_or_default().bytes());
    while let Some(part) = parts.next() {
        if let Some(rest) = part.strip_prefix('x') {
            bytes.extend(from_hex(rest.get(..2)?)?);
            bytes.extend(rest.get(2..)?.bytes());
        } else if part.is_empty() {
            // A second backslash, and what stands behind it.
            bytes.push(b'\\');
            bytes.extend(parts.next()?.bytes());
        } else {
            return None;
        }
    }
    Some(bytes)
}

/// Statuses of HTTP, one or a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statuses(pub(crate) RangeInclusive<u16>);

impl FieldType for Statuses {
    fn kind() -> String {
        "HTTP status, or a range of them".to_owned()
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        let written = text::<Self>(value)?;
        let (first, last) = written.split_once('-').unwrap_or((written, written));
        let status = |digits: &str| {
            let status = digits.parse().ok().filter(|status| (100..=599).contains(status));
            status.filter(|_| digits.len() == 3)
        };
        match (status(first), status(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self(first..=last)),
            _ => {
                let what = format!("`{written}` is no status or range of statuses");
                Err(Problem::new(what, "write it like \"200\" or \"200-399\", from 100 to 599"))
            }
        }
    }
}

/// Path and query of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestPath(pub(crate) String);

impl FieldType for RequestPath {
    fn kind() -> String {
        "path of a request".to_owned()
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        let written = text::<Self>(value)?;
        let is_plain =
            |c: char| c.is_ascii_graphic() && !matches!(c, '#' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}');
        if !written.starts_with('/') || !written.chars().all(is_plain) {
            let what = format!("`{written}` is no path of a request");
            return Err(Problem::new(what, "begin with `/`, and write other characters as %NN: \"/health?full=1\""));
        }
        Ok(Self(written.to_owned()))
    }
}

/// A name as DNS has it: labels of letters, digits, `-` and `_` (RFC 1035 section 2.3.1; `_` is in use all the same).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DomainName(pub(crate) String);

impl FieldType for DomainName {
    fn kind() -> String {
        "domain name".to_owned()
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        let written = text::<Self>(value)?;
        let name = written.strip_suffix('.').unwrap_or(written);
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let is_label = |label: &str| !label.is_empty() && label.len() <= 63 && label.chars().all(allowed);
        if name.len() > 253 || !name.split('.').all(is_label) {
            let what = format!("`{written}` is no domain name");
            return Err(Problem::new(what, "write it like \"health.example.com\""));
        }
        Ok(Self(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: FieldType>(written: &str) -> Option<T> {
        T::from_value(&DeValue::String(written.into())).ok()
    }

    #[test]
    fn payload_is_text_escapes_or_hex() {
        for (written, bytes) in [
            ("", &b""[..]),
            ("ping\r\n", b"ping\r\n"),
            (r"\x00\xffA", b"\x00\xffA"),
            (r"a\\x41", br"a\x41"),
            (r"\\", br"\"),
            (r"\\\\", br"\\"),
            ("hex:", b""),
            ("hex:00fF10", b"\x00\xff\x10"),
            ("\u{e9}", "\u{e9}".as_bytes()),
        ] {
            assert_eq!(read(written), Some(Payload(bytes.to_vec())), "{written}");
        }
        for written in [r"\", r"a\n", r"\x0", r"\xg0", "hex:0", "hex:0g", "hex:\u{e9}", r"\x\u{e9}"] {
            assert_eq!(read::<Payload>(written), None, "{written}");
        }
        assert!(read::<Payload>(&"x".repeat(PAYLOAD_BYTES_MAX)).is_some());
        assert!(read::<Payload>(&"x".repeat(PAYLOAD_BYTES_MAX + 1)).is_none());
    }

    #[test]
    fn statuses_are_one_or_a_range() {
        assert_eq!(read("204"), Some(Statuses(204..=204)));
        assert_eq!(read("200-399"), Some(Statuses(200..=399)));
        for written in ["", "2xx", "399-200", "99", "600", "200-", "-200", "+200", "0200"] {
            assert_eq!(read::<Statuses>(written), None, "{written}");
        }
    }

    #[test]
    fn paths_and_names_cannot_break_a_request() {
        assert_eq!(read("/"), Some(RequestPath("/".to_owned())));
        assert_eq!(read("/a?b=%20"), Some(RequestPath("/a?b=%20".to_owned())));
        for written in ["", "a", "/a b", "/\r\nX: y", "/\u{e9}", "/#a"] {
            assert_eq!(read::<RequestPath>(written), None, "{written}");
        }
        assert_eq!(read("_a.example.com."), Some(DomainName("_a.example.com".to_owned())));
        for written in ["", ".", "a..b", "a b", "a/b", &"a".repeat(64), "a.\r\n"] {
            assert_eq!(read::<DomainName>(written), None, "{written}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = (read::<Payload>(&text), read::<Statuses>(&text), read::<RequestPath>(&text), read::<DomainName>(&text));
        }
    }
}
