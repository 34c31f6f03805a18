//! What VIPs are bound to: those with the same pools and the same rules for going from one to another share it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Failback, Failover, durations::written};

/// Pools and the rules of going from one to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binding {
    /// Names of the pools, in order.
    pub pools: Vec<String>,
    /// Of one pool alone: the default.
    pub policy: BindingPolicy,
}

/// Who takes flows from one pool of a binding to another, and when. What to publish is no part of it: it moves no flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BindingPolicy {
    /// Who takes flows to the next pool.
    #[serde(default)]
    pub failover: Failover,
    /// Who takes them back.
    #[serde(default)]
    pub failback: Failback,
}

impl Binding {
    /// Of one VIP.
    pub fn new(pools: Vec<String>, policy: BindingPolicy) -> Self {
        let policy = if pools.len() > 1 { policy } else { BindingPolicy::default() };
        Self { pools, policy }
    }

    /// Has it pools to go to?
    pub fn has_fallbacks(&self) -> bool {
        self.pools.len() > 1
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pools.join(" "))?;
        if self.policy == BindingPolicy::default() {
            return Ok(());
        }
        write!(f, " (failover {}, failback {})", self.policy.failover, self.policy.failback)
    }
}

impl fmt::Display for Failover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Manual => "manual",
        })
    }
}

impl fmt::Display for Failback {
    /// As a file has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manual => f.write_str("manual"),
            Self::After(hold) => written(*hold).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn policy_of_one_pool_is_the_default_and_others_are_told() {
        let manual = BindingPolicy { failover: Failover::Manual, failback: Failback::Manual };
        let alone = Binding::new(vec!["a".to_owned()], manual);
        assert_eq!(alone.policy, BindingPolicy::default());
        assert_eq!(alone.to_string(), "a");
        let hold = BindingPolicy { failback: Failback::After(Duration::from_millis(90_500)), ..manual };
        let two = Binding::new(vec!["a".to_owned(), "b".to_owned()], hold);
        assert_eq!(two.to_string(), "a b (failover manual, failback 1m30s500ms)");
        assert_eq!(Failback::After(Duration::ZERO).to_string(), "0s");
    }
}
