//! What the run says, for people.

use std::fmt::{self, Write as _};

use super::differential::{Failure, Summary};

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} cases over {} table sets, seed {}: no difference", self.cases, self.table_sets, self.seed)?;
        writeln!(f, "\n{:>10}  outcome", "packets")?;
        for (label, packets) in &self.outcomes {
            writeln!(f, "{packets:>10}  {label}")?;
        }
        writeln!(f, "\n{:>10}  action", "packets")?;
        for (action, packets) in &self.actions {
            writeln!(f, "{packets:>10}  {action}")?;
        }
        for (label, why) in &self.unreachable {
            writeln!(f, "\nunreachable: {label} ({why})")?;
        }
        if !self.missing.is_empty() {
            writeln!(f, "\nnever generated: {}", self.missing.join(", "))?;
        }
        writeln!(f, "\n{:.1} s, {} cases/s", self.duration_secs, self.cases_per_sec)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, case, tables, input, difference } = self;
        writeln!(f, "{tables:#?}\n")?;
        writeln!(f, "seed {seed}, case {case}: model and program differ")?;
        writeln!(f, "to see it alone: --seed {seed} --first {case} --cases 1\n")?;
        writeln!(
            f,
            "program {:?}, ingress interface {}, headroom {}, linear part {:?}, {:?}",
            input.program, input.ingress_ifindex, input.headroom, input.linear_bytes, input.buffer
        )?;
        writeln!(f, "frame ({} bytes):    {}", input.frame.len(), hex(&input.frame))?;
        let expected = &difference.expected;
        writeln!(f, "expected: {:?}, {:?}", expected.outcome, expected.action)?;
        match &expected.frame {
            Some(frame) => writeln!(f, "expected frame:      {}", hex(frame))?,
            None => writeln!(f, "expected frame:      anything")?,
        }
        writeln!(f, "is: action {}", difference.actual.0)?;
        writeln!(f, "is frame:            {}\n", hex(&difference.actual.1))?;
        for line in &difference.lines {
            writeln!(f, "* {line}")?;
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string");
        text
    })
}
