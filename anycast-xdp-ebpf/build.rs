//! Rebuild when the BPF target or the linker changes.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
