//! Recovering every partition: its journal on top of the heads that the catalog has.

use std::{path::PathBuf, sync::Arc};

use super::{OpenError, Settings, opening::Base, view::View};
use crate::{
    catalog::Loaded,
    disk::RealDisk,
    lease::{Allocator, Lease},
    partition::{Nonce as _, Partition},
    placement::Placement,
    state::State,
};

/// All partitions, and what readers see of them.
pub(super) struct Recovered {
    pub(super) partitions: Vec<Partition<RealDisk>>,
    pub(super) view: Arc<View>,
}

/// Returns the directory of a partition's journal.
pub(super) fn journal(settings: &Settings, partition: u32) -> PathBuf {
    settings.dir.join("journal").join(format!("{partition:04}"))
}

/// Recovers `loaded.partitions` partitions; each begins a new owner epoch.
pub(super) fn recover(base: &Base, mut loaded: Loaded) -> Result<Recovered, OpenError> {
    let placement = Placement::over(loaded.partitions);
    let mut heads = vec![Vec::new(); loaded.partitions as usize];
    for head in std::mem::take(&mut loaded.heads) {
        heads[placement.of(&head.environment, &head.tenant) as usize].push(head);
    }
    let view = Arc::new(View::new(std::mem::take(&mut loaded.manifest)));
    let mut partitions = Vec::with_capacity(heads.len());
    for (number, heads) in (0..).zip(heads) {
        let state = State::restore(&base.world.log_name, loaded.next_slot, heads);
        let path = journal(&base.settings, number);
        let disk =
            RealDisk::new(path.clone()).map_err(|source| OpenError::Directory { path, source })?;
        let (file_bytes, from) = (base.settings.journal_file_bytes, loaded.position(number));
        let nonce = base.world.clone().nonce();
        let (partition, replayed) =
            Partition::recover(disk, number, file_bytes, from, state, nonce)
                .map_err(OpenError::Journal)?;
        report_damage(partition.state());
        view.add(partition.state(), replayed);
        partitions.push(partition);
    }
    if partitions.len() > 1 {
        share(base, &mut partitions)?;
    }
    Ok(Recovered { partitions, view })
}

/// What several partitions must agree on: who gives out which slots, and that nothing is written once nobody can say
/// what was.
fn share(base: &Base, partitions: &mut [Partition<RealDisk>]) -> Result<(), OpenError> {
    let signed = base.catalog.last_signed_slot().map_err(OpenError::Catalog)?;
    let given = partitions.iter().map(|partition| partition.state().next_slot());
    let next = given.chain(signed.map(|slot| slot + 1)).max().unwrap_or(0);
    let allocator = Arc::new(Allocator::new(next));
    // A slot that only the lost batches of one journal name could be given out again by another.
    let read_only = partitions.iter().any(|partition| partition.state().read_only());
    for partition in partitions {
        partition.set_lease(Lease::of(Arc::clone(&allocator)));
        if read_only {
            partition.state_mut().set_read_only();
        }
    }
    Ok(())
}

fn report_damage(state: &State) {
    if state.read_only() {
        tracing::error!(
            "whole journal batches are damaged: the store is read only; run a check of the data directory"
        );
    }
    for (slot, log) in state.logs().filter(|(_, log)| !log.damaged.is_empty()) {
        tracing::error!(
            environment = %log.environment, tenant.id = %log.tenant, slot, seqs = ?log.damaged,
            "acknowledged events are damaged: the tenant's log is read only from there on"
        );
    }
}
