//! What test programs print, counted.

mod failures;

use std::{fmt, fs, path::PathBuf};

use anyhow::{Context as _, Result};
use xtask::project;

pub use self::failures::Failure;

/// Passed and failed tests, and the skipped ones with their reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tests that ran and passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Those of the failed ones whose names are known.
    pub failures: Vec<Failure>,
    /// Tests that did not run.
    pub skipped: Vec<Skip>,
}

/// A test that did not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// Name of the test.
    pub name: String,
    /// Why.
    pub reason: String,
}

impl Counts {
    /// Reads the output of one libtest program, or of several under cargo.
    ///
    /// A test that finds out by itself that it cannot run prints `SKIPPED <name>: <reason>` and returns, so libtest
    /// counts it as passed. A test marked `#[ignore]` is skipped, too.
    pub fn of(lines: &[String]) -> Self {
        let mut counts = Self { failures: failures::failures(lines), ..Self::default() };
        let mut counted_as_passed = 0;
        for line in lines {
            if let Some(result) = line.strip_prefix("test result: ") {
                counts.passed += number_before(result, " passed");
                counts.failed += number_before(result, " failed");
            } else if let Some(skip) = skip(line) {
                counted_as_passed += 1;
                counts.skipped.push(skip);
            } else if let Some(skip) = ignored(line) {
                counts.skipped.push(skip);
            }
        }
        counts.passed = counts.passed.saturating_sub(counted_as_passed);
        counts
    }

    /// Adds what failed without a test that says so.
    pub fn fail(&mut self, name: &str, cause: impl fmt::Display) {
        self.failed += 1;
        self.failures.push(Failure { name: name.to_owned(), cause: cause.to_string() });
    }

    /// Adds the counts of another program.
    pub fn add(&mut self, mut other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.append(&mut other.failures);
        self.skipped.append(&mut other.skipped);
    }

    /// The skipped tests that `tests/skips.allowed` does not name.
    pub fn forbidden_skips(&self) -> Result<Vec<&Skip>> {
        let allowed = allowed_skips()?;
        Ok(self.skipped.iter().filter(|skip| !allowed.contains(&skip.name)).collect())
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped.len())
    }
}

/// The number before `unit` in `ok. 5 passed; 0 failed; …`.
fn number_before(result: &str, unit: &str) -> u64 {
    let before = result.split(unit).next().unwrap_or_default();
    before.rsplit([' ', ';']).next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// `SKIPPED <name>: <reason>`, also behind libtest's unfinished `test <name> ... `.
fn skip(line: &str) -> Option<Skip> {
    let (before, rest) = line.split_once("SKIPPED ")?;
    if !before.is_empty() && !before.ends_with(' ') {
        return None;
    }
    let (name, reason) = rest.split_once(": ")?;
    Some(Skip { name: name.trim().to_owned(), reason: reason.trim().to_owned() })
}

/// `test <name> ... ignored`, `test <name> ... ignored, <reason>`.
fn ignored(line: &str) -> Option<Skip> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... ignored")?;
    let reason = rest.strip_prefix(", ").unwrap_or("marked #[ignore]");
    Some(Skip { name: name.to_owned(), reason: reason.to_owned() })
}

fn allowed_skips() -> Result<Vec<String>> {
    let path: PathBuf = project::root().join("tests/skips.allowed");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(names(&text))
}

fn names(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split(": ").next().unwrap_or(line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(text: &str) -> Counts {
        Counts::of(&text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn summaries_of_several_programs_add_up() {
        let text = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.00s\n\
                    test result: FAILED. 12 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s";
        let counts = counts(text);
        assert_eq!((counts.passed, counts.failed), (17, 2));
    }

    #[test]
    fn test_that_skips_itself_is_not_passed() {
        let text = "test live_frames ... SKIPPED live_frames: kernel older than 5.18\nok\n\
                    test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        // The line that skips comes before the summary in stdout, and after it when it was printed to stderr.
        for text in [text.to_owned(), text.lines().rev().collect::<Vec<_>>().join("\n")] {
            let counts = counts(&text);
            let skip = Skip { name: "live_frames".to_owned(), reason: "kernel older than 5.18".to_owned() };
            assert_eq!(counts.skipped, [skip]);
            assert_eq!(counts.to_string(), "2 passed, 0 failed, 1 skipped");
        }
    }

    #[test]
    fn ignored_test_is_skipped_with_its_reason() {
        let counts = counts("test torn_reads ... ignored, takes a minute\ntest other ... ignored");
        assert_eq!(counts.skipped[0].reason, "takes a minute");
        assert_eq!(counts.skipped[1].name, "other");
    }

    #[test]
    fn other_output_counts_nothing() {
        assert_eq!(
            counts("running 3 tests\nNOTSKIPPED a: b\nSKIPPED without reason\ntest a ... ok"),
            Counts::default()
        );
    }

    #[test]
    fn allowed_names_end_at_the_reason() {
        assert_eq!(names("# why\n\nlive_frames: kernel\nmod::other\n"), ["live_frames", "mod::other"]);
    }
}
