//! Anycast ingress on XDP: the loader, its configuration and its tables.

pub mod cli;
pub mod config;
pub mod daemon;
pub mod dataplane;
pub mod desired;
pub mod explain;
pub mod netlink;
pub mod objects;
pub mod view;
