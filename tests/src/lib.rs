//! The lab, the model, the bench and the integration tests.
