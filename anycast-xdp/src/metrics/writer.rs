//! Writes series of the catalogue.

use std::{borrow::Cow, fmt};

use prometheus_client::{
    encoding::{
        DescriptorEncoder, EncodeGaugeValue, EncodeLabel as _, EncodeLabelSet, EncodeMetric, LabelSetEncoder,
        MetricEncoder, NoLabelSet,
    },
    metrics::exemplar::Exemplar,
};

use super::descriptor::Descriptor;

/// A label's value.
pub type Value<'a> = Cow<'a, str>;

/// Writes one family after the other. Families without series are written, too: what there could be is seen.
pub struct Writer<'e>(DescriptorEncoder<'e>);

impl<'e> Writer<'e> {
    /// Writes to `encoder`.
    pub fn new(encoder: DescriptorEncoder<'e>) -> Self {
        Self(encoder)
    }

    /// Counters by the values of their labels.
    pub fn counters<'a, const N: usize>(
        &mut self,
        family: &'static Descriptor,
        rows: impl IntoIterator<Item = ([Value<'a>; N], u64)>,
    ) -> fmt::Result {
        self.rows(family, rows, |encoder, count| encoder.encode_counter(count, None::<&Exemplar<NoLabelSet, f64>>))
    }

    /// Gauges by the values of their labels.
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method itself is for one lifetime only")]
    pub fn gauges<'a, const N: usize>(
        &mut self,
        family: &'static Descriptor,
        rows: impl IntoIterator<Item = ([Value<'a>; N], impl EncodeGaugeValue)>,
    ) -> fmt::Result {
        self.rows(family, rows, |encoder, value| encoder.encode_gauge(value))
    }

    /// A gauge without labels.
    pub fn gauge(&mut self, family: &'static Descriptor, value: impl EncodeGaugeValue) -> fmt::Result {
        self.gauges(family, [([], value)])
    }

    /// A counter without labels.
    pub fn counter(&mut self, family: &'static Descriptor, count: u64) -> fmt::Result {
        self.counters(family, [([], count)])
    }

    /// What labels tell: those of the family, and more by their names.
    pub fn infos<'a, const N: usize>(
        &mut self,
        family: &'static Descriptor,
        rows: impl IntoIterator<Item = ([Value<'a>; N], Vec<(String, Value<'a>)>)>,
    ) -> fmt::Result {
        let mut encoder = self.begin(family)?;
        for (values, more) in rows {
            encoder.encode_info(&Labels { names: family.labels, values: &values, more: &more })?;
        }
        Ok(())
    }

    /// What was recorded as it happened.
    pub fn recorded(&mut self, family: &'static Descriptor, metric: &impl EncodeMetric) -> fmt::Result {
        metric.encode(self.begin(family)?)
    }

    fn rows<'a, T, const N: usize>(
        &mut self,
        family: &'static Descriptor,
        rows: impl IntoIterator<Item = ([Value<'a>; N], T)>,
        write: impl Fn(&mut MetricEncoder<'_>, &T) -> fmt::Result,
    ) -> fmt::Result {
        debug_assert_eq!(family.labels.len(), N, "labels of {}", family.name);
        let mut encoder = self.begin(family)?;
        for (values, value) in rows {
            if N == 0 {
                write(&mut encoder, &value)?;
            } else {
                let labels = Labels { names: family.labels, values: &values, more: &[] };
                write(&mut encoder.encode_family(&labels)?, &value)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, family: &'static Descriptor) -> Result<MetricEncoder<'_>, fmt::Error> {
        let (stem, unit) = family.stem_and_unit();
        self.0.encode_descriptor(stem, family.help, unit, family.metric_type())
    }
}

struct Labels<'a> {
    names: &'a [&'a str],
    values: &'a [Value<'a>],
    more: &'a [(String, Value<'a>)],
}

impl EncodeLabelSet for Labels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        for (name, value) in self.names.iter().zip(self.values) {
            (*name, escaped(value)).encode(encoder.encode_label())?;
        }
        for (name, value) in self.more {
            (name.as_str(), escaped(value)).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

/// The library writes values as they are; both text formats want these three escaped.
fn escaped(value: &str) -> Cow<'_, str> {
    if !value.contains(['\\', '"', '\n']) {
        return value.into();
    }
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").into()
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn quotes_backslashes_and_line_ends_are_escaped() {
        assert_eq!(escaped("plain ü"), "plain ü");
        assert_eq!(escaped("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
    }
}
