//! The run against subjects that err in known ways: it must find each.

use anycast_common::{
    map::Counter,
    outcome::{Class, Outcome},
};

use super::*;
use crate::oracle::{
    model::{self, CounterKey, Program, Verdict},
    subject::Counters,
    tables::Path,
};

const INTERFACES: [Interface; 2] =
    [Interface { ifindex: 101, mac: [2, 0, 0, 0, 1, 1] }, Interface { ifindex: 103, mac: [2, 0, 0, 0, 1, 3] }];

/// Answers as the model does, but for its fault.
struct Faulty {
    tables: Tables,
    counters: Counters,
    paths: Vec<Path>,
    fault: fn(&Input, &mut Verdict),
}

impl Faulty {
    fn new(fault: fn(&Input, &mut Verdict)) -> Self {
        Self { tables: Tables::default(), counters: Counters::new(), paths: Vec::new(), fault }
    }
}

impl Subject for Faulty {
    fn install(&mut self, tables: &Tables) -> anyhow::Result<()> {
        self.tables = tables.clone();
        self.counters.clear();
        Ok(())
    }

    fn can_withhold_headroom(&self) -> anyhow::Result<bool> {
        Ok(true)
    }

    fn can_shorten_linear(&self) -> anyhow::Result<bool> {
        Ok(true)
    }

    fn can_make_buffers(&self) -> bool {
        true
    }

    fn run(&mut self, input: &Input) -> anyhow::Result<(u32, Vec<u8>)> {
        let mut verdict = model::run(&self.tables, input);
        (self.fault)(input, &mut verdict);
        self.paths = verdict.paths(&self.tables, input).unwrap_or_default();
        for (key, growth) in verdict.counts {
            let total = self.counters.entry(key).or_default();
            *total = *total + growth;
        }
        Ok((verdict.action as u32, verdict.frame.unwrap_or_default()))
    }

    fn counter(&self, key: CounterKey) -> anyhow::Result<Counter> {
        Ok(self.counters.get(&key).copied().unwrap_or_default())
    }

    fn counters(&self) -> anyhow::Result<Counters> {
        Ok(self.counters.clone())
    }

    fn paths(&mut self) -> anyhow::Result<Vec<Path>> {
        Ok(self.paths.clone())
    }
}

fn run_against(fault: fn(&Input, &mut Verdict), cases: u64) -> Result<Summary, Box<Failure>> {
    run(&mut Faulty::new(fault), &INTERFACES, Options { first: 0, cases, seed: 3 }).unwrap()
}

#[test]
fn subject_without_fault_passes_and_every_outcome_is_generated() {
    let summary = run_against(|_, _| {}, CASES_FOR_EVERY_OUTCOME).unwrap();
    assert_eq!(summary.missing, [""; 0]);
    assert_eq!(summary.outcomes.values().sum::<u64>(), CASES_FOR_EVERY_OUTCOME);
    assert_eq!(summary.table_sets, 20);
}

#[test]
fn one_wrong_bit_in_one_outcome_is_found_and_the_packet_made_small() {
    let failure = run_against(
        |_, verdict| {
            if verdict.outcome == Some(Outcome::Decapsulated)
                && let Some(last) = verdict.frame.as_mut().and_then(|frame| frame.last_mut())
            {
                *last ^= 1;
            }
        },
        20_000,
    )
    .unwrap_err();
    assert_eq!(failure.difference.expected.outcome, Some(Outcome::Decapsulated));
    assert!(failure.difference.lines[0].starts_with("frame: "), "{:?}", failure.difference.lines);
    // What matters is left: version, lengths, protocols, addresses.
    let not_zero = failure.input.frame.iter().filter(|byte| **byte != 0).count();
    assert!(not_zero <= 2 + 60 + 30, "{not_zero} bytes are not zero");
}

#[test]
fn wrong_action_is_found() {
    let failure = run_against(
        |_, verdict| {
            if verdict.action == model::Action::Tx {
                verdict.action = model::Action::Redirect;
            }
        },
        20_000,
    )
    .unwrap_err();
    assert!(failure.difference.lines[0].starts_with("action: expected 3 (Tx), is 4"));
}

#[test]
fn way_of_a_client_that_is_not_remembered_is_found() {
    let failure = run_against(|_, verdict| verdict.remembers = None, CASES_FOR_EVERY_OUTCOME).unwrap_err();
    assert_eq!(failure.input.program, Program::Gateway);
    assert!(failure.difference.lines[0].starts_with("ways of clients: "), "{:?}", failure.difference.lines);
}

#[test]
fn count_that_is_missing_is_found_at_its_packet() {
    let failure = run_against(|_, verdict| verdict.counts.truncate(1), 20_000).unwrap_err();
    assert!(failure.difference.lines[0].starts_with("counter "));
}

#[test]
fn stray_count_is_found_and_traced_to_its_packet() {
    let failure = run_against(
        |input, verdict| {
            if input.program == Program::Backbone {
                let stray = CounterKey::Vip(Program::Pop, 0, Class::Passed as u32);
                verdict.counts.push((stray, Counter { packets: 1, bytes: 60 }));
            }
        },
        20_000,
    )
    .unwrap_err();
    assert_eq!(failure.input.program, Program::Backbone);
    assert!(failure.difference.lines[0].contains("Vip(Pop, 0, 2)"), "{:?}", failure.difference.lines);
}

#[test]
fn one_case_of_a_run_is_the_same_when_it_runs_alone() {
    let all = run(&mut Faulty::new(|_, _| {}), &INTERFACES, Options { first: 0, cases: 5100, seed: 3 });
    let alone = run(&mut Faulty::new(|_, _| {}), &INTERFACES, Options { first: 5050, cases: 1, seed: 3 });
    let (all, alone) = (all.unwrap().unwrap(), alone.unwrap().unwrap());
    assert_eq!((all.table_sets, alone.table_sets), (2, 1));
    let tables = generate::tables(3, 1, &INTERFACES);
    let abilities = Abilities { withhold_headroom: true, shorten_linear: true, make_buffers: true };
    let input = generate::input(3, 5050, &tables, &INTERFACES, abilities);
    let label = model::run(&tables, &input).outcome.map_or("(left alone)", Outcome::label);
    assert_eq!(alone.outcomes.into_iter().collect::<Vec<_>>(), [(label, 1)]);
}
