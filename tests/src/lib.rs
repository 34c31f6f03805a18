//! The lab, the model, the bench and the integration tests.

pub mod bench;
pub mod demo;
pub mod lab;
pub mod live;
pub mod oracle;
pub mod packet;
