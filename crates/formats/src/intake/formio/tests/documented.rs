//! FO-01, FO-02, FO-03: the documented lines, in every way that Node and docker write them.

use std::collections::BTreeMap;

use super::*;

const EXPECTED: &str = include_str!("../../../../fixtures/formio/expected.ndjson");

/// One line of the golden file: what the reader says besides the event, then the event without its raw line.
fn render(item: &Item) -> String {
    let hint = item.tenant_hint.as_deref().unwrap_or("-");
    assert!(item.parsed && item.flags.is_empty(), "{item:?}");
    format!(
        "{{\"line\":{},\"tenant\":\"{hint}\",\"event\":{}}}}}\n",
        item.line_number,
        without_source(item)
    )
}

// seeds: FO-02 FO-04 FO-05 FO-06 FO-07 FO-08 FO-11 FO-13 with the documented lines
#[test]
fn all_documented_lines_become_the_expected_events() {
    check_events(LOG);
}

#[test]
fn intake_knows_every_documented_event() {
    for item in read(LOG.as_bytes()) {
        let fields = accepted(&item).fields;
        let text = |pointer| fields.get(pointer).unwrap().value.to_owned();
        let failed = text("/action").starts_with("EAUTH_");
        assert_eq!(text("/outcome") == "failure", failed, "{}", text("/action"));
        assert!(KnownActions::builtin().find(&text("/action")).is_some(), "{}", text("/action"));
    }
}

#[track_caller]
fn check_events(log: &str) {
    let rendered: Vec<String> = read(log.as_bytes()).iter().map(render).collect();
    for (line, expected) in rendered.iter().zip(EXPECTED.split_inclusive('\n')) {
        assert_eq!(line, expected);
    }
    assert_eq!(rendered.len(), 26);
    assert_eq!(EXPECTED.lines().count(), 26);
}

#[track_caller]
fn check_variant(variant: impl Fn(&str) -> String) {
    let log: String = LOG.lines().map(|line| variant(line) + "\n").collect();
    assert_ne!(log, LOG, "the variant changes nothing");
    check_events(&log);
}

// seeds: FO-03
#[test]
fn single_quotes_are_read_like_double_quotes() {
    check_variant(|line| {
        // Only the ids: the query keeps its own quotes.
        line.replace("new ObjectId(\"", "new ObjectId('").replace("\")", "')")
    });
}

#[test]
fn bare_ids_are_read_like_wrapped_ids() {
    check_variant(|line| line.replace("new ObjectId(\"", "").replace("\")", ""));
}

// seeds: FO-03
#[test]
fn colours_are_ignored() {
    check_variant(|line| {
        line.replace("new ObjectId(\"", "new ObjectId(\x1b[32m'")
            .replace("\")", "'\x1b[39m)")
            .replace(" 200 ", " \x1b[33m200\x1b[39m ")
    });
}

#[test]
fn carriage_returns_are_line_ends() {
    check_variant(|line| format!("{line}\r"));
}

// seeds: FO-01
#[test]
fn docker_lines_are_unwrapped() {
    check_variant(|line| {
        let log = serde_json::to_string(&format!("{line}\n")).unwrap();
        format!("{{\"log\":{log},\"stream\":\"stdout\",\"time\":\"2024-04-25T14:50:03.2Z\"}}")
    });
}

#[test]
fn lines_that_docker_split_are_joined() {
    let wrap = |log: &str| {
        format!("{{\"log\":{},\"stream\":\"stdout\"}}\n", serde_json::to_string(log).unwrap())
    };
    let log: String = LOG
        .split_inclusive('\n')
        .map(|line| {
            let (start, end) = line.split_at(40);
            wrap(start) + &wrap(end)
        })
        .collect();
    let events: Vec<String> = read(log.as_bytes()).iter().map(without_source).collect();
    let expected: Vec<String> = read(LOG.as_bytes()).iter().map(without_source).collect();
    assert_eq!(events, expected);
}

#[test]
fn the_raw_line_is_kept() {
    for (item, line) in read(LOG.as_bytes()).iter().zip(LOG.lines()) {
        assert_eq!(item.raw, line.as_bytes());
        assert_eq!(raw(&Fields::parse(&item.json, &Limits::default()).unwrap()), line);
    }
}

// seeds: FO-09
// FO-09
#[test]
fn the_lines_of_one_request_share_its_id() {
    let mut requests = BTreeMap::<String, Vec<String>>::new();
    for item in read(LOG.as_bytes()) {
        let fields = Fields::parse(&item.json, &Limits::default()).unwrap();
        let text = |pointer| fields.get(pointer).unwrap().value.to_owned();
        requests.entry(text("/context/request_id")).or_default().push(text("/action"));
    }
    assert_eq!(
        requests["5f46bed7-2a55-4ad7-b21f-cfccd724912b"],
        ["REQUEST_START", "REQUEST_END", "AUTH_ANONYMOUS"]
    );
    assert_eq!(
        requests["a780acd0-2691-4cf4-9934-44f32e5415a3"],
        ["ROLE_READ", "TEAM_READ", "PROJECT_SETTINGS"]
    );
    assert_eq!(requests.len(), 11);
}

#[test]
fn the_same_file_gives_the_same_ids_and_equal_lines_differ() {
    let twice = format!("{LOG}{LOG}");
    let ids = |log: &str, tenant: &str| -> Vec<String> {
        read(log.as_bytes())
            .iter()
            .map(|item| item.event_id(&[7; 32], tenant).to_string())
            .collect()
    };
    let first = ids(LOG, "t");
    assert_eq!(ids(LOG, "t"), first);
    let both = ids(&twice, "t");
    assert_eq!(both[..26], first, "a file that grew keeps the ids of its start");
    let distinct: std::collections::BTreeSet<&String> = both.iter().collect();
    assert_eq!(distinct.len(), 52, "equal lines of one import are two events");
    assert!(ids(LOG, "u").iter().all(|id| !first.contains(id)));
}

#[test]
fn a_submission_starts_with_id_and_tenant() {
    let item = &read(LOG.as_bytes())[0];
    let id = item.event_id(&[7; 32], "t\"");
    let json = String::from_utf8(item.submission(id, "t\"")).unwrap();
    assert!(
        json.starts_with(&format!(
            "{{\"id\":\"{id}\",\"tenant\":\"t\\\"\",\"action\":\"EAUTH_NOUSER\""
        )),
        "{json}"
    );
    assert!(Fields::parse(json.as_bytes(), &Limits::default()).is_ok());
}
