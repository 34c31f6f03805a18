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
    let linear = [
        "pop",
        "backbone",
        "one_arm",
        "gateway",
        "explain_pop",
        "explain_backbone",
        "explain_one_arm",
        "explain_gateway",
    ]
    .map(str::to_owned);
    let frags = linear.each_ref().map(|name| format!("{name}_frags"));
    let xdp = linear.iter().chain(&frags).map(|name| (name.as_str(), false));
    let classifiers = ["gateway_return"].into_iter().map(|name| (name, true));
    for (name, is_classifier) in xdp.chain(classifiers) {
        let info = if is_classifier {
            loaded.classifier(name).map(|program| program.info())
        } else {
            loaded.xdp(name).map(|program| program.info())
        };
        let info = info.unwrap_or_else(|error| panic!("{name}: {error:#}")).expect("info");
        println!(
            "{name}: {} bytes of machine code, {:?} instructions verified",
            info.size_jitted(),
            info.verified_instruction_count()
        );
    }
}
