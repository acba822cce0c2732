//! Which partition a tenant's log belongs to.
//!
//! Names hash to virtual partitions, and ranges of these to the real ones. The hash is frozen: journals hold what it
//! placed there, and so will whatever moves tenants between machines.

use attestary_event::{EnvironmentId, TenantId};
use sha2::{Digest as _, Sha256};

/// Most partitions of one store.
pub const PARTITIONS_MAX: u32 = 64;

const VIRTUAL_PARTITIONS: u32 = 4_096;

/// Domain of the hash.
const DOMAIN: &[u8] = b"attestary/partition/v1\n";

/// The virtual partitions over the real ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placement(u32);

impl Placement {
    /// Spreads the virtual partitions over `partitions` real ones.
    pub(crate) fn over(partitions: u32) -> Self {
        Self(partitions)
    }

    /// Returns the number of partitions.
    pub(crate) fn partitions(self) -> u32 {
        self.0
    }

    /// Returns the partition of a tenant's log.
    pub(crate) fn of(self, environment: &EnvironmentId, tenant: &TenantId) -> u32 {
        match self.0 {
            1 => 0,
            partitions => {
                virtual_partition(environment.as_str(), tenant.as_str()) * partitions
                    / VIRTUAL_PARTITIONS
            }
        }
    }
}

/// The first twelve bits of a hash over both names, each after its length.
fn virtual_partition(environment: &str, tenant: &str) -> u32 {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    for name in [environment, tenant] {
        hasher.update((name.len() as u32).to_be_bytes());
        hasher.update(name);
    }
    let hash = hasher.finalize();
    u32::from(u16::from_be_bytes([hash[0], hash[1]])) >> 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(partitions: u32, environment: &str, tenant: &str) -> u32 {
        let (environment, tenant) =
            (EnvironmentId::restored(environment), TenantId::restored(tenant));
        Placement::over(partitions).of(&environment, &tenant)
    }

    /// Computed by another program; what journals hold depends on them.
    #[test]
    fn the_hash_is_frozen() {
        let check = |environment, tenant, expected| {
            assert_eq!(virtual_partition(environment, tenant), expected, "{environment}/{tenant}");
        };
        check("", "", 1743);
        check("production", "acme", 1261);
        check("production", "_audit", 1572);
        check("_system", "_audit", 1794);
        check("staging", "tenant/ä", 1002);
        check("a", "bc", 1538);
        check("ab", "c", 151);
    }

    #[test]
    fn every_partition_gets_its_share_and_one_gets_all() {
        for partitions in [1, 2, 3, 7, PARTITIONS_MAX] {
            let mut shares = vec![0_usize; partitions as usize];
            for tenant in 0..20_000 {
                shares[place(partitions, "production", &format!("t{tenant}")) as usize] += 1;
            }
            let mean = 20_000 / partitions as usize;
            assert!(shares.iter().all(|share| share.abs_diff(mean) <= mean / 3), "{shares:?}");
        }
    }
}
