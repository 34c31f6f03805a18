//! One packet, both answers.

use super::{
    model::{self, Input, Verdict},
    subject::{Counters, Subject},
    tables::Tables,
};

/// Compares a subject with the model, packet by packet, and knows what every counter must say.
#[derive(Debug)]
pub struct Comparison {
    totals: Counters,
}

/// What a subject did with a packet that the model did not.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What must have happened.
    pub expected: Verdict,
    /// The number of the XDP action, and the frame afterwards.
    pub actual: (u32, Vec<u8>),
    /// What differs, one line each.
    pub lines: Vec<String>,
}

impl Comparison {
    /// Begins with what the counters say now.
    pub fn new(subject: &dyn Subject) -> anyhow::Result<Self> {
        Ok(Self { totals: subject.counters()? })
    }

    /// Gives the packet to both. Of the counters only those that must grow are read: a stray count is found by
    /// [`Comparison::stray_counts`], which reads all.
    pub fn step(
        &mut self,
        subject: &mut dyn Subject,
        tables: &Tables,
        input: &Input,
    ) -> anyhow::Result<Result<Verdict, Difference>> {
        let expected = model::run(tables, input);
        let (action, frame) = subject.run(input)?;
        let mut lines = Vec::new();
        if action != expected.action as u32 {
            lines.push(format!("action: expected {} ({:?}), is {action}", expected.action as u32, expected.action));
        }
        if let Some(expected_frame) = &expected.frame
            && *expected_frame != frame
        {
            lines.push(first_difference(expected_frame, &frame));
        }
        if let Some(paths) = expected.paths(tables, input) {
            let actual = subject.paths()?;
            if actual != paths {
                lines.push(format!("ways of clients: expected {paths:?}, are {actual:?}"));
            }
        }
        let mut counts_differ = false;
        for (key, growth) in &expected.counts {
            let total = self.totals.entry(*key).or_default();
            *total = *total + *growth;
            counts_differ |= subject.counter(*key)? != *total;
        }
        if lines.is_empty() && !counts_differ {
            return Ok(Ok(expected));
        }
        // All of them: what was counted instead tells what the subject took the packet for.
        lines.extend(self.stray_counts(subject)?);
        Ok(Err(Difference { expected, actual: (action, frame), lines }))
    }

    /// Every counter that does not say what it must, one line each. Afterwards what they say is believed.
    pub fn stray_counts(&mut self, subject: &dyn Subject) -> anyhow::Result<Vec<String>> {
        let actual = subject.counters()?;
        let mut lines = Vec::new();
        for key in self.totals.keys().chain(actual.keys().filter(|key| !self.totals.contains_key(key))) {
            let expected = self.totals.get(key).copied().unwrap_or_default();
            let is = actual.get(key).copied().unwrap_or_default();
            if expected != is {
                lines.push(format!("counter {key:?}: expected {expected:?}, is {is:?}"));
            }
        }
        self.totals = actual;
        Ok(lines)
    }

    /// [`Comparison::step`] and [`Comparison::stray_counts`]: slow, and nothing escapes.
    pub fn thorough_step(
        &mut self,
        subject: &mut dyn Subject,
        tables: &Tables,
        input: &Input,
    ) -> anyhow::Result<Result<Verdict, Difference>> {
        let step = self.step(subject, tables, input)?;
        let Ok(expected) = step else { return Ok(step) };
        let lines = self.stray_counts(subject)?;
        if lines.is_empty() {
            return Ok(Ok(expected));
        }
        // The packet itself was treated as expected, so the model's answer is the subject's too.
        let actual = (expected.action as u32, expected.frame.clone().unwrap_or_default());
        Ok(Err(Difference { expected, actual, lines }))
    }
}

fn first_difference(expected: &[u8], actual: &[u8]) -> String {
    let at = expected.iter().zip(actual).position(|(a, b)| a != b).unwrap_or(expected.len().min(actual.len()));
    format!("frame: expected {} bytes, is {}; they differ from byte {at} on", expected.len(), actual.len())
}
