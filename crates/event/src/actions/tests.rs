//! The data files against the names that the systems publish and the codes that ECS and OCSF allow.

use super::*;

const IRONCORE: [&str; 31] = [
    "USER_ADD",
    "USER_SUSPEND",
    "USER_REMOVE",
    "USER_LOGIN",
    "USER_TIMEOUT_SESSION",
    "USER_LOCKOUT",
    "USER_LOGOUT",
    "USER_CHANGE_PERMISSIONS",
    "USER_EXPIRE_PASSWORD",
    "USER_RESET_PASSWORD",
    "USER_CHANGE_PASSWORD",
    "USER_REJECT_LOGIN",
    "USER_ENABLE_TWO_FACTOR",
    "USER_DISABLE_TWO_FACTOR",
    "USER_CHANGE_EMAIL",
    "USER_REQUEST_EMAIL_VERIFICATION",
    "USER_VERIFY_EMAIL",
    "ADMIN_ADD",
    "ADMIN_REMOVE",
    "ADMIN_CHANGE_PERMISSIONS",
    "ADMIN_CHANGE_SETTING",
    "DATA_IMPORT",
    "DATA_EXPORT",
    "DATA_ENCRYPT",
    "DATA_DECRYPT",
    "DATA_CREATE",
    "DATA_DELETE",
    "DATA_DENY_ACCESS",
    "DATA_CHANGE_PERMISSIONS",
    "PERIODIC_ENFORCE_RETENTION_POLICY",
    "PERIODIC_CREATE_BACKUP",
];

const FORMIO: [&str; 26] = [
    "EAUTH_NOUSER",
    "EAUTH_PASSWORD",
    "AUTH_LOGIN",
    "EAUTH_LOGINCOUNT",
    "REQUEST_START",
    "REQUEST_END",
    "AUTH_ANONYMOUS",
    "AUTH_LOGOUT",
    "SUBMISSION_READ",
    "FORM_READ",
    "ACTION_READ",
    "PROJECT_READ",
    "ROLE_READ",
    "TEAM_READ",
    "V_READ",
    "PROJECT_SETTINGS",
    "SUBMISSION_CREATE",
    "SUBMISSION_UPDATE",
    "FORM_CREATE",
    "FORM_UPDATE",
    "PROJECT_CREATE",
    "PROJECT_UPDATE",
    "ROLE_CREATE",
    "ROLE_UPDATE",
    "TEAM_CREATE",
    "TEAM_UPDATE",
];

const FORMIO_CORE: [&str; 12] = [
    "EAUTH_AUTHCONFIG",
    "EAUTH_EMPTYUN",
    "EAUTH_EMPTYPW",
    "EAUTH_BLANKPW",
    "EAUTH_BCRYPT",
    "EAUTH_USERFORM",
    "AUTH_APIKEY",
    "EAUTH_TOKENBAD",
    "EAUTH_TOKENEXPIRED",
    "EAUTH_EMPTYSUB",
    "AUTH_TOKEN",
    "AUTH_TOKENREFRESH",
];

const EASYSEND: [&str; 5] = [
    "OPENED",
    "CheckAuthResponseMissingCredentials",
    "CheckAuthResponseAuthenticationSucceed",
    "CheckAuthResponseAuthenticationError",
    "CheckAuthResponseAuthenticationFailed",
];

/// Names of ours for events that EasySend names in prose only.
const EASYSEND_COINED: [&str; 9] = [
    "LINK_SENT",
    "STEP_COMPLETED",
    "DATA_SUBMITTED",
    "COMPLETED",
    "OTP_SENT",
    "OTP_RESENT",
    "OTP_PASSED",
    "OTP_FAILED",
    "SESSION_BLOCKED",
];

/// Frozen.
const SERVICE: [&str; 14] = [
    "attestary.genesis",
    "attestary.retention.applied",
    "attestary.erasure.applied",
    "attestary.hold.placed",
    "attestary.hold.released",
    "attestary.gap",
    "attestary.export",
    "attestary.view",
    "attestary.key.rotated",
    "attestary.policy.changed",
    "attestary.clock.stepped",
    "attestary.destination.changed",
    "attestary.restored",
    "attestary.alert.raised",
];

/// Each name is an alias of its family, with that mark, and finds the action that it stands under.
#[track_caller]
fn check_names(family: &str, names: &[&str], coined: bool) {
    for name in names {
        let spec =
            KnownActions::builtin().find(name).unwrap_or_else(|| panic!("{name} is not known"));
        let alias = spec.aliases.iter().find(|alias| alias.name == *name);
        let alias =
            alias.unwrap_or_else(|| panic!("{name} finds {} but is no alias of it", spec.name));
        assert_eq!((alias.family.as_str(), alias.coined), (family, coined), "{name}");
    }
}

#[test]
fn every_published_name_is_known() {
    check_names("ironcore", &IRONCORE, false);
    check_names("ironcore", &["ENFORCE_RETENTION_POLICY", "CREATE_BACKUP"], false);
    check_names("formio", &FORMIO, false);
    check_names("formio", &FORMIO_CORE, false);
    check_names("easysend", &EASYSEND, false);
    check_names("easysend", &EASYSEND_COINED, true);
    let aliases = KnownActions::builtin().iter().map(|spec| spec.aliases.len()).sum::<usize>();
    assert_eq!(aliases, 31 + 2 + 26 + 12 + 5 + 9, "an alias that no list here names");
}

#[test]
fn the_names_of_service_events_are_frozen() {
    let known = KnownActions::builtin();
    let names: Vec<_> = known
        .iter()
        .map(|spec| spec.name.as_str())
        .filter(|name| name.starts_with("attestary."))
        .collect();
    assert_eq!(names, SERVICE);
}

