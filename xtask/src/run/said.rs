//! What a running command says.

use std::{
    io::{BufRead as _, BufReader, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long the end of a command's output may take after its end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lines of both outputs of a command, in the order of arrival.
#[derive(Clone, Debug, Default)]
pub struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    /// What was said until now.
    pub fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Collects the lines of one output until it ends, and shows each.
    pub fn listen(
        &self,
        pipe: Option<impl Read + Send + 'static>,
        show: impl Fn(&str) + Send + 'static,
    ) -> JoinHandle<()> {
        let said = self.clone();
        thread::spawn(move || {
            for line in pipe.into_iter().flat_map(|pipe| BufReader::new(pipe).split(b'\n')).map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                show(&line);
                said.lines().push(line);
            }
        })
    }
}

/// Waits until the output of a command that has ended is read, but not for ever: a process that the command left behind
/// holds the pipes open, and has nothing to say any more.
pub fn last_words(readers: &[JoinHandle<()>]) {
    let ended = Instant::now();
    while readers.iter().any(|reader| !reader.is_finished()) && ended.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(1));
    }
}
