//! The kernel's verifier accepts every program.

use anycast_xdp::{dataplane::loader, desired::Limits};
use aya::programs::ProgramType;

#[test]
fn every_program_passes_the_verifier() {
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("SKIPPED every_program_passes_the_verifier: needs root");
        return;
    }
    let mut loaded = loader::load(None, &Limits::default(), Some(&[7; 16])).expect("maps");
    let programs = loaded.ebpf.programs().map(|(name, program)| (name.to_owned(), program.prog_type()));
    let mut programs: Vec<_> = programs.collect();
    programs.sort_by(|(a, _), (b, _)| a.cmp(b));
    for kind in [ProgramType::Xdp, ProgramType::SchedClassifier] {
        let names: Vec<_> = programs.iter().filter(|(_, of)| *of == kind).map(|(name, _)| name).collect();
        assert!(!names.is_empty(), "the object has none of {kind:?}");
        for name in names {
            let info = if kind == ProgramType::Xdp {
                loaded.xdp(name).map(|program| program.info())
            } else {
                loaded.classifier(name).map(|program| program.info())
            };
            let info = info.unwrap_or_else(|error| panic!("{name}: {error:#}")).expect("info");
            println!(
                "{name}: {} bytes of machine code, {:?} instructions verified",
                info.size_jitted(),
                info.verified_instruction_count()
            );
        }
    }
}
