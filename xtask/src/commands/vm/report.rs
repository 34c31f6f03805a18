//! What a virtual machine said, read.

use crate::counts::Counts;

/// Begin the lines between which a test program speaks: `@@ begin packets 1.25`, `@@ end packets 7.50 0`.
const BEGIN: &str = "@@ begin ";
const END: &str = "@@ end ";

/// One test program in one virtual machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Name of the program.
    pub program: String,
    /// Its tests. A program that did not end, or ended badly without saying why, has failed.
    pub counts: Counts,
    /// How long it took; `None` if it did not end.
    pub took_secs: Option<f64>,
}

/// Reads what was said about each of the programs. Skipped tests get the name of the kernel before theirs: what may be
/// skipped on any host may not be skipped in a machine that is made for it.
pub fn runs(series: &str, programs: &[&str], lines: &[String]) -> Vec<Run> {
    programs.iter().map(|program| run(series, program, lines)).collect()
}

fn run(series: &str, program: &str, lines: &[String]) -> Run {
    let begin = marker(lines, BEGIN, program);
    let end = marker(lines, END, program);
    let said = begin.as_ref().map_or(&[][..], |(first, _)| {
        let last = end.as_ref().map_or(lines.len(), |(last, _)| *last);
        lines.get(first + 1..last).unwrap_or_default()
    });
    let mut counts = Counts::of(said);
    let is_good = end.as_ref().is_some_and(|(_, words)| words.get(1).is_some_and(|status| *status == "0"));
    if !is_good && counts.failed == 0 {
        counts.fail(program, if end.is_some() { "ended badly without a summary" } else { "did not end" });
    }
    for failure in &mut counts.failures {
        failure.name = format!("{series} {}", failure.name);
    }
    for skip in &mut counts.skipped {
        skip.name = format!("{series} {}", skip.name);
    }
    let time = |marker: &Option<(usize, Vec<&str>)>| marker.as_ref()?.1.first()?.parse::<f64>().ok();
    let took_secs = time(&end).zip(time(&begin)).map(|(end, begin)| end - begin);
    Run { program: program.to_owned(), counts, took_secs }
}

/// The line of a marker, and the words behind the name of the program.
fn marker<'a>(lines: &'a [String], kind: &str, program: &str) -> Option<(usize, Vec<&'a str>)> {
    let words = |line: &'a String| {
        let mut words = line.strip_prefix(kind)?.split_whitespace();
        (words.next()? == program).then(|| words.collect())
    };
    lines.iter().enumerate().find_map(|(number, line)| Some((number, words(line)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    const PASSED: &str = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.0s";

    #[test]
    fn programs_are_counted_each_for_itself() {
        let text = format!(
            "cannot load x\n@@ begin a 1.00\n{PASSED}\n\n@@ end a 2.50 0\n@@ begin b 2.50\n\
             SKIPPED tunnel: no such device\n{PASSED}\n\n@@ end b 3.00 0\n"
        );
        let runs = runs("6.1", &["a", "b"], &lines(&text));
        assert_eq!(runs[0].counts.to_string(), "3 passed, 0 failed, 0 skipped");
        assert_eq!(runs[0].took_secs, Some(1.5));
        assert_eq!(runs[1].counts.to_string(), "2 passed, 0 failed, 1 skipped");
        assert_eq!(runs[1].counts.skipped[0].name, "6.1 tunnel");
    }

    #[test]
    fn program_that_did_not_end_has_failed_and_so_have_those_after_it() {
        let runs = runs("6.1", &["a", "b"], &lines("@@ begin a 1.00\ntest x ... "));
        assert_eq!(runs.iter().map(|run| run.counts.failed).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(runs[0].took_secs, None);
    }

    #[test]
    fn program_that_ends_badly_has_failed_once() {
        let crashed = runs("6.1", &["a"], &lines("@@ begin a 1.00\n@@ end a 2.00 139"));
        assert_eq!(crashed[0].counts.failed, 1);
        let failed = PASSED.replace("0 failed", "2 failed");
        let failed = runs("6.1", &["a"], &lines(&format!("@@ begin a 1.00\n{failed}\n@@ end a 2.00 101")));
        assert_eq!(failed[0].counts.failed, 2);
    }
}
