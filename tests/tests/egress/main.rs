//! A gateway's program for answers at the egress of its interfaces: attached, swapped, and taken away.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod attaching;
mod bare;
mod foreign;
mod in_a_lab;

use anycast_tests::lab::Namespace;
use anycast_xdp::dataplane::egress::{self, EgressProgram};

fn programs(namespace: &Namespace, interface: &str) -> Vec<EgressProgram> {
    namespace.enter(|| egress::programs(interface).unwrap()).unwrap()
}

fn ids(programs: &[EgressProgram]) -> Vec<u32> {
    programs.iter().map(|program| program.program_id).collect()
}
