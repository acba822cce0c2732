//! Sign-in by an identity that a provider vouches for.

use attestary_event::EnvironmentId;

use super::{Grant, Person, Role, SESSION_MS_MAX, Started, full};
use crate::{
    Caller, ChangeError, Origin, Service,
    audit::{Act, Minute, action},
    caller::SYSTEM,
};

/// What people of a provider may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleMap {
    /// A group of the provider, and the role it gives. Of several, the strongest counts.
    pub roles: Vec<(String, Role)>,
    /// Where readers and auditors look; operators manage the installation.
    pub environment: Option<EnvironmentId>,
}

impl RoleMap {
    /// Returns the strongest role that these groups give.
    pub fn role(&self, groups: &[String]) -> Option<Role> {
        let given = self.roles.iter().filter(|(group, _)| groups.contains(group));
        let given: Vec<Role> = given.map(|(_, role)| *role).collect();
        [Role::Operator, Role::Auditor, Role::Reader].into_iter().find(|role| given.contains(role))
    }

    fn grant(&self, person: Person, groups: &[String], provider: &str) -> Option<Grant> {
        let role = self.role(groups)?;
        let environment = match role {
            Role::Operator => EnvironmentId::restored(SYSTEM),
            Role::Reader | Role::Auditor => self.environment.clone()?,
        };
        Some(Grant {
            person,
            role: Some(role),
            scopes: role.scopes(role == Role::Operator),
            environment,
            tenants: None,
            portal: None,
            created_by: provider.to_owned(),
        })
    }
}

impl Service {
    /// Begins the session of a person whom `provider` vouches for, as what `map` makes of the person's groups; `None`
    /// when none of them gives a role.
    pub async fn sign_in(
        &self,
        person: Person,
        groups: &[String],
        map: &RoleMap,
        provider: &str,
        origin: Origin,
    ) -> Result<Option<Started>, ChangeError> {
        let mut violations = Vec::new();
        person.check("", &mut violations);
        if !violations.is_empty() {
            return Err(ChangeError::Invalid(violations));
        }
        let Some(grant) = map.grant(person.clone(), groups, provider) else {
            self.record_no_role(&person, provider, origin).await?;
            return Ok(None);
        };
        let now_ms = self.clock().now_ms();
        let started = self.sessions().start(grant, now_ms, now_ms + SESSION_MS_MAX, self.rng());
        self.record_start(started.ok_or_else(full)?, origin).await.map(Some)
    }

    /// Once a minute for each person: whoever may not come in can try as often as the provider lets him.
    async fn record_no_role(
        &self,
        person: &Person,
        provider: &str,
        origin: Origin,
    ) -> Result<(), ChangeError> {
        let minute = Minute::of(self.clock().now_ms());
        if !self.coalescer().first(&person.id, "no role", minute) {
            return Ok(());
        }
        let caller = Caller { origin, ..Caller::installation_itself() };
        let act = Act::refused(action::KEY, "session.start")
            .on("user", &person.id)
            .with("provider", provider)
            .with("reason", "no group gives a role");
        self.record(&caller, act).await.map_err(ChangeError::Audit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_role_of_all_groups_counts_and_strangers_have_none() {
        let map = RoleMap {
            roles: vec![
                ("staff".into(), Role::Reader),
                ("audit".into(), Role::Auditor),
                ("sre".into(), Role::Operator),
            ],
            environment: Some(EnvironmentId::restored("production")),
        };
        let groups = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (names, expected) in [
            (&["staff"][..], Some(Role::Reader)),
            (&["staff", "audit"], Some(Role::Auditor)),
            (&["sre", "audit", "x"], Some(Role::Operator)),
            (&["Staff"], None),
            (&[], None),
        ] {
            assert_eq!(map.role(&groups(names)), expected, "{names:?}");
        }
        let grant = map.grant(Person::default(), &groups(&["staff"]), "p").unwrap();
        assert_eq!(grant.environment.as_str(), "production");
        assert!(!grant.scopes.has(crate::Scope::Admin));
        let grant = map.grant(Person::default(), &groups(&["sre"]), "p").unwrap();
        assert!(grant.environment.as_str() == SYSTEM && grant.scopes.has(crate::Scope::Operator));
    }
}
