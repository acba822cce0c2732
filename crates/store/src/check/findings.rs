//! What a check found.

use serde::Serialize;

/// Whether a finding costs anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Bytes are not what was written, or something that was acknowledged is not there.
    Damage,
    /// Nothing is lost: what a crash left behind, which the next start clears away.
    Note,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether it costs anything.
    pub severity: Severity,
    /// The file or table, as a path in the data directory.
    pub place: String,
    /// The environment that it concerns, if it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The tenant that it concerns, if it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// First and last seq that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seqs: Option<(u64, u64)>,
    /// What is wrong.
    pub detail: String,
}

/// The outcome of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Segments read.
    pub segments: u64,
    /// Their bytes.
    pub segment_bytes: u64,
    /// Sealed events whose leaf hash was recomputed.
    pub sealed_events: u64,
    /// Unsealed events whose leaf hash was recomputed.
    pub unsealed_events: u64,
    /// Bytes of the journal that a start reads again: the batches that are not sealed.
    pub unsealed_bytes: u64,
    /// Logs whose root was recomputed.
    pub logs: u64,
    /// What was found, damage first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Returns the number of damages.
    pub fn damages(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity == Severity::Damage).count()
    }

    /// Returns true when nothing is damaged.
    pub fn is_clean(&self) -> bool {
        self.damages() == 0
    }

    /// Adds a damage that concerns no tenant in particular.
    pub(super) fn damage(&mut self, place: &str, detail: impl Into<String>) {
        self.findings.push(Finding::of(Severity::Damage, place, detail));
    }

    /// Adds a note.
    pub(super) fn note(&mut self, place: &str, detail: impl Into<String>) {
        self.findings.push(Finding::of(Severity::Note, place, detail));
    }

    /// Adds a damage to a range of events.
    pub(super) fn damaged_events(
        &mut self,
        place: &str,
        log: Option<(&str, &str)>,
        seqs: (u64, u64),
        detail: impl Into<String>,
    ) {
        self.findings.push(Finding {
            environment: log.map(|(environment, _)| environment.to_owned()),
            tenant: log.map(|(_, tenant)| tenant.to_owned()),
            seqs: Some(seqs),
            ..Finding::of(Severity::Damage, place, detail)
        });
    }

    pub(super) fn sort(&mut self) {
        self.findings.sort_by(|a, b| {
            let key = |f: &Finding| {
                (f.severity, f.environment.clone(), f.tenant.clone(), f.seqs, f.place.clone())
            };
            key(a).cmp(&key(b))
        });
    }
}

impl Finding {
    fn of(severity: Severity, place: &str, detail: impl Into<String>) -> Self {
        Self {
            severity,
            place: place.to_owned(),
            environment: None,
            tenant: None,
            seqs: None,
            detail: detail.into(),
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.severity {
            Severity::Damage => "damage: ",
            Severity::Note => "note: ",
        })?;
        if let (Some(environment), Some(tenant)) = (&self.environment, &self.tenant) {
            write!(f, "environment {environment}, tenant {tenant}, ")?;
        }
        match self.seqs {
            Some((first, last)) if first == last => write!(f, "seq {first}: ")?,
            Some((first, last)) => write!(f, "seq {first} to {last}: ")?,
            None => {}
        }
        write!(f, "{} ({})", self.detail, self.place)
    }
}
