//! The UDM event type of an event, from the OCSF class and activity of its known action.

use attestary_event::{View, actions::KnownActions};

use crate::{
    party::{self, Party},
    texts,
};

const GENERIC: &str = "GENERIC_EVENT";

/// Returns the type, or `GENERIC_EVENT` when the event lacks the nouns that the type requires.
pub(super) fn choose(view: &View<'_>, actions: &KnownActions) -> &'static str {
    let spec = texts::known(view, actions);
    let (class, activity) =
        spec.map_or((0, 99), |spec| (spec.ocsf_class_uid, spec.ocsf_activity_id));
    let wanted = wanted(class, activity);
    let met = if wanted.starts_with("USER_RESOURCE_") {
        Party::at(view, "/actor").is_named() && party::targets(view).next().is_some()
    } else {
        wanted == GENERIC || target_user(view, wanted).is_some()
    };
    if met { wanted } else { GENERIC }
}

fn wanted(class: u32, activity: u8) -> &'static str {
    match (class, activity) {
        (3002, 1) => "USER_LOGIN",
        (3002, 2) => "USER_LOGOUT",
        (3001, 1) => "USER_CREATION",
        (3001, 6) => "USER_DELETION",
        (3001, 3 | 4) => "USER_CHANGE_PASSWORD",
        (3001 | 3002, _) => "USER_UNCATEGORIZED",
        (3005 | 3006, _) => "USER_CHANGE_PERMISSIONS",
        (3004 | 6001, 1) | (6006, 1) => "USER_RESOURCE_CREATION",
        (3004 | 6001 | 6006, 4) => "USER_RESOURCE_DELETION",
        (3004, 2) | (6001, 2 | 5 | 7) | (6006, 2 | 9 | 14) => "USER_RESOURCE_ACCESS",
        (6001, 8) | (6006, 12 | 13) => "USER_RESOURCE_UPDATE_PERMISSIONS",
        (3004, 3..=13) | (6001, 3 | 6) | (6006, 3 | 5..=8) => "USER_RESOURCE_UPDATE_CONTENT",
        _ => GENERIC,
    }
}

/// Returns the user that it happened to: the first target that is a user. In types about a user's own account it
/// is the actor when no target is one; who signs in may be known by the name he tried only.
pub(super) fn target_user<'a>(view: &View<'a>, event_type: &str) -> Option<Party<'a>> {
    let target = party::targets(view).find(Party::is_user);
    let own = event_type.starts_with("USER_") && !event_type.starts_with("USER_RESOURCE_");
    if target.is_some() || !own {
        return target;
    }
    let actor = Party::at(view, "/actor");
    if actor.is_named() {
        return Some(actor);
    }
    let attempted = view.text("/context/attempted_identity").filter(|name| !name.is_empty());
    attempted.map(|name| Party { id: Some(name), ..Party::default() })
}