#[track_caller]
fn check_found(action: &str, expected: Option<&str>) {
    assert_eq!(
        KnownActions::builtin().find(action).map(|spec| spec.name.as_str()),
        expected,
        "{action}"
    );
}

#[test]
fn names_are_found_exactly_then_by_prefix() {
    check_found("user.login", Some("user.login"));
    check_found("USER_LOGIN", Some("user.login"));
    check_found("AUTH_LOGIN", Some("user.login"));
    check_found("User.Login", None);
    check_found("USER_LOGIN ", Some("user.other"));
    check_found("CUSTOM_Weird name-9", Some("custom.event"));
    check_found("CUSTOM_", Some("custom.event"));
    check_found("DATA_SUBMITTED", Some("process.data.submitted"));
    check_found("PERIODIC_ROTATE", Some("periodic.other"));
    check_found("custom_x", None);
    check_found("", None);
}

#[test]
fn outcomes_follow_the_action() {
    let outcome = |action: &str| KnownActions::builtin().find(action).unwrap().outcome;
    assert_eq!(outcome("EAUTH_PASSWORD"), Outcome::Failure);
    assert_eq!(outcome("USER_REJECT_LOGIN"), Outcome::Failure);
    assert_eq!(outcome("DATA_DENY_ACCESS"), Outcome::Denied);
    assert_eq!(outcome("SESSION_BLOCKED"), Outcome::Denied);
    assert_eq!(outcome("CheckAuthResponseAuthenticationSucceed"), Outcome::Success);
    assert_eq!(outcome("REQUEST_START"), Outcome::Unknown);
    let texts = [Outcome::Success, Outcome::Failure, Outcome::Denied, Outcome::Unknown]
        .map(Outcome::as_str);
    assert_eq!(texts, crate::spec::OUTCOMES);
}

/// What ECS permits as `event.type` under each `event.category`.
fn ecs_types(category: &str) -> &'static [&'static str] {
    match category {
        "api" => &[
            "access", "admin", "allowed", "change", "creation", "deletion", "denied", "end",
            "info", "start", "user",
        ],
        "authentication" | "session" => &["start", "end", "info"],
        "configuration" => &["access", "change", "creation", "deletion", "info"],
        "database" => &["access", "change", "info", "error"],
        "file" => &["access", "change", "creation", "deletion", "info"],
        "iam" => &["admin", "change", "creation", "deletion", "group", "info", "user"],
        "web" => &["access", "error", "info"],
        _ => &[],
    }
}

/// The activities of each OCSF class (1.1.0 and 1.8.0).
fn ocsf_activities(class_uid: u32) -> Vec<u8> {
    match class_uid {
        0 => vec![0, 99],
        3001 => (1..=12).collect(),
        3002 => (1..=7).collect(),
        3003 | 3005 => vec![1, 2],
        3004 => (1..=13).collect(),
        3006 | 6001 => (1..=8).collect(),
        6006 => [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14].into(),
        _ => Vec::new(),
    }
}

#[test]
fn every_mapping_is_permitted() {
    for spec in KnownActions::builtin().iter() {
        assert_eq!(spec.ecs_category.is_empty(), spec.ecs_type.is_empty(), "{}", spec.name);
        for category in &spec.ecs_category {
            for kind in &spec.ecs_type {
                assert!(
                    ecs_types(category).contains(&kind.as_str()),
                    "{}: {category} has no {kind}",
                    spec.name
                );
            }
        }
        assert!(
            ocsf_activities(spec.ocsf_class_uid).contains(&spec.ocsf_activity_id),
            "{}",
            spec.name
        );
    }
}

#[test]
fn every_entry_is_well_formed() {
    for spec in KnownActions::builtin().iter() {
        let steps = spec.name.split('.');
        let dotted = steps.clone().count() > 1
            && steps.clone().all(|step| {
                !step.is_empty() && step.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
            });
        assert!(dotted, "{} is not dotted lower case", spec.name);
        assert!(spec.severity <= 10, "{}", spec.name);
        assert!(
            !spec.category.is_empty() && !spec.display.is_empty() && !spec.sentence.is_empty(),
            "{}",
            spec.name
        );
        // CEF cuts names at 512 characters and wants none of the event's values in them.
        assert!(spec.display.len() <= 64 && !spec.display.contains(['{', '|']), "{}", spec.name);
        let rest = spec.sentence.replace("{actor}", "").replace("{target}", "");
        assert!(!rest.contains(['{', '}', '.']), "{}: {}", spec.name, spec.sentence);
    }
}

#[track_caller]
fn check_refused(families: &[(&str, &str)], piece: &str) {
    let error = KnownActions::from_families(families).unwrap_err().to_string();
    assert!(error.contains(piece), "{error} lacks {piece}");
}

#[test]
fn a_faulty_family_is_refused() {
    let action = r#"
        [[action]]
        name = "a.b"
        category = "c"
        severity = 1
        outcome = "success"
        display = "D"
        sentence = "s""#;
    let with = |rest: &str| format!("{action}\n{rest}");
    assert_eq!(KnownActions::from_families(&[("one", action)]).unwrap().iter().len(), 1);
    check_refused(&[("one", action), ("two", action)], r#"the name "a.b" of family two is taken"#);
    check_refused(&[("one", &with("[[alias]]\nname = \"a.b\"\nof = \"a.b\""))], "is taken");
    check_refused(
        &[("one", &with("[[alias]]\nname = \"X\"\nof = \"a.c\""))],
        r#"unknown action "a.c""#,
    );
    check_refused(&[("one", &with("unknown = 1"))], "does not parse");
    let twice = "[[prefix]]\nprefix = \"X_\"\nof = \"a.b\"\n".repeat(2);
    check_refused(&[("one", &with(&twice))], "is taken");
}
