//! Anycast ingress on XDP: the loader, its configuration and its tables.

pub mod api;
pub mod cli;
pub mod client;
pub mod config;
pub mod control;
pub mod daemon;
pub mod dataplane;
pub mod desired;
pub mod doctor;
pub mod documents;
pub mod explain;
pub mod health;
pub mod metrics;
pub mod netlink;
pub mod objects;
pub mod path_mtu;
pub mod probe;
pub mod publish;
pub mod store;
pub mod view;
