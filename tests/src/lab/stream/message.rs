//! The payload of a numbered datagram.
//!
//! | bytes | |
//! | --- | --- |
//! | 0..8 | stream id: datagrams of other streams are none of ours |
//! | 8..16 | flow |
//! | 16..24 | number within the flow, from 0 |

use std::{
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// Bytes of the header; the rest of the payload is padding.
pub(super) const HEADER_BYTES: usize = 24;

/// An id that no other stream on this machine has.
pub(super) fn new_stream_id() -> u64 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    (u64::from(process::id()) << 32) | u64::from(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Writes the header. Panics if `payload` is shorter than it.
pub(super) fn write(payload: &mut [u8], stream_id: u64, flow: u64, number: u64) {
    for (field, value) in payload[..HEADER_BYTES].chunks_exact_mut(8).zip([stream_id, flow, number]) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}

/// Flow and number, if it is a datagram of this stream.
pub(super) fn read(payload: &[u8], stream_id: u64) -> Option<(u64, u64)> {
    let field = |at: usize| Some(u64::from_be_bytes(payload.get(at..at + 8)?.try_into().ok()?));
    (field(0)? == stream_id).then_some((field(8)?, field(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_strangers_are_not() {
        let mut payload = [0xff; 30];
        write(&mut payload, 7, 3, 99);
        assert_eq!(read(&payload, 7), Some((3, 99)));
        assert_eq!(read(&payload, 8), None);
        assert_eq!(read(&payload[..23], 7), None);
    }
}
