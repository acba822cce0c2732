use attestary_event::{EnvironmentId, EventId, TenantId};
use serde_json::json;

use super::*;

fn item(seq: u64, body: &str) -> Item {
    let event = Event {
        id: EventId([seq as u8; 16]),
        tenant: TenantId::restored("acme"),
        environment: EnvironmentId::restored("production"),
        seq,
        received_at: Timestamp(1_700_000_000_000),
        flags: 0,
        leaf_hash: [seq as u8; 32],
        body: body.as_bytes().into(),
    };
    Item {
        event,
        entry: vec![7; 88],
        seed: Some([9; 16]),
        proof: "c2sp.org/tlog-proof@v1\n".to_owned(),
    }
}

fn certificate(items: Vec<Item>) -> Certificate {
    Certificate {
        transaction: "Rq8675309".to_owned(),
        by: None,
        made_at: Timestamp(1_800_000_000_000),
        made_by: "key_1".to_owned(),
        origin: "audit.example.com/t/1".to_owned(),
        size: 12,
        root: [3; 32],
        checkpoint: "audit.example.com/t/1\n12\nroot\n\n— audit.example.com/t/1 signature\n"
            .to_owned(),
        items,
    }
}

#[test]
fn events_stand_in_the_json_to_the_byte_and_the_header_is_taken_from_them() {
    let first = r#"{"action":"LINK_SENT","occurred_at":"2026-11-22T00:00:01.000Z","actor":{"type":"user","id":"u1","name":"Ada"},"context":{"request_id":"Rq8675309","session_id":"s"},"metadata":{"n":9007199254740993.50}}"#;
    let second = r#"{"action":"COMPLETED","outcome":"success","occurred_at":"2026-11-22T00:00:02.000Z","actor":{"type":"anonymous"},"targets":[{"type":"digitalJourney","id":"p"}],"context":{"request_id":"Rq8675309","session_id":"s","parent_session_id":"m"}}"#;
    let made = certificate(vec![item(1, first), item(4, second)]);
    let bytes = made.to_json(KnownActions::builtin());
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains(r#""metadata":{"n":9007199254740993.50}"#), "{text}");
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((&value["type"], &value["version"]), (&json!(KIND), &json!(1)));
    assert_eq!(value["originator"]["name"], "Ada");
    assert_eq!(value["process"], json!({ "type": "digitalJourney", "id": "p" }));
    assert_eq!(value["status"]["action"], "COMPLETED");
    assert_eq!(value["transaction"]["request_ids"], json!(["Rq8675309"]));
    assert_eq!(value["transaction"]["parent_session_ids"], json!(["m"]));
    assert_eq!(value["began_at"], "2026-11-22T00:00:01.000Z");
    assert_eq!((&value["events"], value["data"].as_array().unwrap().len()), (&json!(2), 2));
    assert_eq!(value["data"][1]["event"]["seq"], 4);
    assert_eq!(value["data"][0]["seed"], "09".repeat(16));
}

#[test]
fn what_cannot_be_shown_is_written_out_and_cannot_be_feigned() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(typeface::shown(text), expected);
        assert!(expected.chars().all(|c| typeface::glyph(c).is_some()));
    }
    check("Zażółć Ωμέγα Привет Ճ ß", "Zażółć Ωμέγα Привет Ճ ß");
    check("a\nb\u{202e}c", "a\\u{A}b\\u{202E}c");
    check("中", "\\u{4E2D}");
    check("שלום", "\\u{5E9}\\u{5DC}\\u{5D5}\\u{5DD}");
    check("\\u{4E2D}", "\\\\u{4E2D}");
    check("🙂", "\\u{1F642}");
}

#[test]
fn every_glyph_has_the_width_that_the_layout_counts_with() {
    let face = typeface::face();
    let units = f32::from(face.units_per_em());
    for c in "aW…–ЖΩ€".chars() {
        let advance = face.glyph_hor_advance(typeface::glyph(c).unwrap()).unwrap();
        assert!((f32::from(advance) * 1000.0 / units - typeface::ADVANCE).abs() < 0.5, "{c}");
    }
}

#[test]
fn no_text_leaves_its_page() {
    let long = "x".repeat(5_000);
    let body = format!(
        r#"{{"action":"{long}","occurred_at":"2026-11-22T00:00:01.000Z","actor":{{"type":"{long}","id":"{long}"}},"description":"{long}"}}"#
    );
    let made = certificate((1..60).map(|seq| item(seq, &body)).collect());
    let pages = document::pages(
        &made,
        &made.header(KnownActions::builtin()),
        "00",
        KnownActions::builtin(),
    );
    assert!(pages.len() > 10, "{}", pages.len());
    for page in &pages {
        for text in &page.texts {
            let end = text.x + text.text.chars().count() as f32 * text.size * 0.602;
            assert!(end <= document::WIDTH - 40.0, "{text:?}");
            assert!(text.y > 20.0 && text.y < document::HEIGHT - 20.0, "{text:?}");
        }
    }
    let mut seen: Vec<(i32, i32)> = pages[0]
        .texts
        .iter()
        .map(|text| ((text.x * 10.0) as i32, (text.y * 10.0) as i32))
        .collect();
    let before = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), before, "two texts at one place");
    assert!(made.to_pdf(KnownActions::builtin()).starts_with(b"%PDF-1.7"));
}
