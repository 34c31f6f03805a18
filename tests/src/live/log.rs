//! What a daemon says it stored.

use crate::lab::daemon::Daemon;

/// One `ways updated` line: cells stored, entries written.
pub type Stores = (u64, u64);

/// Every `ways updated` line of a daemon's log, in order. The daemon must log at debug level.
pub fn stores(daemon: &Daemon) -> Vec<Stores> {
    daemon.log().lines().filter(|line| line.contains("ways updated")).filter_map(parse).collect()
}

fn parse(line: &str) -> Option<Stores> {
    let field = |name: &str| {
        let (_, rest) = line.split_once(name)?;
        rest.split_whitespace().next()?.parse().ok()
    };
    Some((field("cells=")?, field("entries=")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_and_entries_are_read_from_a_line() {
        assert_eq!(parse("2026-01-01T00:00:00Z DEBUG ways updated cells=12 entries=3"), Some((12, 3)));
        assert_eq!(parse("ways updated"), None);
    }
}
