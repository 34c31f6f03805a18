//! Builds the eBPF objects that the loader embeds.

fn main() -> anyhow::Result<()> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../anycast-xdp-ebpf");
    // SAFETY: a build script has one thread.
    unsafe { std::env::set_var("RUSTC_BOOTSTRAP", "1") };
    aya_build::build_ebpf(
        [aya_build::Package { name: "anycast-xdp-ebpf", root_dir: root, ..Default::default() }],
        aya_build::Toolchain::Custom("debian-rust"),
    )
}
