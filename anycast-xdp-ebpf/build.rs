//! Links the programs again when the linker was replaced.

fn main() {
    println!("cargo::rerun-if-env-changed=ANYCAST_BPF_LINKER");
    // Set by the build of the objects; a check on the host needs no linker.
    if let Ok(linker) = std::env::var("ANYCAST_BPF_LINKER") {
        println!("cargo::rerun-if-changed={linker}");
    }
}
