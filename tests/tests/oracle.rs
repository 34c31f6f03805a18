//! A short run of the oracle; `cargo xtask oracle` makes a long one.

use anycast_tests::{
    oracle::{
        coverage::Interpreted,
        differential::{self, Options},
        kernel::Kernel,
        place,
    },
    require_root,
};

#[test]
fn loaded_programs_do_what_the_model_says() {
    require_root!();
    let options = Options { first: 0, cases: 5000, seed: 7 };
    let result = place::with_interfaces(|interfaces| differential::run(&mut Kernel::new(), interfaces, options));
    if let Err(failure) = result.unwrap() {
        panic!("{failure}");
    }
}

#[test]
fn interpreted_programs_do_the_same_and_packets_reach_most_of_their_lines() {
    require_root!();
    let options = Options { first: 0, cases: 20_000, seed: 7 };
    let mut interpreted = Interpreted::new().unwrap();
    let result = place::with_interfaces(|interfaces| differential::run(&mut interpreted, interfaces, options));
    if let Err(failure) = result.unwrap() {
        panic!("{failure}");
    }
    let coverage = interpreted.coverage().unwrap();
    assert!(coverage.percent() > 95.0, "{coverage}");
}
