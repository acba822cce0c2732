//! Which class and activity an event goes out in: those of its known action when it has what they require.
//!
//! Required attributes and activities are those of the compiled schemas of 1.1.0 and 1.8.0. A class whose
//! requirements are not met gives way to Entity Management, which wants one named thing, and that to Base Event,
//! which wants nothing. An activity that the version lacks becomes 99, Other.

use attestary_event::{View, actions::KnownActions};

use super::Schema;
use crate::{
    party::{self, Party},
    texts,
};

/// A class and an activity within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) uid: u32,
    pub(super) activity: u8,
}

impl Class {
    pub(super) const ACCOUNT_CHANGE: u32 = 3001;
    pub(super) const AUTHENTICATION: u32 = 3002;
    pub(super) const ENTITY_MANAGEMENT: u32 = 3004;
    pub(super) const USER_ACCESS: u32 = 3005;
    pub(super) const GROUP_MANAGEMENT: u32 = 3006;
    pub(super) const WEB_RESOURCES: u32 = 6001;
    pub(super) const FILE_HOSTING: u32 = 6006;

    /// The activity of which the source gives the name.
    pub(super) const OTHER: u8 = 99;
    const BASE: Self = Self { uid: 0, activity: Self::OTHER };

    /// True when the class has the attribute `actor`.
    pub(super) fn has_actor(self, schema: Schema) -> bool {
        match self.uid {
            Self::ACCOUNT_CHANGE | Self::AUTHENTICATION | Self::FILE_HOSTING => true,
            Self::ENTITY_MANAGEMENT | Self::USER_ACCESS | Self::GROUP_MANAGEMENT => {
                schema >= Schema::V1_8
            }
            _ => false,
        }
    }

    /// True when the class has the attribute `src_endpoint`.
    pub(super) fn has_source(self, schema: Schema) -> bool {
        self.uid == Self::WEB_RESOURCES || self.has_actor(schema)
    }

    /// True when the class has the attribute `http_request`.
    pub(super) fn has_request(self, schema: Schema) -> bool {
        match self.uid {
            Self::ACCOUNT_CHANGE | Self::AUTHENTICATION | Self::WEB_RESOURCES => true,
            0 => false,
            _ => schema >= Schema::V1_8,
        }
    }

    /// True when no attribute of the class holds the event's first target.
    pub(super) fn names_no_target(self) -> bool {
        matches!(self.uid, Self::AUTHENTICATION | Self::ACCOUNT_CHANGE | Self::USER_ACCESS)
    }

    /// The largest activity of the class.
    fn activity_max(self, schema: Schema) -> u8 {
        let (in_1_1, in_1_8) = match self.uid {
            Self::ACCOUNT_CHANGE => (11, 12),
            Self::AUTHENTICATION => (5, 7),
            Self::ENTITY_MANAGEMENT => (4, 13),
            Self::USER_ACCESS => (2, 2),
            Self::GROUP_MANAGEMENT => (6, 8),
            Self::WEB_RESOURCES => (8, 8),
            Self::FILE_HOSTING => (16, 17),
            _ => (0, 0),
        };
        if schema == Schema::V1_1 { in_1_1 } else { in_1_8 }
    }
}

/// Returns the class in which the event can go out.
pub(super) fn choose(view: &View<'_>, actions: &KnownActions, schema: Schema) -> Class {
    let Some(spec) = texts::known(view, actions) else { return Class::BASE };
    let wanted = Class { uid: spec.ocsf_class_uid, activity: spec.ocsf_activity_id };
    let class = satisfied(wanted, view, schema);
    if class.activity > class.activity_max(schema) {
        return Class { activity: Class::OTHER, ..class };
    }
    class
}

/// Returns the class, or what to fall back to when the event lacks what it requires.
fn satisfied(wanted: Class, view: &View<'_>, schema: Schema) -> Class {
    let has_entity = entity(view).is_named();
    let met = match wanted.uid {
        Class::ACCOUNT_CHANGE => is_user(affected_user(view)),
        Class::AUTHENTICATION => is_user(subject(view)),
        Class::USER_ACCESS => is_user(affected_user(view)) && privileges(view).next().is_some(),
        Class::GROUP_MANAGEMENT => {
            let user = party::targets(view).find(Party::is_user).is_some_and(is_user);
            group(view).is_named() && (user || schema >= Schema::V1_8)
        }
        Class::ENTITY_MANAGEMENT | Class::WEB_RESOURCES => has_entity,
        Class::FILE_HOSTING => has_entity && is_user(Party::at(view, "/actor")),
        _ => false,
    };
    match wanted.uid {
        _ if met => wanted,
        Class::USER_ACCESS if has_entity => Class { uid: Class::ENTITY_MANAGEMENT, activity: 3 },
        Class::GROUP_MANAGEMENT if has_entity => {
            let activity = match wanted.activity {
                6 => 1,
                5 => 4,
                _ => 3,
            };
            Class { uid: Class::ENTITY_MANAGEMENT, activity }
        }
        _ => Class::BASE,
    }
}

/// A user object needs a name or an id.
fn is_user(party: Party<'_>) -> bool {
    party.is_named()
}

/// Returns who signs in or out: the actor, else the name that somebody tried.
pub(super) fn subject<'a>(view: &View<'a>) -> Party<'a> {
    let actor = Party::at(view, "/actor");
    if actor.is_named() {
        return actor;
    }
    let name = view.text("/context/attempted_identity").filter(|name| !name.is_empty());
    Party { name, ..Party::default() }
}

/// Returns whose account or rights changed: the first target that is a user, else the actor.
pub(super) fn affected_user<'a>(view: &View<'a>) -> Party<'a> {
    party::targets(view).find(Party::is_user).unwrap_or_else(|| Party::at(view, "/actor"))
}

/// Returns the group: the first target that calls itself one, else the first that is no user.
pub(super) fn group<'a>(view: &View<'a>) -> Party<'a> {
    let is_group = |target: &Party<'_>| matches!(target.kind, Some("group" | "team" | "role"));
    let named = party::targets(view).find(is_group);
    named.or_else(|| party::targets(view).find(|target| !target.is_user())).unwrap_or_default()
}

/// Returns the thing it was done to.
pub(super) fn entity<'a>(view: &View<'a>) -> Party<'a> {
    party::targets(view).next().unwrap_or_default()
}

/// Returns the rights that were given or taken: the targets that are no users.
pub(super) fn privileges<'a>(view: &View<'a>) -> impl Iterator<Item = &'a str> {
    party::targets(view).filter(|target| !target.is_user()).filter_map(|target| target.label())
}
