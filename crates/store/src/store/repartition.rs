//! Another number of partitions: the old ones seal everything, then one commit changes the number, and the new ones
//! begin behind what is sealed.
//!
//! A kill before that commit leaves the old partitions, with some of their events in segments already; one after it the
//! new partitions. Journals of partitions that are no more go last, by number; what a kill leaves of them goes at the
//! next start.

use std::{
    fs::{self, File},
    io,
    sync::{Arc, mpsc},
};

use super::{
    OpenError,
    opening::Base,
    recovery::{Recovered, journal, recover},
    sealer::Sealer,
};
use crate::{catalog::Loaded, id_filter::IdFilter, placement::PARTITIONS_MAX};

/// Brings the directory to the number of partitions that the settings ask for.
pub(super) fn settle(base: &Base, mut loaded: Loaded) -> Result<Loaded, OpenError> {
    remove_journals(base, &mut loaded)?;
    let to = base.settings.partitions.unwrap_or(loaded.partitions);
    if to == loaded.partitions {
        return Ok(loaded);
    }
    if !(1..=PARTITIONS_MAX).contains(&to) {
        return Err(OpenError::Partitions { given: to });
    }
    refuse_strangers(base, loaded.partitions..to)?;
    tracing::info!(from = loaded.partitions, to, "the number of partitions changes");
    seal_all(base, loaded, to)?;
    base.world.step("everything sealed");
    base.catalog.set_partitions(to).map_err(OpenError::Catalog)?;
    base.world.step("partitions changed");
    let mut loaded = base.catalog.load().map_err(OpenError::Catalog)?;
    remove_journals(base, &mut loaded)?;
    base.world.step("journals removed");
    Ok(loaded)
}

/// Seals what all partitions hold. They are closed again when this returns.
fn seal_all(base: &Base, loaded: Loaded, to: u32) -> Result<(), OpenError> {
    let from = loaded.partitions;
    let Recovered { partitions, view } = recover(base, loaded)?;
    let is_damaged = |log: &crate::state::LogState| !log.damaged.is_empty();
    if partitions.iter().any(|partition| {
        let state = partition.state();
        state.read_only() || state.logs().any(|(_, log)| is_damaged(log))
    }) {
        return Err(OpenError::Damaged { from, to });
    }
    let sealer = Sealer {
        world: base.world.clone(),
        catalog: Arc::clone(&base.catalog),
        segments: Arc::clone(&base.segments),
        view: Arc::clone(&view),
        ids: Arc::new(IdFilter::new(base.settings.dedupe_ids_max, 0, base.segments.id_hasher())),
        manifest: Arc::default(),
        // Nobody merges yet.
        sealed: mpsc::sync_channel(1).0,
    };
    for (number, mut partition) in (0..).zip(partitions) {
        let (frozen, tail) = (partition.freeze(), view.freeze(number));
        let sealed = sealer.seal(number, &frozen, &tail);
        sealed.map_err(|source| OpenError::Repartition { from, to, source: Box::new(source) })?;
        base.world.step("partition sealed");
    }
    Ok(())
}

/// A journal that the catalog knows nothing of holds somebody else's events: they must not be taken for ours.
fn refuse_strangers(base: &Base, partitions: std::ops::Range<u32>) -> Result<(), OpenError> {
    for partition in partitions {
        let path = journal(&base.settings, partition);
        match path.try_exists() {
            Ok(false) => {}
            Ok(true) => return Err(OpenError::Stranger { path }),
            Err(source) => return Err(OpenError::Directory { path, source }),
        }
    }
    Ok(())
}

/// Removes the journals of partitions that are no more.
fn remove_journals(base: &Base, loaded: &mut Loaded) -> Result<(), OpenError> {
    if loaded.journals <= loaded.partitions {
        return Ok(());
    }
    for partition in loaded.partitions..loaded.journals {
        let path = journal(&base.settings, partition);
        match fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(OpenError::Directory { path, source });
            }
            _ => {}
        }
    }
    let path = base.settings.dir.join("journal");
    File::open(&path)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| OpenError::Directory { path, source })?;
    base.catalog.forget_journals().map_err(OpenError::Catalog)?;
    loaded.journals = loaded.partitions;
    Ok(())
}
