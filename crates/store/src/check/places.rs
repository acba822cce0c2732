//! Files and objects that nothing points to.

use std::{collections::HashSet, path::Path};

use super::{CheckError, Report, catalog::chain};
use crate::{catalog::Loaded, segment::Segments};

/// Notes objects that the manifest does not list. They hold nothing that was acknowledged and not sealed elsewhere.
pub(super) fn check(
    _dir: &Path,
    segments: &Segments,
    loaded: &Loaded,
    report: &mut Report,
) -> Result<(), CheckError> {
    let listed: HashSet<&str> =
        loaded.manifest.segments.iter().map(|segment| segment.path.as_str()).collect();
    let found = match segments.list() {
        Ok(found) => found,
        Err(error) => {
            report.damage("segments", format!("cannot be listed: {}", chain(&error)));
            return Ok(());
        }
    };
    for path in found.iter().filter(|path| !listed.contains(path.as_str())) {
        let announced = loaded.intents.contains(path);
        let detail = if announced {
            "was announced and not committed: the next start deletes it"
        } else {
            "is not in the manifest: it was replaced, or it is not of this installation"
        };
        report.note(path, detail);
    }
    Ok(())
}
