//! Which ASIM schema an event belongs to and its `EventType`, from the OCSF class and activity of its known action.

use attestary_event::{View, actions::KnownActions};

use crate::{
    party::{self, Party},
    texts,
};

/// An ASIM schema; each has a table of its own in Sentinel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Authentication,
    UserManagement,
    AuditEvent,
}

impl Table {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Authentication => "Authentication",
            Self::UserManagement => "UserManagement",
            Self::AuditEvent => "AuditEvent",
        }
    }

    pub(super) fn version(self) -> &'static str {
        match self {
            Self::Authentication => "0.1.4",
            Self::UserManagement | Self::AuditEvent => "0.1.2",
        }
    }
}

/// A schema and the value of `EventType` in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventType {
    pub(super) table: Table,
    pub(super) name: &'static str,
}

/// Returns the schema and type. UserManagement requires the actor's name: without one the event is an AuditEvent.
pub(super) fn choose(view: &View<'_>, actions: &KnownActions) -> EventType {
    let spec = texts::known(view, actions);
    let (class, activity) =
        spec.map_or((0, 99), |spec| (spec.ocsf_class_uid, spec.ocsf_activity_id));
    if let Some(name) = authentication(class, activity) {
        return EventType { table: Table::Authentication, name };
    }
    match user_management(class, activity) {
        Some(name) if Party::at(view, "/actor").is_named() => {
            EventType { table: Table::UserManagement, name }
        }
        _ => EventType { table: Table::AuditEvent, name: audit_event(class, activity) },
    }
}

fn authentication(class: u32, activity: u8) -> Option<&'static str> {
    match (class, activity) {
        (3002, 1) => Some("Logon"),
        (3002, 2) => Some("Logoff"),
        (3002, 7) => Some("Elevate"),
        _ => None,
    }
}

fn user_management(class: u32, activity: u8) -> Option<&'static str> {
    match (class, activity) {
        (3001, 1) => Some("UserCreated"),
        (3001, 2) => Some("UserEnabled"),
        (3001, 3) => Some("PasswordChanged"),
        (3001, 4) => Some("PasswordReset"),
        (3001, 5) => Some("UserDisabled"),
        (3001, 6) => Some("UserDeleted"),
        (3001, 9) => Some("UserLocked"),
        (3001, 12) => Some("UserUnlocked"),
        (3001 | 3005, _) => Some("UserModified"),
        (3006, 3) => Some("UserAddedToGroup"),
        (3006, 4) => Some("UserRemovedFromGroup"),
        (3006, 5) => Some("GroupDeleted"),
        (3006, 6) => Some("GroupCreated"),
        (3006, _) => Some("GroupModified"),
        _ => None,
    }
}

fn audit_event(class: u32, activity: u8) -> &'static str {
    match (class, activity) {
        (3001, 1 | 10) | (3004 | 6001, 1) | (3006, 6) => "Create",
        (3001, 6 | 11) | (3004 | 6001 | 6006, 4) | (3006, 5) => "Delete",
        (3004, 2) | (6001, 2 | 5 | 7) | (6006, 2 | 9 | 14) => "Read",
        (3004, 8 | 10) | (3001, 2) => "Enable",
        (3004, 9 | 11) | (3001, 5) => "Disable",
        (3004, 3) | (6001, 3 | 6 | 8) | (6006, 1 | 3 | 5..=8 | 10..=13) => "Set",
        (3001 | 3005 | 3006, _) => "Set",
        _ => "Other",
    }
}

/// Returns the group: the first target that calls itself one.
pub(super) fn group<'a>(view: &View<'a>) -> Option<Party<'a>> {
    party::targets(view).find(|target| matches!(target.kind, Some("group" | "team" | "role")))
}
