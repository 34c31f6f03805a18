//! Series of what was read, in the order of the catalogue.

mod control;
mod health;
mod host;
mod pools;
mod publishing;
mod vips;

use std::fmt;

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::{reading::Reading, writer::Writer};

/// One reading, ready to be written.
#[derive(Debug)]
pub struct Exposition(pub Reading);

impl Collector for Exposition {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(reading) = self;
        let mut writer = Writer::new(encoder);
        host::program(&mut writer, reading)?;
        vips::vips(&mut writer, reading)?;
        host::outcomes(&mut writer, reading)?;
        pools::bindings(&mut writer, reading)?;
        pools::backends(&mut writer, reading)?;
        health::health(&mut writer, reading)?;
        host::interfaces(&mut writer, reading)?;
        host::tables(&mut writer, reading)?;
        control::reconciler(&mut writer, reading)?;
        publishing::publishing(&mut writer, reading)?;
        control::store(&mut writer, reading)?;
        control::api(&mut writer, reading)
    }
}
