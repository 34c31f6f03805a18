//! `cargo xtask demo`.

fn main() -> std::process::ExitCode {
    anycast_tests::demo::main()
}
