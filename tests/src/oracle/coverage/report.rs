//! What was reached, by file and line.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::lines::Line;

/// All files.
#[derive(Clone, Debug, Serialize)]
pub struct Coverage {
    /// Instructions of the programs, those of the standard library and of aya included.
    pub instructions: usize,
    /// How many of them ran.
    pub instructions_reached: usize,
    /// Lines of our sources that instructions were made from.
    pub lines: usize,
    /// How many of them were reached.
    pub lines_reached: usize,
    /// By file.
    pub files: Vec<FileCoverage>,
}

/// One file.
#[derive(Clone, Debug, Serialize)]
pub struct FileCoverage {
    /// Path below the root of the workspace.
    pub file: String,
    /// Lines with code.
    pub lines: usize,
    /// How many of them were reached.
    pub lines_reached: usize,
    /// The others.
    pub unreached: Vec<LineCoverage>,
    /// Lines that were reached, but not in every copy that the compiler made of them.
    pub partly_reached: Vec<LineCoverage>,
}

/// One line.
#[derive(Clone, Debug, Serialize)]
pub struct LineCoverage {
    /// Number, from 1.
    pub line: u32,
    /// What it says.
    pub text: String,
    /// Instructions that were written there: not those of what was inlined into it.
    pub instructions: usize,
    /// How many of them ran.
    pub instructions_reached: usize,
}

/// Counts of one line.
#[derive(Clone, Copy, Default)]
struct Count {
    is_reached: bool,
    instructions: usize,
    instructions_reached: usize,
}

impl Coverage {
    /// From every instruction's lines, innermost first, and whether it ran.
    pub(super) fn new<'a>(code: impl Iterator<Item = (&'a [Line], bool)>) -> Result<Self> {
        let mut all = Count::default();
        let mut files: BTreeMap<&str, BTreeMap<u32, Count>> = BTreeMap::new();
        for (lines, is_reached) in code {
            all.add(is_reached);
            for (depth, line) in lines.iter().enumerate() {
                let count = files.entry(&line.file).or_default().entry(line.number).or_default();
                count.is_reached |= is_reached;
                if depth == 0 {
                    count.add(is_reached);
                }
            }
        }
        let files: Vec<_> =
            files.into_iter().map(|(file, lines)| FileCoverage::new(file, &lines)).collect::<Result<_>>()?;
        Ok(Self {
            instructions: all.instructions,
            instructions_reached: all.instructions_reached,
            lines: files.iter().map(|file| file.lines).sum(),
            lines_reached: files.iter().map(|file| file.lines_reached).sum(),
            files,
        })
    }

    /// Lines reached of a hundred with code.
    pub fn percent(&self) -> f64 {
        percent(self.lines_reached, self.lines)
    }
}

impl Count {
    fn add(&mut self, is_reached: bool) {
        self.instructions += 1;
        self.instructions_reached += usize::from(is_reached);
    }
}

impl FileCoverage {
    fn new(file: &str, lines: &BTreeMap<u32, Count>) -> Result<Self> {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(file);
        let source = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let those = |holds: fn(&Count) -> bool| {
            let lines = lines.iter().filter(|(_, count)| holds(count));
            lines.map(|(line, count)| LineCoverage::new(*line, *count, &source)).collect::<Vec<_>>()
        };
        let unreached = those(|count| !count.is_reached);
        Ok(Self {
            file: file.to_owned(),
            lines: lines.len(),
            lines_reached: lines.len() - unreached.len(),
            unreached,
            partly_reached: those(|count| count.is_reached && count.instructions_reached < count.instructions),
        })
    }
}

impl LineCoverage {
    fn new(line: u32, count: Count, source: &str) -> Self {
        Self {
            line,
            text: source.lines().nth(line as usize - 1).unwrap_or_default().trim().to_owned(),
            instructions: count.instructions,
            instructions_reached: count.instructions_reached,
        }
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 100.0 } else { f64::from(part as u32) * 100.0 / f64::from(whole as u32) }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>6} {:>8}  file", "lines", "reached")?;
        for FileCoverage { file, lines, lines_reached, .. } in &self.files {
            writeln!(f, "{lines:>6} {lines_reached:>8}  {file}")?;
        }
        for FileCoverage { file, unreached, partly_reached, .. } in &self.files {
            for LineCoverage { line, text, .. } in unreached {
                writeln!(f, "\nunreached: {file}:{line}\n    {text}")?;
            }
            for LineCoverage { line, text, instructions, instructions_reached } in partly_reached {
                writeln!(f, "\n{instructions_reached} of {instructions} instructions: {file}:{line}\n    {text}")?;
            }
        }
        let Self { instructions, instructions_reached, lines, lines_reached, .. } = self;
        writeln!(f, "\n{lines_reached} of {lines} lines reached: {:.1} %", self.percent())?;
        writeln!(
            f,
            "{instructions_reached} of {instructions} instructions: {:.1} %",
            percent(*instructions_reached, *instructions)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u32) -> Line {
        Line { file: "anycast-common/src/lib.rs".into(), number }
    }

    #[test]
    fn line_counts_once_whatever_its_copies_and_those_inlined_into_it_reach_it() {
        let code = [(vec![line(2), line(1)], true), (vec![line(2)], false), (vec![line(3)], false), (Vec::new(), true)];
        let coverage = Coverage::new(code.iter().map(|(lines, is_reached)| (lines.as_slice(), *is_reached))).unwrap();
        assert_eq!((coverage.lines, coverage.lines_reached), (3, 2));
        assert_eq!((coverage.instructions, coverage.instructions_reached), (4, 2));
        let numbers = |lines: &[LineCoverage]| lines.iter().map(|line| line.line).collect::<Vec<_>>();
        let file = &coverage.files[0];
        assert_eq!((numbers(&file.unreached), numbers(&file.partly_reached)), (vec![3], vec![2]));
        assert_eq!((file.partly_reached[0].instructions, file.partly_reached[0].instructions_reached), (2, 1));
    }

    #[test]
    fn unreached_line_is_shown_with_its_text() {
        let coverage = Coverage::new([([line(1)].as_slice(), false)].into_iter()).unwrap();
        let first = include_str!("../../../../anycast-common/src/lib.rs").lines().next().unwrap();
        let text = coverage.to_string();
        assert!(text.contains(&format!("unreached: anycast-common/src/lib.rs:1\n    {first}\n")), "{text}");
        assert!(text.contains("0 of 1 lines reached: 0.0 %"), "{text}");
    }
}
