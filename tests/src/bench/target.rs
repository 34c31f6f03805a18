//! A program under test and what it must do.

use std::{fmt, rc::Rc};

use anyhow::Result;
use aya::programs::ProgramFd;
use serde::Serialize;

/// Actions of classifiers (include/uapi/linux/pkt_cls.h).
const TC_ACT_UNSPEC: i32 = -1;
const TC_ACT_SHOT: i32 = 2;
const TC_ACT_REDIRECT: i32 = 7;

/// Counts, over all time, the packets that a program says it has treated as expected.
pub type Handled = Rc<dyn Fn() -> Result<u64>>;

/// A loaded program and what it must do with every packet of a scenario.
#[derive(Clone)]
pub struct Target {
    /// Name in the report.
    pub name: &'static str,
    /// The program.
    pub program: Rc<ProgramFd>,
    /// The verdict that it must give.
    pub verdict: Action,
    /// Bytes that the frame must grow by; negative: shrink.
    pub growth: i32,
    /// What the program counts itself, where it does.
    pub handled: Option<Handled>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An XDP action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u32)]
pub enum Action {
    /// `XDP_ABORTED`.
    Aborted = 0,
    /// `XDP_DROP`.
    Drop = 1,
    /// `XDP_PASS`.
    Pass = 2,
    /// `XDP_TX`.
    Tx = 3,
    /// `XDP_REDIRECT`.
    Redirect = 4,
}

impl Action {
    /// What a packet meets under XDP whose classifier gives this. One that is left alone passes.
    pub const fn of_classifier(action: i32) -> Self {
        match action {
            TC_ACT_UNSPEC => Self::Pass,
            TC_ACT_SHOT => Self::Drop,
            TC_ACT_REDIRECT => Self::Redirect,
            _ => Self::Aborted,
        }
    }

    /// The action with the kernel's number; what is none is an abort, as for the kernel.
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Drop,
            2 => Self::Pass,
            3 => Self::Tx,
            4 => Self::Redirect,
            _ => Self::Aborted,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aborted => "ABORTED",
            Self::Drop => "DROP",
            Self::Pass => "PASS",
            Self::Tx => "TX",
            Self::Redirect => "REDIRECT",
        })
    }
}
