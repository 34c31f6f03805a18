//! The run: many packets over many tables, and what to say when the two disagree.

use std::{collections::BTreeMap, time::Instant};

use anycast_common::outcome::Outcome;
use serde::Serialize;

use super::{
    compare::{Comparison, Difference},
    generate::{self, Abilities, Interface},
    model::Input,
    shrink::shrink,
    subject::Subject,
    tables::Tables,
};

/// Packets for each set of tables.
const CASES_PER_TABLES: u64 = 5000;
/// Packets between two readings of all counters.
const CASES_PER_FULL_COMPARE: u64 = 1000;
/// From so many cases on, every outcome that can be reached must have been.
pub const CASES_FOR_EVERY_OUTCOME: u64 = 100_000;

/// The outcomes that no packet can reach, and why.
const UNREACHABLE: [(Outcome, &str); 1] = [(Outcome::Unset, "names no outcome: zeroed memory")];
/// What is out of reach besides, for a subject that always has room in front of a frame.
const UNREACHABLE_WITH_HEADROOM: (Outcome, &str) =
    (Outcome::Headroom, "this kernel takes no XDP metadata long enough to use the headroom up");

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Number of the first case.
    pub first: u64,
    /// How many packets.
    pub cases: u64,
    /// What they follow from.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What the cases follow from.
    pub seed: u64,
    /// How many packets were compared.
    pub cases: u64,
    /// How many tables they met.
    pub table_sets: u64,
    /// Packets by outcome, and how often one was none of its program's business.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Packets by XDP action.
    pub actions: BTreeMap<String, u64>,
    /// Outcomes that no packet can reach, and why.
    pub unreachable: BTreeMap<&'static str, &'static str>,
    /// Outcomes that can be reached and were not.
    pub missing: Vec<&'static str>,
    /// Seconds.
    pub duration_secs: f64,
    /// Packets a second.
    pub cases_per_sec: u64,
}

/// A packet that the two treat differently.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What the case follows from.
    pub seed: u64,
    /// Its number.
    pub case: u64,
    /// The tables it met.
    pub tables: Tables,
    /// The packet, made as small as it goes.
    pub input: Input,
    /// What differs for it.
    pub difference: Difference,
}

/// Runs until the end or the first difference.
pub fn run(
    subject: &mut dyn Subject,
    interfaces: &[Interface],
    options: Options,
) -> anyhow::Result<Result<Summary, Box<Failure>>> {
    let begin = Instant::now();
    let mut tally = Tally::default();
    let mut table_sets = 0;
    let mut unreachable = BTreeMap::from(UNREACHABLE.map(|(outcome, why)| (outcome.label(), why)));
    let mut case = options.first;
    let end = options.first + options.cases;
    while case < end {
        let tables_number = case / CASES_PER_TABLES;
        let tables = generate::tables(options.seed, tables_number, interfaces);
        subject.install(&tables)?;
        table_sets += 1;
        let abilities = Abilities {
            withhold_headroom: subject.can_withhold_headroom()?,
            shorten_linear: subject.can_shorten_linear()?,
            make_buffers: subject.can_make_buffers(),
        };
        if !abilities.withhold_headroom {
            let (outcome, why) = UNREACHABLE_WITH_HEADROOM;
            unreachable.insert(outcome.label(), why);
        }
        let mut batch =
            Batch { seed: options.seed, interfaces, tables: &tables, abilities, comparison: Comparison::new(subject)? };
        let tables_end = end.min((tables_number + 1) * CASES_PER_TABLES);
        while case < tables_end {
            let batch_end = tables_end.min(case + CASES_PER_FULL_COMPARE);
            if let Some(failure) = batch.run(subject, case..batch_end, &mut tally)? {
                return Ok(Err(Box::new(failure)));
            }
            case = batch_end;
        }
    }
    let duration = begin.elapsed();
    Ok(Ok(Summary {
        seed: options.seed,
        cases: options.cases,
        table_sets,
        missing: tally.missing(&unreachable),
        outcomes: tally.outcomes,
        actions: tally.actions,
        unreachable,
        duration_secs: duration.as_secs_f64(),
        cases_per_sec: (u128::from(options.cases) * 1_000_000 / duration.as_micros().max(1)) as u64,
    }))
}

/// How often each answer was expected.
#[derive(Default)]
struct Tally {
    outcomes: BTreeMap<&'static str, u64>,
    actions: BTreeMap<String, u64>,
}

impl Tally {
    fn missing(&self, unreachable: &BTreeMap<&'static str, &'static str>) -> Vec<&'static str> {
        let labels = Outcome::ALL.iter().map(|outcome| outcome.label());
        labels.filter(|label| !unreachable.contains_key(label) && !self.outcomes.contains_key(label)).collect()
    }
}

/// Packets between two readings of all counters.
struct Batch<'a> {
    seed: u64,
    interfaces: &'a [Interface],
    tables: &'a Tables,
    abilities: Abilities,
    comparison: Comparison,
}

impl Batch<'_> {
    fn input(&self, case: u64) -> Input {
        generate::input(self.seed, case, self.tables, self.interfaces, self.abilities)
    }

    fn run(
        &mut self,
        subject: &mut dyn Subject,
        cases: std::ops::Range<u64>,
        tally: &mut Tally,
    ) -> anyhow::Result<Option<Failure>> {
        for case in cases.clone() {
            match self.comparison.step(subject, self.tables, &self.input(case))? {
                Ok(verdict) => {
                    let label = verdict.outcome.map_or("(left alone)", Outcome::label);
                    *tally.outcomes.entry(label).or_default() += 1;
                    *tally.actions.entry(format!("{:?}", verdict.action)).or_default() += 1;
                }
                Err(difference) => return self.failure(subject, case, difference).map(Some),
            }
        }
        let lines = self.comparison.stray_counts(subject)?;
        if lines.is_empty() {
            return Ok(None);
        }
        // Some packet of the batch counted where it must not: once more, with all counters read after each.
        for case in cases.clone() {
            if let Err(difference) = self.comparison.thorough_step(subject, self.tables, &self.input(case))? {
                return self.failure(subject, case, difference).map(Some);
            }
        }
        anyhow::bail!(
            "after cases {cases:?} of seed {} counters differ, but not when the same packets run again:\n{}",
            self.seed,
            lines.join("\n")
        )
    }

    fn failure(&mut self, subject: &mut dyn Subject, case: u64, difference: Difference) -> anyhow::Result<Failure> {
        let (input, difference) = shrink(self.input(case), difference, |input| {
            Ok(self.comparison.thorough_step(subject, self.tables, input)?.err())
        })?;
        Ok(Failure { seed: self.seed, case, tables: self.tables.clone(), input, difference })
    }
}

#[cfg(test)]
mod tests;
