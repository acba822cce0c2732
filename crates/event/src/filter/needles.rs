//! Bytes that the body of every matching event holds: the part of a filter that rules bodies out before they are read
//! as JSON.
//!
//! Bodies are compact JSON with the fewest escapes there are, so a run of printable ASCII without quotes and
//! backslashes stands in the body as it stands in the value. Words are looked for in any letter case and nothing beyond
//! ASCII folds to ASCII, so such a run of a word must occur too, in some case. Like bounds, needles are necessary, never
//! sufficient.

use super::{
    ast::Comparator,
    column::Source,
    matcher::{Matcher, Relation},
    pattern::Glob,
    plan::Step,
};

/// Shorter runs occur in nearly every body.
const BYTES_MIN: usize = 3;
/// More needles than this rule hardly more out.
const NEEDLES_MAX: usize = 8;

/// What a body must hold, each in any letter case.
#[derive(Debug, Clone, Default)]
pub struct Needles(Vec<Needle>);

#[derive(Debug, Clone)]
struct Needle {
    /// ASCII in lower case.
    text: Box<[u8]>,
    /// The place of its rarest byte, which is looked for first.
    rarest: usize,
}

impl Needles {
    pub(super) fn of(step: &Step) -> Self {
        let mut needles = Self::default();
        needles.collect(step);
        needles.0.truncate(NEEDLES_MAX);
        needles
    }

    /// Returns true when every body passes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns false when an event with this body, as it is stored, cannot match.
    pub fn admit(&self, body: &[u8]) -> bool {
        self.0.iter().all(|needle| needle.occurs_in(body))
    }

    fn collect(&mut self, step: &Step) {
        match step {
            Step::All(parts) => parts.iter().for_each(|part| self.collect(part)),
            // Such a word may stand in the id, which is not part of the body.
            Step::Word(word) if !word.may_be_id => {
                word.folded().for_each(|part| self.0.extend(Needle::of(part)));
            }
            Step::Compare(Source::Scalar(_) | Source::Walk { .. }, matcher) => {
                self.0.extend(only_text(matcher).and_then(|text| Needle::of(text.as_bytes())));
            }
            _ => {}
        }
    }
}

/// Returns the one text that the comparison selects; `None` when something else may be selected too.
fn only_text(matcher: &Matcher) -> Option<&str> {
    match &matcher.relation {
        _ if matcher.reads_as_another_type() => None,
        Relation::Like(Glob::Exact(text), None) | Relation::Compare(Comparator::Equal, text) => {
            Some(text)
        }
        _ => None,
    }
}

impl Needle {
    /// Takes the longest run that JSON writes as it is.
    fn of(text: &[u8]) -> Option<Self> {
        let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        let longest = text.split(|byte| !plain(byte)).max_by_key(|run| run.len())?;
        if longest.len() < BYTES_MIN {
            return None;
        }
        let text = longest.to_ascii_lowercase().into_boxed_slice();
        let rarest = (0..text.len()).max_by_key(|&at| rarity(text[at]))?;
        Some(Self { text, rarest })
    }

    fn occurs_in(&self, body: &[u8]) -> bool {
        let rare = self.text[self.rarest];
        memchr::memchr2_iter(rare, rare.to_ascii_uppercase(), body).any(|at| {
            let start = at.checked_sub(self.rarest);
            let found = start.and_then(|start| body.get(start..)?.get(..self.text.len()));
            found.is_some_and(|found| found.eq_ignore_ascii_case(&self.text))
        })
    }
}

/// Returns how rare a byte is in bodies, from what stands in audit events: keys, ids, times, addresses.
fn rarity(byte: u8) -> usize {
    const COMMON: &[u8] = b"e\"taoinrs:,0dlcu_1m2p.g3h5y46-7f89b vwkx/jzq";
    COMMON.iter().position(|common| *common == byte).unwrap_or(COMMON.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{
        View,
        filter::{Filter, Node, Path, Pattern, tests::event},
    };

    #[track_caller]
    fn check(filter: &str, body: &str, expected: bool) {
        let needles = Filter::parse(filter).unwrap().needles();
        assert_eq!(needles.admit(body.as_bytes()), expected, "{filter}: {needles:?}");
    }

    #[test]
    fn bodies_without_the_needle_are_ruled_out_in_any_letter_case() {
        let body = r#"{"action":"Invoice.PAID","metadata":{"note":"a\"bcd","plan":"pro-x"}}"#;
        check("invoice", body, true);
        check("paid", body, true);
        check("refund", body, false);
        check("invoice refund", body, false);
        check("invoice OR refund", body, true);
        check("NOT refund", body, true);
        check("inv*aid", body, true);
        check("inv*refund", body, false);
        check("\"a\\\"bcd\"", body, true);
        check("\"a\\\"bce\"", body, false);
        check("metadata.plan:pro-x", body, true);
        check("metadata.plan=\"pro-y\"", body, false);
        // May be a piece of an id; too short; a number that may be written in another way.
        check("feed", body, true);
        check("zq", body, true);
        check("metadata.count=1234", body, true);
        check("metadata.plan!=\"pro-y\"", body, true);
    }

    proptest! {
        #[test]
        fn no_matching_body_is_ruled_out(
            before in "\\PC{0,8}",
            word in "[ -~\u{e9}\u{c9}\u{130}\u{212a}\n\"\\\\]{1,10}",
            after in "\\PC{0,8}",
            upper: bool,
        ) {
            let value = format!("{before}{}{after}", if upper { word.to_uppercase() } else { word.clone() });
            let event = event(&serde_json::json!({
                "id": "01930b5e-5a53-709e-8f3c-0123456789ab", "tenant": "acme", "environment": "e", "seq": 1,
                "received_at": "2026-11-22T00:00:00.000Z", "leaf_hash": "00".repeat(32), "metadata": {"note": value},
            }));
            let view = View { event: &event, fields: &event.fields() };
            let word = Filter::of(Node::Word(Pattern::literal(&word)));
            let equal = Filter::equals(Path::parse("metadata.note").unwrap(), &value);
            for filter in [word, equal] {
                prop_assert!(!filter.matches(&view) || filter.needles().admit(&event.body), "{filter}");
            }
        }
    }
}
