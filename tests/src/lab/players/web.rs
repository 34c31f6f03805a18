//! A page, again and again, each time on a new connection.

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
    super::{Namespace, server::SMALL_FILE},
    Record,
    record::Gaps,
};

/// 10 a second.
const INTERVAL: Duration = Duration::from_millis(100);
/// After it a browser's user presses the button again.
const REQUEST_LIMIT: Duration = Duration::from_secs(3);

/// Begins to fetch.
pub(super) fn start(namespace: &Namespace, server: SocketAddr, stop: &Arc<AtomicBool>) -> JoinHandle<Record> {
    let (namespace, stop) = (namespace.share(), Arc::clone(stop));
    std::thread::spawn(move || {
        let (mut record, mut gaps) = (Record::default(), Gaps::new());
        while !stop.load(Ordering::Relaxed) {
            let began = Instant::now();
            record.sent += 1;
            let fetched = namespace.enter(|| fetch(server));
            if matches!(fetched, Ok(Ok(()))) {
                gaps.answer();
            } else {
                record.lost += 1;
            }
            std::thread::sleep(INTERVAL.saturating_sub(began.elapsed()));
        }
        record.longest_gap = gaps.longest();
        record
    })
}

fn fetch(server: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&server, REQUEST_LIMIT)?;
    stream.set_read_timeout(Some(REQUEST_LIMIT))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: game\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let is_page = answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(SMALL_FILE);
    if is_page { Ok(()) } else { Err(io::Error::other("not the page")) }
}
