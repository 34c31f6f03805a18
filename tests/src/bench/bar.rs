//! Bars: what the project promises about its speed, each against something measured in the same run.

use super::report::Row;

/// The row that a bar compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowName {
    /// Scenario.
    pub scenario: &'static str,
    /// Program.
    pub target: &'static str,
}

/// An upper limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// What is limited.
    pub against: Against,
    /// The limit.
    pub most: f64,
}

/// What a bar limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// Net, as a multiple of the net of `floor_encap` in the same scenario.
    Floor,
    /// The ratio to `floor_encap`, above that of a row.
    RatioAbove(RowName),
    /// Net, as a multiple of the net of a row.
    NetOf(RowName),
    /// Net nanoseconds above those of a row.
    NsAbove(RowName),
}

impl Bar {
    /// At most so many times `floor_encap`.
    pub const fn floor(most: f64) -> Self {
        Self { against: Against::Floor, most }
    }

    /// What is held against the limit; `None` if the row to compare with was not measured.
    pub fn value(&self, row: &Row, rows: &[Row]) -> Option<f64> {
        let find =
            |name: RowName| rows.iter().find(|other| other.scenario == name.scenario && other.target == name.target);
        match self.against {
            Against::Floor => row.ratio,
            Against::RatioAbove(name) => Some(row.ratio? - find(name)?.ratio?),
            Against::NetOf(name) => Some(row.net_ns / find(name)?.net_ns),
            Against::NsAbove(name) => Some(row.net_ns - find(name)?.net_ns),
        }
    }

    /// The limit in words.
    pub fn words(&self) -> String {
        let most = self.most;
        match self.against {
            Against::Floor => format!("<= {most} x floor_encap"),
            Against::RatioAbove(RowName { target, .. }) => format!("<= ratio of {target} + {most}"),
            Against::NetOf(RowName { scenario, target }) => format!("<= {most} x {target} of {scenario}"),
            Against::NsAbove(RowName { target, .. }) => format!("<= {target} + {most} ns"),
        }
    }
}
