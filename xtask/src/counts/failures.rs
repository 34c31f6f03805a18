//! Which tests failed, and what they said.

use std::{collections::BTreeMap, fmt};

/// A test that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Name of the test, or of the program that ended without a summary.
    pub name: String,
    /// Where it panicked and the first line of why; empty where the output does not tell.
    pub cause: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, cause } = self;
        if cause.is_empty() { f.write_str(name) } else { write!(f, "{name}: {cause}") }
    }
}

/// The failures in the output of one libtest program, or of several under cargo.
pub fn failures(lines: &[String]) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut names = Vec::new();
    let mut causes = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some((thread, place)) = panicked(line) {
            let why = lines.get(at + 1).map_or("", String::as_str);
            causes.insert(thread, format!("{place} {why}"));
        } else if line == "failures:" {
            // Libtest lists them twice, first with what they printed.
            names.clear();
        } else if let Some(name) = line.strip_prefix("    ") {
            names.push(name);
        } else if line.starts_with("test result: ") {
            let names = if line.starts_with("test result: FAILED") { std::mem::take(&mut names) } else { Vec::new() };
            failures.extend(
                names
                    .into_iter()
                    .map(|name| Failure { name: name.to_owned(), cause: causes.remove(name).unwrap_or_default() }),
            );
        }
    }
    failures
}

/// `thread '<test>' (<id>) panicked at <file>:<line>:<column>:`, also behind libtest's unfinished `test <name> ... `. Older
/// compilers print no id.
fn panicked(line: &str) -> Option<(&str, &str)> {
    let (_, thread) = line.split_once("thread '")?;
    let (name, rest) = thread.split_once('\'')?;
    let (_, place) = rest.split_once(" panicked at ")?;
    Some((name, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        failures(&lines).iter().map(Failure::to_string).collect()
    }

    #[test]
    fn failures_are_told_with_place_and_first_line() {
        let text = "test bad ... thread 'bad' (27) panicked at tests/a.rs:84:9:\n2 segments were lost\nstack backtrace:\n   0: begin\n\
                    FAILED\ntest good ... ok\n\nfailures:\n\nfailures:\n    bad\n\ntest result: FAILED. 1 passed; 1 failed;";
        assert_eq!(of(text), ["bad: tests/a.rs:84:9: 2 segments were lost"]);
    }

    #[test]
    fn captured_output_and_lists_of_good_tests_name_nobody() {
        let text = "test a::bad ... FAILED\n\nsuccesses:\n\n---- good stdout ----\n    $ sh\n\nsuccesses:\n    good\n\nfailures:\n\n\
                    ---- a::bad stdout ----\n    printed\n\nthread 'a::bad' panicked at src/a.rs:1:2:\nwhy\n\nfailures:\n    a::bad\n    a::mute\n\n\
                    test result: FAILED. 1 passed; 2 failed;\nsuccesses:\n    other\n\ntest result: ok. 1 passed; 0 failed;";
        assert_eq!(of(text), ["a::bad: src/a.rs:1:2: why", "a::mute"]);
    }

    #[test]
    fn expected_panics_are_no_failures() {
        let text = "thread 'panics' (3) panicked at src/a.rs:1:2:\nas it should\ntest panics - should panic ... ok\n\
                    test result: ok. 1 passed; 0 failed;";
        assert_eq!(of(text), Vec::<String>::new());
    }
}
