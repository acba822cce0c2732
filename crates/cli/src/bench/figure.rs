//! One measured figure, beside the peer's when there is one.

use std::borrow::Cow;

use serde::Serialize;

/// A figure as `--json` prints it, one a line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Figure {
    /// What was measured, in words with dots.
    pub(crate) name: Cow<'static, str>,
    /// The measurement.
    pub(crate) value: f64,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// What the peer reached in the same run.
    pub(crate) peer: Option<Peer>,
    /// `value` divided by the peer's.
    pub(crate) ratio: Option<f64>,
}

/// The peer's figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Peer {
    /// Which system.
    pub(crate) name: String,
    /// Its measurement, in the same unit.
    pub(crate) value: f64,
}

impl Figure {
    /// Returns a figure without a peer.
    pub(crate) fn new(name: impl Into<Cow<'static, str>>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value: rounded(value), unit, peer: None, ratio: None }
    }

    /// Sets the peer's measurement beside it.
    pub(crate) fn beside(mut self, peer: &str, value: f64) -> Self {
        let ratio = (value > 0.0).then(|| rounded(self.value / value));
        self.peer = Some(Peer { name: peer.to_owned(), value: rounded(value) });
        self.ratio = ratio;
        self
    }

    /// Returns the figure as a line for people.
    pub(crate) fn line(&self) -> String {
        let ours = format!("{:<32} {:>14} {:<9}", self.name, grouped(self.value), self.unit);
        match (&self.peer, self.ratio) {
            (Some(peer), Some(ratio)) => {
                format!("{ours} {} {:>12} ({ratio}x)", peer.name, grouped(peer.value))
            }
            _ => ours.trim_end().to_owned(),
        }
    }
}

/// Keeps three digits after the point below 100, none above: more would claim a precision that no run has.
fn rounded(value: f64) -> f64 {
    if value.abs() < 100.0 { (value * 1_000.0).round() / 1_000.0 } else { value.round() }
}

fn grouped(value: f64) -> String {
    let text = if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value}") };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if fraction.is_empty() { out } else { format!("{out}.{fraction}") }
}

/// Returns the value at a share (0 to 1) of sorted measurements; 0 when there are none.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_prints_as_one_json_line() {
        let figure =
            Figure::new("ingest.batches", 120_000.4, "events/s").beside("postgresql", 20_000.0);
        assert_eq!(
            serde_json::to_string(&figure).unwrap(),
            r#"{"name":"ingest.batches","value":120000.0,"unit":"events/s","peer":{"name":"postgresql","value":20000.0},"ratio":6.0}"#
        );
        assert!(
            serde_json::to_string(&Figure::new("a", 1.0, "ms"))
                .unwrap()
                .ends_with(r#""peer":null,"ratio":null}"#)
        );
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(1_234_567.0), "1,234,567");
        assert_eq!(grouped(12.5), "12.5");
        assert_eq!(grouped(999.0), "999");
    }

    #[test]
    fn percentiles_of_sorted_values() {
        let values: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(
            (percentile(&values, 0.5), percentile(&values, 0.99), percentile(&[], 0.5)),
            (50.0, 99.0, 0.0)
        );
    }
}
