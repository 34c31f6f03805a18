//! The `anycast-xdp` command of a build with another ABI version.

fn main() -> std::process::ExitCode {
    anycast_xdp::cli::main()
}
