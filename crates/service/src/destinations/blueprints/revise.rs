//! Changing a blueprint: the change reaches what came of it, also after a crash in the middle.
//!
//! A change raises the blueprint's revision. A copy knows the revision that it has, and the task that makes copies brings
//! those behind up to date: settings are the blueprint's, cursor and signing keys stay the copy's own.

use attestary_event::TenantId;
use attestary_store::catalog::{BlueprintCopy, BlueprintRow, DestinationRow, Opaque};
use zeroize::Zeroizing;

use super::{Blueprint, Body, shown, whole};
use crate::{
    AccessError, Caller, ChangeError, Scope, Service,
    audit::{Act, action},
    destinations::{self, DestinationChange},
    keys::change_error,
};

impl Service {
    /// Changes a blueprint; its destinations follow shortly. Type and start stay, and a configuration is given whole,
    /// secrets included.
    pub async fn change_blueprint(
        &self,
        caller: &Caller,
        id: &str,
        change: DestinationChange,
    ) -> Result<Blueprint, ChangeError> {
        self.permit(caller, Scope::Destinations, "blueprint.change")?;
        let environment = whole(caller)?;
        let _turn = self.destinations().turn().await;
        let rows = self.blueprint_rows(&environment).await?;
        let row = rows.into_iter().find(|row| row.id == id).ok_or(AccessError::NotFound)?;
        let before = self.blueprint_body(&row)?;
        let body = before.changed(change);
        let draft = TenantId::restored("_blueprint");
        let old = self.check_new(caller, &environment, &draft, &before.destination())?.spec;
        let new = self.check_new(caller, &environment, &draft, &body.destination())?.spec;
        if old.destination.signs() != new.destination.signs() {
            let detail = "cannot be changed: receivers would have no key; make another blueprint";
            return Err(ChangeError::invalid("/config/signature", detail));
        }
        let body = body.showing(&new);
        let act = Act::new(action::DESTINATION, "blueprint.change").on("blueprint", id).changed(
            "config",
            destinations::shown(&old),
            destinations::shown(&new),
        );
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let plain = Zeroizing::new(serde_json::to_vec(&body).expect("a blueprint is JSON"));
        let sealed = Opaque(self.vault().seal(&plain, id, self.rng()));
        let saved = BlueprintRow { body: sealed, revision: row.revision + 1, ..row };
        let stored = saved.clone();
        self.catalog(move |catalog| catalog.update_blueprint(&stored))
            .await
            .map_err(change_error)?;
        self.destinations().blueprints().notify_one();
        let of = id.to_owned();
        let copies = self.catalog(move |catalog| catalog.blueprint_copies(&of)).await;
        Ok(shown(&saved, body, copies.map_err(change_error)?.len()))
    }

    /// Gives one copy the settings of its blueprint. Returns false when that cannot be done now.
    pub(super) async fn revise_copy(
        &self,
        row: &BlueprintRow,
        body: &Body,
        copy: &BlueprintCopy,
    ) -> Result<bool, ChangeError> {
        let _turn = self.destinations().turn().await;
        // The blueprint may have been changed again since it was read: its newest form comes next.
        if !self.blueprint_rows(&row.environment).await?.contains(row) {
            return Ok(false);
        }
        let id = copy.destination.clone();
        let found = self.catalog(move |catalog| catalog.destination(&id)).await;
        // One that an operator deleted stays deleted.
        if let Some(before) = found.map_err(change_error)? {
            match self.revised(&before, body).await {
                Ok(()) => {}
                Err(error @ ChangeError::Unavailable(_)) => return Err(error),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(destination.id = %copy.destination, blueprint.id = %row.id, error, "a changed blueprint does not fit a tenant");
                    return Ok(false);
                }
            }
        }
        let (blueprint, copy, revision) = (row.id.clone(), copy.clone(), row.revision);
        self.catalog(move |catalog| catalog.revise_blueprint_copy(&blueprint, &copy, revision))
            .await
            .map_err(change_error)?;
        Ok(true)
    }

    async fn revised(&self, row: &DestinationRow, body: &Body) -> Result<(), ChangeError> {
        let (before, secrets) = self.restored(row)?;
        let (spec, secrets) = self.check_change(&before, secrets, body.change())?;
        self.save_change(row, spec, secrets).await.map(|_| ())
    }
}

impl Body {
    /// Returns the blueprint with a change; what is absent stays.
    fn changed(&self, change: DestinationChange) -> Self {
        let new = self.destination();
        Self {
            name: change.name.unwrap_or(new.name),
            kind: new.kind,
            config: change.config.unwrap_or(new.config),
            format: change.format.or(new.format),
            filter: change.filter.unwrap_or(new.filter),
            batch: change.batch.or(new.batch),
            checkpoint_seconds: change.checkpoint_seconds.or(new.checkpoint_seconds),
            start: new.start,
            shown: self.shown.clone(),
        }
    }

    /// Returns what a copy is changed by: everything.
    fn change(&self) -> DestinationChange {
        let new = self.destination();
        DestinationChange {
            name: Some(new.name),
            config: Some(new.config),
            format: new.format,
            filter: Some(new.filter),
            batch: new.batch,
            checkpoint_seconds: new.checkpoint_seconds.or(Some(0)),
        }
    }
}
