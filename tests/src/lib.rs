//! The lab, the model, the bench and the integration tests.

pub mod bench;
pub mod lab;
pub mod packet;
pub mod oracle;
