//! WorkOS: its events in.

use attestary_formats::intake::workos;

use super::{Foreign, Taken, with_id};
use crate::{Caller, IntakeError, ItemViolation, Scope, Service};

impl Service {
    /// Takes one WorkOS event. The caller's key for idempotency, not the content, decides what is a repeat.
    ///
    /// Pointers of violations are those of the WorkOS body.
    pub async fn workos_event(
        &self,
        caller: &Caller,
        body: &[u8],
        idempotency_key: Option<&str>,
    ) -> Result<Taken, IntakeError> {
        self.permit(caller, Scope::Ingest, "events.submit")?;
        let mapped = workos::parse(body, self.limits()).map_err(|violation| {
            IntakeError::Invalid(vec![ItemViolation { index: 0, violation }])
        })?;
        let json = match idempotency_key {
            Some(key) => {
                let id = self.foreign_id("workos", &mapped.organization, key);
                with_id(Some(&id.to_string()), None, &mapped.json)
            }
            None => mapped.json,
        };
        let event = Foreign { json, system: "workos", area: None };
        self.take(caller, vec![event], None).await.map_err(|error| match error {
            IntakeError::Invalid(items) => {
                IntakeError::Invalid(items.into_iter().map(renamed).collect())
            }
            IntakeError::Schema(items) => {
                IntakeError::Schema(items.into_iter().map(renamed).collect())
            }
            other => other,
        })
    }
}

fn renamed(mut item: ItemViolation) -> ItemViolation {
    item.violation.pointer = workos::pointer(&item.violation.pointer);
    item
}
