//! Several things at a time.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Result, bail};

/// Does each thing once, in their order, `lanes` at a time, and gives what came of it in the same order. After an error no lane takes
/// another thing; the first error is given.
pub fn side_by_side<T: Sync, R: Send>(
    lanes: usize,
    things: &[T],
    each: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, Result<R>)>> = Mutex::default();
    let lane = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(thing) = things.get(index) else { return };
            let result = each(thing);
            if result.is_err() {
                next.store(things.len(), Ordering::Relaxed);
            }
            results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
        }
    };
    let has_died = thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        // Joined, all of them: an iterator that stops early would leave a panic to the scope.
        lanes.into_iter().filter_map(|lane| lane.join().err()).count() > 0
    });
    if has_died {
        bail!("a thread that did several things died");
    }
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn everything_is_done_once_and_two_at_a_time() {
        let (at_once, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let things: Vec<usize> = (0..10).collect();
        let done = side_by_side(2, &things, |thing| {
            most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(20));
            at_once.fetch_sub(1, Ordering::SeqCst);
            Ok(*thing)
        });
        assert_eq!(done.unwrap(), things);
        assert_eq!(most.into_inner(), 2);
    }

    #[test]
    fn error_ends_it() {
        let done = AtomicUsize::new(0);
        let result = side_by_side(2, &[1; 100], |_| -> Result<()> {
            done.fetch_add(1, Ordering::SeqCst);
            bail!("no such program");
        });
        assert_eq!(result.unwrap_err().to_string(), "no such program");
        assert!(done.into_inner() <= 4);
    }
}
