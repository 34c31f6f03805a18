//! Shared with the build script of anycast-xdp: where the eBPF toolchain is.
