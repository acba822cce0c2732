//! Rotation of signing secrets: two are valid at once, so that a receiver can change over without losing a request.

use attestary_event::Violation;
use attestary_store::catalog::DestinationRow;

use super::{Destination, State, act, shared};
use crate::{Caller, ChangeError, Scope, Secret, Service, error::cause, keys::change_error};

/// Signing secrets that are valid at once.
const VALID_MAX: usize = 2;

/// A destination whose secrets were changed.
#[derive(Debug)]
pub struct Rotated {
    /// The destination.
    pub destination: Destination,
    /// The new secret, shown this once; absent when the old one was retired.
    pub secret: Option<Secret>,
    /// How many secrets sign now.
    pub valid: usize,
}

impl Service {
    /// Adds a signing secret, which signs from now on beside the newest one before it.
    ///
    /// With `retire`, no secret is added: only the newest one signs from now on.
    pub async fn rotate_destination_secret(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
        retire: bool,
    ) -> Result<Rotated, ChangeError> {
        let operation =
            if retire { "destination.secret.retire" } else { "destination.secret.rotate" };
        self.permit(caller, Scope::Destinations, operation)?;
        let tenant = self.visible(caller, tenant)?;
        let _turn = self.destinations().turn().await;
        let row = self.changeable_row(caller, &tenant, id).await?;
        let (spec, mut secrets) = self.restored(&row)?;
        let Some(scheme) = spec.destination.signs() else {
            let detail = "destinations of this type do not sign; change the configuration instead";
            return Err(ChangeError::Invalid(vec![Violation::new("/type", detail)]));
        };
        let made = (!retire).then(|| self.signing_secret(scheme));
        if let Some(secret) = &made {
            secrets.signing.insert(0, secret.clone());
        }
        secrets.signing.truncate(if retire { 1 } else { VALID_MAX });
        let valid = secrets.signing.len();
        self.record(caller, act(operation, &spec).with("valid", valid))
            .await
            .map_err(ChangeError::Audit)?;
        let state =
            State::from_json(&row.state).map_err(|error| ChangeError::Unavailable(cause(error)))?;
        let changed = DestinationRow {
            created_ms: row.created_ms,
            ..self.row(&spec, &secrets, &state, self.clock().now_ms())
        };
        let saved = changed.clone();
        self.catalog(move |catalog| catalog.update_destination(&saved))
            .await
            .map_err(change_error)?;
        self.hand_over(id, spec, secrets).await?;
        self.restart_replays(&changed).await?;
        let secret = shared(made.as_ref());
        Ok(Rotated { destination: self.shown_destination(&changed)?, secret, valid })
    }
}
