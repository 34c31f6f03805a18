//! What a metric is: its name, its labels and what it means.

use prometheus_client::{metrics::MetricType, registry::Unit};

/// What its values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until what counts begins anew.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Always 1: its labels are what it tells.
    Info,
    /// How many took how long.
    Histogram,
}

/// One metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Name of the family, without what its kind adds.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// Names of its labels, in the order in which their values are given.
    pub labels: &'static [&'static str],
    /// What it means, in one sentence.
    pub help: &'static str,
}

static BYTES: Unit = Unit::Bytes;
static SECONDS: Unit = Unit::Seconds;

impl Descriptor {
    pub(super) const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: Kind::Counter, labels, help }
    }

    pub(super) const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, labels, help }
    }

    pub(super) const fn info(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: Kind::Info, labels, help }
    }

    pub(super) const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: Kind::Histogram, labels, help }
    }

    /// Name of its samples, as queries write it; of a histogram the stem of `_bucket`, `_count` and `_sum`.
    pub fn sample_name(&self) -> String {
        match self.kind {
            Kind::Counter => format!("{}_total", self.name),
            Kind::Info => format!("{}_info", self.name),
            Kind::Gauge | Kind::Histogram => self.name.to_owned(),
        }
    }

    /// Its name without its unit, and its unit.
    pub(super) fn stem_and_unit(&self) -> (&'static str, Option<&'static Unit>) {
        if let Some(stem) = self.name.strip_suffix("_bytes") {
            return (stem, Some(&BYTES));
        }
        match self.name.strip_suffix("_seconds") {
            Some(stem) => (stem, Some(&SECONDS)),
            None => (self.name, None),
        }
    }

    pub(super) const fn metric_type(&self) -> MetricType {
        match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Info => MetricType::Info,
            Kind::Histogram => MetricType::Histogram,
        }
    }
}
