//! Which address belongs to which PoP, as whoever asks knows it.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::IpAddr,
    str::FromStr,
};

/// One address of a PoP: `hongkong=203.0.113.1`, what its `[icmp] source_ipv4` or `source_ipv6` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PopAddress {
    /// The PoP, or a host of it.
    pub name: String,
    /// What it answers from.
    pub address: IpAddr,
}

impl FromStr for PopAddress {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        let parts = written.split_once('=').and_then(|(name, address)| {
            Some(Self { name: name.trim().to_owned(), address: address.trim().parse().ok()? })
        });
        parts
            .filter(|parts| !parts.name.is_empty())
            .ok_or_else(|| format!("`{written}` is no PoP with an address\n  help: write it like hongkong=203.0.113.1"))
    }
}

/// Names of PoPs by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pops(BTreeMap<IpAddr, String>);

impl Pops {
    /// The PoP that has this address.
    pub fn name(&self, address: IpAddr) -> Option<&str> {
        self.0.get(&address).map(String::as_str)
    }

    /// Is there any?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an address.
    ///
    /// # Errors
    ///
    /// Another PoP has it.
    pub fn add(&mut self, pop: PopAddress) -> Result<(), String> {
        let PopAddress { name, address } = pop;
        match self.0.entry(address) {
            Entry::Occupied(known) if *known.get() != name => {
                Err(format!("{address} is an address of `{}` and of `{name}`\n  help: leave one out", known.get()))
            }
            Entry::Occupied(_) => Ok(()),
            Entry::Vacant(free) => {
                free.insert(name);
                Ok(())
            }
        }
    }

    /// Adds the addresses of a file: one `NAME=ADDRESS` a line, empty lines, and comments from `#` on.
    ///
    /// # Errors
    ///
    /// All lines that are none, with their numbers.
    pub fn add_file(&mut self, file: &str, text: &str) -> Result<(), Vec<String>> {
        let mut errors = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            if let Err(error) = line.parse().and_then(|pop| self.add(pop)) {
                errors.push(format!("{file}:{number}: {error}"));
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_has_a_pop_a_line() {
        let mut pops = Pops::default();
        let text =
            "# our PoPs\n\nhongkong=203.0.113.1\n hongkong = 2001:db8::1 # the other family\nparis=203.0.113.2\n";
        pops.add_file("pops", text).unwrap();
        assert_eq!(pops.name("2001:db8::1".parse().unwrap()), Some("hongkong"));
        assert_eq!(pops.name("203.0.113.2".parse().unwrap()), Some("paris"));
        assert_eq!(pops.name("203.0.113.3".parse().unwrap()), None);
    }

    #[test]
    fn all_wrong_lines_are_told() {
        let mut pops = Pops::default();
        let text = "hongkong 203.0.113.1\nparis=203.0.113.2\n=203.0.113.3\nlyon=203.0.113.2\n";
        insta::assert_snapshot!(pops.add_file("pops", text).unwrap_err().join("\n"));
    }
}
