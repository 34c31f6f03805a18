//! What `explain` is given, and the words for what became of it: packets made, read and taken apart. Nothing here knows maps.

pub mod advice;
pub mod capture;
pub mod changes;
pub mod headers;
pub mod hex;
pub mod packet;

/// A frame to explain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Its number in the capture, or 1.
    pub number: u32,
    /// Ethernet header and all that follows.
    pub bytes: Vec<u8>,
    /// What was done to what was given to make a frame of it.
    pub notes: Vec<String>,
}
