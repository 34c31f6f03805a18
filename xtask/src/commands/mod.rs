//! One command a file.

pub mod bench;
pub mod build_ebpf;
pub mod ci;
pub mod demo;
pub mod docs;
pub mod oracle;
pub mod setup;
pub mod test;
pub mod vm;
