//! The `anycast-xdp` command.

fn main() -> std::process::ExitCode {
    anycast_xdp::cli::main()
}
