//! What the operator tells the reconciler that no revision has: it moves flows, and changes no services.

use tokio::sync::{mpsc, oneshot};

use crate::desired::Binding;

/// So many that are not yet taken up; the next one waits.
const QUEUED_MAX: usize = 16;

/// One command, and who waits for its answer.
#[derive(Debug)]
pub enum Command {
    /// Takes flows back to a pool in every binding that would go back to it. The bindings that moved; none: it has no such pool.
    FailBack(String, oneshot::Sender<Result<Option<Vec<Binding>>, String>>),
}

/// Where commands are given.
pub type Commands = mpsc::Sender<Command>;

/// A way for commands to the reconciler.
pub fn commands() -> (Commands, mpsc::Receiver<Command>) {
    mpsc::channel(QUEUED_MAX)
}
