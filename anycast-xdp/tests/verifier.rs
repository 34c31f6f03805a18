//! The kernel's verifier accepts every program.

use anycast_xdp::{dataplane::loader, desired::Limits};

#[test]
fn every_program_passes_the_verifier() {
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("SKIPPED every_program_passes_the_verifier: needs root");
        return;
    }
    let mut loaded = loader::load(None, &Limits::default(), Some(&[7; 16])).expect("maps");
    let frags = ["pop_frags", "backbone_frags", "gateway_frags"];
    for name in ["pop", "backbone", "gateway", "explain_pop", "explain_gateway"].into_iter().chain(frags) {
        let program = loaded.xdp(name).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        let info = program.info().expect("info");
        println!(
            "{name}: {} bytes of machine code, {:?} instructions verified",
            info.size_jitted(),
            info.verified_instruction_count()
        );
    }
}
