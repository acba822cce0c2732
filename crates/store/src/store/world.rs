//! What the partition needs from the world: genesis events and random numbers.

use std::sync::Arc;

use attestary_event::{
    EnvironmentId, EventId, Fields, TenantId, Timestamp, event::hex, id::ulid, scan::write_string,
};
use attestary_ledger::Hash;

use crate::{
    partition::{Genesis, Nonce},
    record::{Parts, Prepared},
    seam::{Clock, Rng},
};

/// Version of everything that a log commits to; stands in the genesis event.
const FORMAT_VERSION: u32 = 1;

/// The clock and the randomness of a partition.
#[derive(Clone)]
pub(super) struct World {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rng: Arc<dyn Rng>,
    pub(super) log_name: String,
}

impl World {
    /// Names a point at which a test may stop the process.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "only tests stop here"))]
    pub(super) fn step(&self, _name: &str) {
        #[cfg(test)]
        super::removal::tests::reached(_name);
    }

    pub(super) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill(&mut bytes);
        bytes
    }
}

impl Nonce for World {
    fn nonce(&mut self) -> u64 {
        u64::from_le_bytes(self.random())
    }
}

impl Genesis for World {
    fn genesis(
        &mut self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        slot: u64,
    ) -> (Prepared, String) {
        self.genesis_after(environment, tenant, slot, &[])
    }
}

/// An older incarnation as a genesis event names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Previous {
    pub(super) origin: String,
    pub(super) size: u64,
    pub(super) root: Hash,
    /// Hash of its genesis leaf.
    pub(super) genesis: Hash,
}

impl World {
    /// Returns the genesis event of a log that goes on from `previous`, the oldest first, and the log's new ULID.
    pub(super) fn genesis_after(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        slot: u64,
        previous: &[Previous],
    ) -> (Prepared, String) {
        let now_ms = self.clock.now_ms();
        let log_id = ulid(now_ms, self.random());
        let now = Timestamp(now_ms as i64);
        let origin = format!("{}/t/{log_id}", self.log_name);
        let body = body(&origin, environment, tenant, slot, now, previous);
        let fields = Fields::of_stored(&body);
        let prepared = Prepared::new(Parts {
            environment: environment.clone(),
            tenant: tenant.clone(),
            id: EventId::v7(now_ms, self.random()),
            client_id: false,
            service: true,
            seed: self.random(),
            digest: [0; 16],
            occurred_ms: now.0,
            severity: 1,
            fields: &fields,
            body: &body,
        });
        (prepared, log_id)
    }
}

/// The genesis event states what the log is: tenant and environment stand here as salted fields and nowhere else.
fn body(
    origin: &str,
    environment: &EnvironmentId,
    tenant: &TenantId,
    slot: u64,
    now: Timestamp,
    previous: &[Previous],
) -> Vec<u8> {
    let mut out = format!(
        "{{\"action\":\"attestary.genesis\",\"actor\":{{\"type\":\"system\",\"id\":\"attestary\"}},\
         \"occurred_at\":\"{now}\",\"category\":\"system\",\"outcome\":\"success\",\"severity\":1,\
         \"metadata\":{{\"format_version\":{FORMAT_VERSION},\"key_epoch\":0,\"policies\":[],\"slot\":{slot},\"origin\":"
    )
    .into_bytes();
    write_string(origin, &mut out);
    out.extend_from_slice(b",\"environment\":");
    write_string(environment.as_str(), &mut out);
    out.extend_from_slice(b",\"tenant\":");
    write_string(tenant.as_str(), &mut out);
    if !previous.is_empty() {
        out.extend_from_slice(b",\"previous\":[");
        for (index, older) in previous.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let (root, genesis) = (hex(&older.root), hex(&older.genesis));
            out.extend_from_slice(
                format!(
                    "{comma}{{\"size\":{},\"root\":\"{root}\",\"genesis\":\"{genesis}\",\"origin\":",
                    older.size
                )
                .as_bytes(),
            );
            write_string(&older.origin, &mut out);
            out.push(b'}');
        }
        out.push(b']');
    }
    out.extend_from_slice(b"}}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_genesis_event_names_its_log() {
        let environment = EnvironmentId::parse("production").unwrap();
        let tenant = TenantId::parse("a\"b").unwrap();
        let older = |size| Previous {
            origin: format!("audit.example.com/t/{size}"),
            size,
            root: [1; 32],
            genesis: [2; 32],
        };
        let previous = [older(5), older(9)];
        let body = body("audit.example.com/t/X", &environment, &tenant, 7, Timestamp(0), &previous);
        let fields = Fields::of_stored(&body);
        assert_eq!(fields.get("/metadata/previous/1/size").unwrap().value, "9");
        assert_eq!(
            fields.get("/metadata/previous/0/origin").unwrap().value,
            "audit.example.com/t/5"
        );
        let text = |pointer: &str| fields.get(pointer).unwrap().value.to_owned();
        assert_eq!(text("/metadata/origin"), "audit.example.com/t/X");
        assert_eq!(text("/metadata/tenant"), "a\"b");
        assert_eq!(text("/metadata/slot"), "7");
        assert_eq!(text("/metadata/environment"), "production");
        assert_eq!(text("/occurred_at"), "1970-01-01T00:00:00.000Z");
    }
}
