//! Names.

use std::fmt;

use toml::de::DeValue;

use super::{FieldType, text};
use crate::config::findings::Problem;

/// Fewest and most characters of a name.
const NAME_CHARS: std::ops::RangeInclusive<usize> = 2..=128;
/// Longest name of an interface: `IFNAMSIZ` less the final zero.
const INTERFACE_NAME_BYTES_MAX: usize = 15;

/// The name of a VIP, pool, PoP, host, region or instance. It is safe as a file name and as a metric label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name(pub(crate) String);

/// Whether `name` may name something; the error says what to write.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let starts_with_letter = name.starts_with(|first: char| first.is_ascii_alphabetic());
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if starts_with_letter && NAME_CHARS.contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(format!(
        "write {} to {} letters, digits, `_` or `-`, starting with a letter",
        NAME_CHARS.start(),
        NAME_CHARS.end()
    ))
}

impl FieldType for Name {
    fn kind() -> String {
        "name".to_owned()
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        let name = text::<Self>(value)?;
        match check_name(name) {
            Ok(()) => Ok(Self(name.to_owned())),
            Err(help) => Err(Problem::new(format!("`{name}` is not a name"), help)),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kernel name of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct InterfaceName(pub(crate) String);

impl FieldType for InterfaceName {
    fn kind() -> String {
        "interface name".to_owned()
    }

    /// Accepts what the kernel's `dev_valid_name` accepts.
    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        let name = text::<Self>(value)?;
        let forbidden = |c: char| c.is_whitespace() || matches!(c, '/' | ':' | '\0');
        let length = 1..=INTERFACE_NAME_BYTES_MAX;
        if !length.contains(&name.len()) || name == "." || name == ".." || name.contains(forbidden) {
            let what = format!("`{name}` is not an interface name");
            return Err(Problem::new(what, "write a name that `ip link` shows, such as `eth0`"));
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_two_to_128_word_characters_is_accepted() {
        for name in ["ab", "web-1", "A_b", &"x".repeat(128)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        for name in ["", "a", "1a", "-a", "a.b", "a/b", "..", "größe", &"x".repeat(129)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
