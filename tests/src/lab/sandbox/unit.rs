//! What a unit file of systemd says.

use std::{fs, path::Path};

use anyhow::{Context, Result};

/// The directives of the `[Service]` section, in order.
#[derive(Clone, Debug)]
pub struct Unit(Vec<(String, String)>);

impl Unit {
    /// Reads `packaging/systemd/NAME`.
    pub fn packaged(name: &str) -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd").join(name);
        Ok(Self::parse(&fs::read_to_string(&path).with_context(|| path.display().to_string())?))
    }

    fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim).skip_while(|line| *line != "[Service]").skip(1);
        let lines = lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.starts_with('#'));
        let directives = lines.filter_map(|line| line.split_once('='));
        Self(directives.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    /// All directives.
    pub fn directives(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The last value of a directive.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.directives().filter(|(found, _)| *found == key).map(|(_, value)| value).last()
    }

    /// Words of a list, as `setpriv` takes capabilities: `-all,+bpf,+net_raw`.
    pub fn capabilities(&self, key: &str) -> String {
        let words = self.value(key).unwrap_or_default().split_whitespace();
        let names = words.map(|word| format!(",+{}", word.trim_start_matches("CAP_").to_ascii_lowercase()));
        format!("-all{}", names.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_service_section_is_read_and_the_last_value_counts() {
        let unit = Unit::parse("[Unit]\nA=0\n[Service]\n# A=1\nA=2\nA=3\nB=CAP_BPF CAP_NET_RAW\n\n[Install]\nA=4\n");
        assert_eq!(unit.directives().count(), 3);
        assert_eq!((unit.value("A"), unit.value("C")), (Some("3"), None));
        assert_eq!(unit.capabilities("B"), "-all,+bpf,+net_raw");
        assert_eq!(unit.capabilities("C"), "-all");
    }
}
