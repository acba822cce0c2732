//! The catalog: readable, structurally sound, and with the rows that were written.

use std::path::Path;

use super::{CheckError, Report};
use crate::catalog::{Catalog, CatalogError, Loaded};

const PLACE: &str = "catalog.sqlite";

/// Returns what the catalog says, or `None` when it cannot be read so far that the rest could be checked.
pub(super) fn check(path: &Path, report: &mut Report) -> Result<Option<Loaded>, CheckError> {
    let (catalog, faults) = match Catalog::inspect(path) {
        Ok(inspected) => inspected,
        Err(error @ CatalogError::Newer { .. }) => return Err(CheckError::Newer(error)),
        Err(error) => {
            report.damage(PLACE, format!("the catalog cannot be read: {}", chain(&error)));
            return Ok(None);
        }
    };
    for line in faults.into_lines() {
        report.damage(PLACE, line);
    }
    match catalog.load() {
        Ok(loaded) => Ok(Some(loaded)),
        Err(error) => {
            report.damage(PLACE, format!("the catalog cannot be read: {}", chain(&error)));
            Ok(None)
        }
    }
}

/// Returns an error with its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
