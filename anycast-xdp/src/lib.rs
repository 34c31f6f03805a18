//! Anycast ingress on XDP: the loader, its configuration and its tables.

pub mod desired;
pub mod view;
