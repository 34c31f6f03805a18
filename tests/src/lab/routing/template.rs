//! Configurations with values to change, as operators find them.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::{Result, ensure};

/// What stands for the markers of a configuration, `<AS>`, by name.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Values(BTreeMap<&'static str, Vec<String>>);

impl Values {
    /// One value.
    pub fn set(self, name: &'static str, value: impl ToString) -> Self {
        self.list(name, [value])
    }

    /// A list: lines with the marker are repeated for each of its values, or left out where there are none.
    pub fn list(mut self, name: &'static str, values: impl IntoIterator<Item = impl ToString>) -> Self {
        self.0.insert(name, values.into_iter().map(|value| value.to_string()).collect());
        self
    }

    /// The configuration with these values.
    ///
    /// # Errors
    ///
    /// All at once: markers that have no value, values that no marker has, and lines with lists of different lengths.
    pub fn fill(&self, what: &str, text: &str) -> Result<String> {
        let mut filled = String::new();
        let mut errors = Vec::new();
        let mut unused: Vec<_> = self.0.keys().copied().collect();
        for (line, number) in text.lines().zip(1..) {
            let names = markers(line);
            unused.retain(|name| !names.contains(name));
            let unknown: Vec<_> = names.iter().filter(|name| !self.0.contains_key(*name)).collect();
            if !unknown.is_empty() {
                errors.extend(unknown.iter().map(|name| format!("line {number}: <{name}> has no value")));
                continue;
            }
            let lists: Vec<_> = names.iter().map(|name| (*name, &self.0[name])).collect();
            // One value goes with a list of any length.
            let count = lists.iter().map(|(_, list)| list.len()).find(|len| *len != 1).unwrap_or(1);
            if lists.iter().any(|(_, list)| list.len() != 1 && list.len() != count) {
                errors.push(format!("line {number}: lists of different lengths in `{}`", line.trim()));
                continue;
            }
            for at in 0..count {
                let one = lists.iter().fold(line.to_owned(), |line, (name, list)| {
                    line.replace(&format!("<{name}>"), list.get(at).unwrap_or(&list[0]))
                });
                let _ = writeln!(filled, "{one}");
            }
        }
        errors.extend(unused.iter().map(|name| format!("<{name}> stands nowhere")));
        ensure!(errors.is_empty(), "{what} cannot be filled in:\n{}", errors.join("\n"));
        Ok(filled)
    }
}

/// Names in angle brackets: capitals, digits and underscores.
fn markers(line: &str) -> Vec<&str> {
    let is_name = |name: &&str| !name.is_empty() && name.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
    line.split('<').skip(1).filter_map(|rest| rest.split_once('>').map(|(name, _)| name)).filter(is_name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_repeat_lines_and_single_values_go_with_them() {
        let values = Values::default().set("AS", 64_500).list("HOST", ["a", "b"]).list("NONE", [""; 0]);
        let filled = values.fill("x", "router <AS>\n host <HOST> as <AS>;\n none <NONE>\nx < 3\n").unwrap();
        assert_eq!(filled, "router 64500\n host a as 64500;\n host b as 64500;\nx < 3\n");
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let values = Values::default().set("OTHER", 1).list("A", [1, 2]).list("B", [1, 2, 3]);
        let error = values.fill("x.conf", "<AS>\n<A> <B>\n").unwrap_err().to_string();
        for part in ["x.conf", "line 1: <AS> has no value", "line 2: lists of different", "<OTHER> stands nowhere"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
