//! The contiguity receipt of a destination, and its comparison with the log.

use attestary_delivery::{Receipt, Spec, State};
use attestary_event::event::hex;
use attestary_event::{TenantId, View};
use attestary_ledger::Frontier;
use std::collections::BTreeSet;

use super::as_read;
use crate::{Caller, ChangeError, ReadError, Scope, Service, error::cause};

/// Events that one comparison reads at most: about two seconds of work.
const COMPARED_MAX: u64 = 200_000;
/// Events read at once.
const READ_EVENTS: usize = 1_000;
const READ_BYTES: usize = 4_000_000;
/// Set-aside events that a comparison takes into account.
const QUARANTINED_MAX: usize = 10_000;

/// What became of every event of a stretch of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContiguityReceipt {
    /// `dst_…`.
    pub destination: String,
    /// Whose log.
    pub tenant: TenantId,
    /// The account.
    pub receipt: Receipt,
    /// Root over the leaf hashes of the confirmed events, in hexadecimal.
    pub root: String,
    /// What the log says, when a comparison was asked for.
    pub log: Option<LogComparison>,
}

/// The log's answer to a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogComparison {
    /// The same root was computed from the log.
    Equal,
    /// Another root was computed from the log.
    Different {
        /// That root, in hexadecimal.
        root: String,
        /// Events that it is made of.
        count: u64,
    },
    /// It could not be computed.
    Impossible {
        /// Why.
        reason: String,
    },
}

impl Service {
    /// Returns what became of every event since the destination, its filter or its receiver was last changed.
    pub async fn destination_receipt(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
        compare: bool,
    ) -> Result<ContiguityReceipt, ReadError> {
        self.permit(caller, Scope::Destinations, "destination.receipt")?;
        let tenant = self.visible(caller, tenant)?;
        let row = self.own_row(caller, &tenant, id).await.map_err(as_read)?;
        // The saved state: a receipt is given for what is remembered.
        let state =
            State::from_json(&row.state).map_err(|error| ReadError::Unavailable(cause(error)))?;
        let receipt = state.receipt.unwrap_or_else(|| Receipt::new(state.cursor));
        let log = if compare {
            let (spec, _) = self.restored(&row).map_err(as_read)?;
            let compared = self.compare(caller, &tenant, id, &receipt, &spec).await;
            Some(compared.map_err(as_read)?)
        } else {
            None
        };
        self.recorded_view(caller, "destination.receipt", &tenant, 1).await?;
        let (destination, root) = (row.id, hex(&receipt.root()));
        Ok(ContiguityReceipt { destination, tenant, receipt, root, log })
    }

    async fn compare(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        id: &str,
        receipt: &Receipt,
        spec: &Spec,
    ) -> Result<LogComparison, ChangeError> {
        let impossible = |reason: String| Ok(LogComparison::Impossible { reason });
        let length = receipt.next_seq - receipt.from_seq;
        if length > COMPARED_MAX {
            return impossible(format!(
                "the receipt speaks for {length} events; at most {COMPARED_MAX} are compared"
            ));
        }
        if receipt.lost_to_retention > 0 {
            return impossible("retention removed events of this stretch".to_owned());
        }
        let after = receipt.from_seq.checked_sub(1);
        let id = id.to_owned();
        let aside = self
            .catalog(move |catalog| catalog.quarantined(&id, after, QUARANTINED_MAX))
            .await
            .map_err(crate::keys::change_error)?;
        let aside: BTreeSet<u64> = aside.into_iter().map(|row| row.seq).collect();
        let environment = caller.environment()?;
        let (mut tree, mut next) = (Frontier::default(), receipt.from_seq);
        while next < receipt.next_seq {
            let read = self.store().read(environment, tenant, next, READ_EVENTS, READ_BYTES).await;
            let events = read.map_err(|error| ChangeError::Unavailable(cause(error)))?;
            if events.first().is_none_or(|event| event.seq != next) {
                return impossible(format!("event {next} is no longer retained"));
            }
            for event in events.iter().take_while(|event| event.seq < receipt.next_seq) {
                next = event.seq + 1;
                let fields = event.fields();
                let view = View { event, fields: &fields };
                let selected = spec.filter.matches(&view)
                    && spec.destination.takes(&view, &super::running::known_actions());
                if selected && !aside.contains(&event.seq) {
                    tree.append(event.leaf_hash);
                }
            }
            tokio::task::yield_now().await;
        }
        if tree.root() == receipt.root() {
            return Ok(LogComparison::Equal);
        }
        Ok(LogComparison::Different { root: hex(&tree.root()), count: tree.size() })
    }
}
