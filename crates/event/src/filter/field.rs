//! A field to count by: the values at a path, as texts that `path:text` would select.

use std::cell::RefCell;

use super::{
    Column, Path, Row,
    column::{Source, is_known},
    matcher::Scalar,
};
use crate::View;

/// A path whose values can be counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field(Source);

/// Why the values at a path are not counted.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldError {
    /// No event can have a value there.
    #[error("no event has such a field")]
    Unknown,
    /// A fact of the entry, or a time: the same for all events, or another one for nearly each.
    #[error(
        "id, tenant, environment, seq, leaf_hash and times are no fields to count by: they are the same in all events or differ in nearly all"
    )]
    Fact,
}

impl Field {
    /// Returns the field at `path`.
    ///
    /// # Errors
    /// When no event can have a value there, or counting its values would mean nothing.
    pub fn of(path: &Path) -> Result<Self, FieldError> {
        match Source::of(path) {
            Source::Id
            | Source::Tenant
            | Source::Environment
            | Source::Seq
            | Source::ReceivedAt
            | Source::OccurredAt
            | Source::LeafHash => Err(FieldError::Fact),
            _ if !is_known(path) => Err(FieldError::Unknown),
            source => Ok(Self(source)),
        }
    }

    /// Returns the column that holds the field's values; `None` when bodies must be read.
    pub fn column(&self) -> Option<Column> {
        self.0.column()
    }

    /// Calls `f` with each value, repeats included: strings as they are, numbers by their token, `true` and `false`.
    pub fn each(&self, view: &View<'_>, f: &mut dyn FnMut(&str)) {
        let f = RefCell::new(f);
        self.0.any(view, |scalar| {
            (f.borrow_mut())(text(scalar));
            false
        });
    }

    /// Like [`Field::each`], for fields that have a column.
    pub fn each_in_row(&self, row: &dyn Row, f: &mut dyn FnMut(&str)) {
        self.0.any_in_row(row, &mut |scalar| {
            f(text(scalar));
            false
        });
    }
}

/// Times are refused as fields, so none comes here.
fn text<'a>(scalar: Scalar<'a>) -> &'a str {
    match scalar {
        Scalar::Text(text) | Scalar::Number(text) => text,
        Scalar::Flag(true) => "true",
        Scalar::Flag(false) => "false",
        Scalar::Time(_) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::tests::{event, fields};

    #[track_caller]
    fn check(path: &str, expected: &[&str]) {
        let event = event(&serde_json::json!({
            "id": "01930b5e-5a53-709e-8f3c-0123456789ab", "tenant": "acme", "environment": "test", "seq": 7,
            "received_at": "2026-11-22T00:00:00.000Z", "leaf_hash": "00".repeat(32),
            "occurred_at": "2026-11-22T00:00:00.000Z", "action": "a.b", "severity": 5,
            "actor": { "type": "user", "id": "u1", "groups": ["x", "y", "x"] },
            "targets": [{ "type": "doc", "id": "d1" }, { "type": "doc", "name": "Plan" }],
            "metadata": { "n": 1.50, "on": true, "none": null, "deep": [{ "k": "v" }, { "k": "w" }] },
        }));
        let field = Field::of(&Path::parse(path).unwrap()).unwrap();
        let mut found = Vec::new();
        let fields = fields(&event);
        field.each(&View { event: &event, fields: &fields }, &mut |value| {
            found.push(value.to_owned());
        });
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn values_are_texts() {
        check("action", &["a.b"]);
        check("severity", &["5"]);
        check("actor.groups", &["x", "y", "x"]);
        check("target.type", &["doc", "doc"]);
        check("targets.name", &["Plan"]);
        check("metadata.n", &["1.5"]);
        check("metadata.on", &["true"]);
        check("metadata.none", &[]);
        check("metadata.deep.k", &["v", "w"]);
        check("actor", &[]);
        check("context.ip", &[]);
    }

    #[test]
    fn facts_and_unknown_paths_are_no_fields() {
        let of = |path: &str| Field::of(&Path::parse(path).unwrap());
        for path in
            ["id", "tenant", "environment", "seq", "leaf_hash", "received_at", "occurred_at"]
        {
            assert_eq!(of(path), Err(FieldError::Fact), "{path}");
        }
        for path in ["actr.id", "actions", "context.http.code"] {
            assert_eq!(of(path), Err(FieldError::Unknown), "{path}");
        }
        for (path, column) in [
            ("action", Some(Column::Action)),
            ("target.id", Some(Column::TargetId)),
            ("severity", Some(Column::Severity)),
            ("metadata.plan", None),
            ("targets.name", None),
        ] {
            assert_eq!(of(path).unwrap().column(), column, "{path}");
        }
    }
}
