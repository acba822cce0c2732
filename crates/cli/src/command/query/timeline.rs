//! `attestary query --timeline`: what one request did, with the time since it began.

use jiff::Timestamp;
use serde_json::Value;

use super::{row, text};
use crate::table;

/// Events shown at least, whatever the limit for lists is: a request is of use as a whole.
pub(super) const EVENTS_MIN: usize = 10_000;

/// Returns the filter for a request's events; the id is text, nothing in it is a wild card.
pub(super) fn filter(request: &str) -> String {
    let text = request.replace('\\', "\\\\").replace('"', "\\\"").replace('*', "\\*");
    format!("context.request_id:\"{text}\"")
}

/// Returns the events as a table, by the time at which they happened.
pub(super) fn render(events: &[Value]) -> String {
    let time = |event: &Value| {
        event.get("occurred_at").and_then(Value::as_str).and_then(|at| at.parse::<Timestamp>().ok())
    };
    let mut sorted: Vec<&Value> = events.iter().collect();
    // Stable: events of one millisecond stay in the order of the log.
    sorted.sort_by_key(|event| time(event));
    let start = sorted.iter().find_map(|event| time(event));
    let rows: Vec<[String; 8]> = sorted
        .iter()
        .map(|event| {
            let since = start
                .zip(time(event))
                .map(|(start, at)| format!("+{} ms", at.as_millisecond() - start.as_millisecond()));
            let [seq, _, action, actor, target, outcome, ip] = row(event);
            let http = ["/context/http/method", "/context/http/url", "/context/http/status"]
                .map(|pointer| event.pointer(pointer).map_or_else(String::new, text))
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(" ");
            [since.unwrap_or_default(), seq, action, actor, target, http, outcome, ip]
        })
        .collect();
    let header = ["since start", "seq", "action", "actor", "target", "request", "outcome", "ip"];
    table::render(header, &rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_stand_in_the_order_of_time_with_their_distance() {
        let event = |seq: u64, ms: u64| json!({ "seq": seq, "occurred_at": format!("2026-11-22T00:00:00.{ms:03}Z"), "action": "a" });
        let table = render(&[event(1, 7), event(2, 0), event(3, 174)]);
        let lines: Vec<&str> = table.lines().filter(|line| line.contains("ms")).collect();
        assert_eq!(lines.len(), 3, "{table}");
        assert!(lines[0].starts_with("+0 ms") && lines[1].starts_with("+7 ms"), "{table}");
        assert!(lines[2].starts_with("+174 ms"), "{table}");
        assert_eq!(filter("a\"*"), r#"context.request_id:"a\"\*""#);
    }
}
