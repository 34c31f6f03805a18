//! Frames on their way.

use std::{collections::VecDeque, time::Instant};

/// Frames that fit: a second at a gigabit of full frames.
const FRAMES: usize = 100_000;

/// Frames in the order in which they came, each with the time at which it arrives.
#[derive(Debug, Default)]
pub(super) struct Queue(VecDeque<(Instant, Vec<u8>)>);

impl Queue {
    /// Takes a frame in; false if there is no room.
    pub fn put(&mut self, due: Instant, frame: &[u8]) -> bool {
        let fits = self.0.len() < FRAMES;
        if fits {
            self.0.push_back((due, frame.to_vec()));
        }
        fits
    }

    /// The next frame that has arrived.
    pub fn take(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.0.pop_front_if(|(due, _)| *due <= now).map(|(_, frame)| frame)
    }

    /// When the next one arrives.
    pub fn due(&self) -> Option<Instant> {
        self.0.front().map(|(due, _)| *due)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn frames_arrive_in_order_and_not_early() {
        let (now, mut queue) = (Instant::now(), Queue::default());
        let later = now + Duration::from_millis(5);
        assert!(queue.put(now, b"a") && queue.put(later, b"b"));
        assert_eq!(queue.take(now).as_deref(), Some(&b"a"[..]));
        assert_eq!(queue.take(now), None);
        assert_eq!(queue.due(), Some(later));
        assert_eq!(queue.take(later).as_deref(), Some(&b"b"[..]));
    }
}
