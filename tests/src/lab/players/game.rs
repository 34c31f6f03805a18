//! A game by TCP: small messages that come back, on connections that last.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{
    super::{Namespace, run_ahead_of_others},
    ANSWER_LIMIT, Record,
    record::Gaps,
};

/// 60 a second.
const INTERVAL: Duration = Duration::from_micros(16_667);
/// Players leave a game that has stood still for so long, and join again.
const PATIENCE: Duration = Duration::from_secs(3);
const MESSAGE_BYTES: usize = 8;

/// Begins to play on one connection; one that breaks is made anew.
pub(super) fn start(namespace: &Namespace, server: SocketAddr, stop: &Arc<AtomicBool>) -> JoinHandle<Record> {
    let (namespace, stop) = (namespace.share(), Arc::clone(stop));
    std::thread::spawn(move || play(&namespace, server, &stop))
}

fn play(namespace: &Namespace, server: SocketAddr, stop: &AtomicBool) -> Record {
    run_ahead_of_others();
    let (mut record, mut gaps) = (Record::default(), Gaps::new());
    let mut was_connected = false;
    while !stop.load(Ordering::Relaxed) {
        // The socket is made in the namespace; the thread need not be there.
        let joined = namespace.enter(|| TcpStream::connect_timeout(&server, ANSWER_LIMIT));
        let Ok(Ok(stream)) = joined else {
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        was_connected = true;
        if let Err(unanswered) = exchange(stream, &mut record, &mut gaps, stop) {
            record.broken += 1;
            record.lost += unanswered;
        }
    }
    record.longest_gap = gaps.longest();
    // One that never came to be is broken as well.
    record.broken += u64::from(!was_connected);
    record
}

/// Plays until told to stop; how many messages had no answer if the connection breaks before.
fn exchange(mut stream: TcpStream, record: &mut Record, gaps: &mut Gaps, stop: &AtomicBool) -> Result<(), u64> {
    let mut sent = 0_u64;
    // The server greets with one byte, which is part of no message.
    let mut received_bytes = 0_u64;
    let mut next = Instant::now();
    let mut last = Instant::now();
    let unanswered = |sent: u64, bytes: u64| sent - bytes.saturating_sub(1) / MESSAGE_BYTES as u64;
    let mut buffer = [0; 4096];
    if stream.set_nodelay(true).is_err() {
        return Err(0);
    }
    while !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        if now >= next {
            if stream.write_all(&sent.to_be_bytes()).is_err() {
                return Err(unanswered(sent, received_bytes));
            }
            sent += 1;
            record.sent += 1;
            next = (next + INTERVAL).max(now);
        }
        let pause = next.saturating_duration_since(Instant::now()).max(Duration::from_micros(100));
        let read = stream.set_read_timeout(Some(pause)).and_then(|()| stream.read(&mut buffer));
        match read {
            Ok(0) => return Err(unanswered(sent, received_bytes)),
            Ok(len) => {
                received_bytes += len as u64;
                last = Instant::now();
                gaps.answer();
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(_) => return Err(unanswered(sent, received_bytes)),
        }
        if last.elapsed() > PATIENCE {
            return Err(unanswered(sent, received_bytes));
        }
    }
    Ok(())
}
