//! What tests of several modules ask for.

use std::time::Duration;

use super::{Check, ControlFacts, Health, Limits, Local, Role};

/// A host of that role, with nothing else.
pub fn local(role: Role, limits: Limits) -> Local {
    Local {
        instance: "test".to_owned(),
        role,
        pop: "test".to_owned(),
        host: "test".to_owned(),
        interfaces: Vec::new(),
        limits,
        control: ControlFacts::default(),
    }
}

/// A check by echo requests, one a second: three failures are down, two successes are up.
pub fn icmp_check() -> Health {
    Health {
        check: Check::Icmp,
        vip: None,
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        rise: 2,
        fall: 3,
        jitter_percent: 10,
    }
}
