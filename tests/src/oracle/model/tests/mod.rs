//! The model against packets made by hand: expected bytes are written out, checksums included.

mod fixture;
mod gateway;
mod pop_bytes;
mod pop_verdicts;
