//! Players: programs that use a service all the time, and tell what of it failed.

mod datagrams;
mod flows;
mod game;
mod record;
mod web;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Result, anyhow};

pub use self::{
    flows::{Flow, Flows},
    record::Record,
};
use super::{Namespace, world::GAME_PORT};

/// What becomes later than this is lost.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// What the players at one place saw of one address.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// The game by TCP: 60 messages a second on each connection.
    pub game: Record,
    /// The game by UDP: 200 numbered datagrams a second.
    pub datagrams: Record,
    /// DNS: 20 questions a second.
    pub dns: Record,
    /// HTTP: 10 requests a second, each on a connection of its own.
    pub web: Record,
}

impl Seen {
    /// All of it. The gap is that of what is sent most often: how long a failure was, and not the pace of pages or the
    /// patience of TCP.
    pub fn total(&self) -> Record {
        let total = [self.game, self.datagrams, self.dns, self.web].into_iter().fold(Record::default(), Record::with);
        Record { longest_gap: self.datagrams.longest_gap, ..total }
    }
}

/// Players of every kind at one place, who use one address until they are told to stop.
#[derive(Debug)]
pub struct Players {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Record>>,
}

impl Players {
    /// Begins to play. An address that cannot be reached is no error: it is what players see.
    pub fn start(namespace: &Namespace, server: IpAddr) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let at = |port| SocketAddr::new(server, port);
        let threads = vec![
            game::start(namespace, at(GAME_PORT), &stop),
            datagrams::start(namespace, at(GAME_PORT), datagrams::GAME, &stop)?,
            datagrams::start(namespace, at(53), datagrams::DNS, &stop)?,
            web::start(namespace, at(80), &stop),
        ];
        Ok(Self { stop, threads })
    }

    /// Lets them stop; [`Players::stop`] asks what they saw.
    pub fn end(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Lets them stop, and asks what they saw.
    pub fn stop(mut self) -> Result<Seen> {
        self.end();
        let records = self.threads.drain(..).map(|thread| thread.join().map_err(|_| anyhow!("a player panicked")));
        let records = records.collect::<Result<Vec<_>>>()?;
        let [game, datagrams, dns, web] = records[..] else { return Err(anyhow!("four kinds of players")) };
        Ok(Seen { game, datagrams, dns, web })
    }
}

impl Drop for Players {
    fn drop(&mut self) {
        self.end();
    }
}
