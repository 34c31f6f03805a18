//! What the command line asks for.

use clap::{Args, ValueEnum};

/// How much is measured, and how it is told.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,

    /// A few seconds instead of a minute: good enough to see that everything works, not to compare.
    #[arg(long)]
    pub quick: bool,

    /// Fail if a bar is missed.
    #[arg(long)]
    pub enforce: bool,

    /// Only scenarios whose name contains this.
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,

    /// The CPU to run on; the last one that is allowed if not given.
    #[arg(long)]
    pub cpu: Option<usize>,

    /// Packets of one program in one round.
    #[arg(long)]
    pub packets: Option<u32>,

    /// Rounds: in each, every program has its turn.
    #[arg(long)]
    pub rounds: Option<u32>,
}

/// How the result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

impl Options {
    /// Packets of one program in one round.
    pub fn packets(&self) -> u32 {
        self.packets.unwrap_or(if self.quick { 200_000 } else { 1_000_000 })
    }

    /// Rounds.
    pub fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 5 } else { 21 })
    }

    /// Packets between two looks at the clock: 20 samples in a round.
    pub fn chunk(&self) -> u32 {
        (self.packets() / 20).max(1)
    }

    /// Is this scenario asked for?
    pub fn wants(&self, scenario: &str) -> bool {
        self.only.as_deref().is_none_or(|text| scenario.contains(text))
    }
}
