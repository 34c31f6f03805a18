//! Many flows by UDP, each of which is told who serves it.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};

use super::{
    super::{Namespace, run_ahead_of_others},
    ANSWER_LIMIT,
};

/// Between two questions of a flow.
const INTERVAL: Duration = Duration::from_millis(40);

/// What became of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Number of the server that answered first.
    pub server: Option<u8>,
    /// Questions.
    pub sent: u64,
    /// Answers of that server.
    pub answered: u64,
    /// Answers of others.
    pub answered_by_others: u64,
}

impl Flow {
    /// Questions that nobody answered.
    pub fn lost(&self) -> u64 {
        self.sent - self.answered - self.answered_by_others
    }

    fn take(&mut self, number: u8) {
        if *self.server.get_or_insert(number) == number {
            self.answered += 1;
        } else {
            self.answered_by_others += 1;
        }
    }
}

/// Flows from ports of their own to [`UdpEcho::numbered`](super::super::server::UdpEcho::numbered) servers, until stopped.
#[derive(Debug)]
pub struct Flows {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Flow>>>,
}

impl Flows {
    /// Begins so many.
    pub fn start(namespace: &Namespace, server: SocketAddr, count: usize) -> Result<Self> {
        let unspecified = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let open = || {
            let socket = UdpSocket::bind(unspecified)?;
            socket.connect(server)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let sockets = namespace.enter(|| (0..count).map(|_| open()).collect::<std::io::Result<Vec<_>>>())?;
        let sockets = sockets.with_context(|| format!("flows to {server}"))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || ask(&sockets, &stopped));
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends them.
    pub fn stop(mut self) -> Result<Vec<Flow>> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("flows are stopped once")?;
        thread.join().map_err(|_| anyhow!("the flows' thread panicked"))
    }
}

impl Drop for Flows {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn ask(sockets: &[UdpSocket], stop: &AtomicBool) -> Vec<Flow> {
    run_ahead_of_others();
    let mut flows = vec![Flow::default(); sockets.len()];
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        for (socket, flow) in sockets.iter().zip(&mut flows) {
            receive(socket, flow);
            // A router that has no way says so, or not: an answer that does not come is what counts.
            let _ = socket.send(&[0]);
            flow.sent += 1;
        }
        std::thread::sleep(INTERVAL.saturating_sub(began.elapsed()));
    }
    // What is on its way may still arrive.
    let end = Instant::now() + ANSWER_LIMIT;
    while flows.iter().any(|flow| flow.lost() > 0) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
        sockets.iter().zip(&mut flows).for_each(|(socket, flow)| receive(socket, flow));
    }
    flows
}

/// Takes all answers that are there. An ICMP error of an earlier question is reported once, in the place of an answer.
fn receive(socket: &UdpSocket, flow: &mut Flow) {
    let mut number = [0];
    loop {
        match socket.recv(&mut number) {
            Ok(_) => flow.take(number[0]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_another_server_are_not_lost_and_not_of_the_first() {
        let mut flow = Flow { sent: 4, ..Flow::default() };
        for number in [7, 7, 8] {
            flow.take(number);
        }
        assert_eq!(flow, Flow { server: Some(7), sent: 4, answered: 2, answered_by_others: 1 });
        assert_eq!(flow.lost(), 1);
    }
}
