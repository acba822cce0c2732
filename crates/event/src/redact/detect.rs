//! Built-in detectors of secrets in text: keys, tokens and card numbers. Pure, and linear in the text.
//!
//! They know forms that are hard to mistake, so that a find is nearly always a secret: prefixes that issuers chose for
//! this purpose with the length of their keys, and card numbers that pass the Luhn check with an issuer's first digits.

use std::ops::Range;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detector {
    /// Access key ids of AWS.
    AwsKey,
    /// Tokens of GitHub and GitLab.
    GitToken,
    /// Tokens of Slack.
    SlackToken,
    /// Secret keys of payment services.
    PaymentKey,
    /// Keys of Google's APIs.
    GoogleKey,
    /// Keys of model services.
    ModelKey,
    /// API keys of this service.
    AttestaryKey,
    /// JSON Web Tokens.
    Jwt,
    /// Private keys in PEM form.
    PrivateKey,
    /// What follows `Bearer` or `Basic` in an Authorization header.
    Authorization,
    /// Password in a URL.
    UrlPassword,
    /// Card numbers.
    Card,
}

impl Detector {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::AwsKey,
        Self::GitToken,
        Self::SlackToken,
        Self::PaymentKey,
        Self::GoogleKey,
        Self::ModelKey,
        Self::AttestaryKey,
        Self::Jwt,
        Self::PrivateKey,
        Self::Authorization,
        Self::UrlPassword,
        Self::Card,
    ];

    /// Returns the name in policies and in the place of a find.
    pub fn name(self) -> &'static str {
        match self {
            Self::AwsKey => "aws_key",
            Self::GitToken => "git_token",
            Self::SlackToken => "slack_token",
            Self::PaymentKey => "payment_key",
            Self::GoogleKey => "google_key",
            Self::ModelKey => "model_key",
            Self::AttestaryKey => "attestary_key",
            Self::Jwt => "jwt",
            Self::PrivateKey => "private_key",
            Self::Authorization => "authorization",
            Self::UrlPassword => "url_password",
            Self::Card => "card",
        }
    }

    /// Returns the detector of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|detector| detector.name() == name)
    }

    /// Prefixes with the fewest characters that must follow.
    fn prefixes(self) -> &'static [(&'static str, usize)] {
        match self {
            Self::AwsKey => &[("AKIA", 16), ("ASIA", 16)],
            Self::GitToken => &[
                ("ghp_", 36),
                ("gho_", 36),
                ("ghu_", 36),
                ("ghs_", 36),
                ("ghr_", 36),
                ("github_pat_", 40),
                ("glpat-", 20),
            ],
            Self::SlackToken => {
                &[("xoxb-", 20), ("xoxp-", 20), ("xoxa-", 20), ("xoxr-", 20), ("xapp-", 20)]
            }
            Self::PaymentKey => &[("sk_live_", 16), ("sk_test_", 16), ("rk_live_", 16)],
            Self::GoogleKey => &[("AIza", 35), ("ya29.", 20)],
            Self::AttestaryKey => &[("atsk1", 75), ("atse1", 75), ("atsl1", 75)],
            Self::ModelKey => &[("sk-ant-", 20), ("sk-proj-", 20)],
            _ => &[],
        }
    }
}

/// Where a secret stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Find {
    /// What it is.
    pub detector: Detector,
    /// Its bytes in the text.
    pub range: Range<usize>,
}

/// Returns the secrets in `text`, in order and apart from each other; `wanted` empty looks for everything.
pub fn find(text: &str, wanted: &[Detector]) -> Vec<Find> {
    let mut finds = Vec::new();
    for detector in Detector::ALL {
        if wanted.is_empty() || wanted.contains(&detector) {
            of(detector, text, &mut finds);
        }
    }
    finds.sort_by_key(|find| (find.range.start, std::cmp::Reverse(find.range.end)));
    let mut end = 0;
    finds.retain(|find| {
        let apart = find.range.start >= end;
        end = end.max(find.range.end);
        apart
    });
    finds
}

/// Returns `text` with the kind of each find in its place.
pub fn replace(text: &str, finds: &[Find]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for find in finds {
        out.push_str(&text[from..find.range.start]);
        out.push('[');
        out.push_str(find.detector.name());
        out.push(']');
        from = find.range.end;
    }
    out.push_str(&text[from..]);
    out
}

fn of(detector: Detector, text: &str, finds: &mut Vec<Find>) {
    let mut note = |range| finds.push(Find { detector, range });
    match detector {
        Detector::Jwt => {
            for range in prefixed(text, "eyJ", 20) {
                let token = &text[range.clone()];
                let parts: Vec<_> = token.split('.').collect();
                if let [header, body, signature] = parts[..]
                    && header.len() >= 10
                    && body.starts_with("eyJ")
                    && signature.len() >= 10
                {
                    note(range);
                }
            }
        }
        Detector::PrivateKey => private_keys(text, &mut note),
        Detector::Authorization => authorizations(text, &mut note),
        Detector::UrlPassword => url_passwords(text, &mut note),
        Detector::Card => cards(text, &mut note),
        _ => {
            for (prefix, least) in detector.prefixes() {
                prefixed(text, prefix, *least).for_each(&mut note);
            }
        }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// Returns the words that begin with `prefix` and go on for at least `least` characters of tokens.
fn prefixed(text: &str, prefix: &str, least: usize) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    // What a word holds is looked at once, so that the time stays linear.
    let mut past = 0;
    text.match_indices(prefix).filter_map(move |(start, _)| {
        if start < past {
            return None;
        }
        let inside = start > 0 && bytes[start - 1].is_ascii_alphanumeric();
        let rest = bytes[start + prefix.len()..].iter();
        let mut length = rest.take_while(|byte| is_token(**byte)).count();
        past = start + prefix.len() + length;
        // A full stop or a dash at the end belongs to the sentence.
        while length > 0 && matches!(bytes[start + prefix.len() + length - 1], b'.' | b'-') {
            length -= 1;
        }
        (!inside && length >= least).then(|| start..start + prefix.len() + length)
    })
}

fn private_keys(text: &str, note: &mut impl FnMut(Range<usize>)) {
    const BEGIN: &str = "-----BEGIN ";
    const END: &str = "-----END ";
    let mut from = 0;
    while let Some(at) = text[from..].find(BEGIN).map(|at| from + at) {
        from = at + BEGIN.len();
        let Some(label) = text[from..].split("-----").next() else { return };
        if !label.ends_with("PRIVATE KEY") || label.len() > 40 {
            continue;
        }
        // A key that was cut off in the middle is one all the same.
        let end = text[from..].find(END).map_or(text.len(), |end| {
            let behind = from + end + END.len();
            text[behind..].find("-----").map_or(text.len(), |close| behind + close + 5)
        });
        note(at..end);
        from = end;
    }
}

fn authorizations(text: &str, note: &mut impl FnMut(Range<usize>)) {
    let bytes = text.as_bytes();
    for scheme in ["Bearer ", "bearer ", "Basic ", "basic "] {
        for (at, _) in text.match_indices(scheme) {
            let start = at + scheme.len();
            let secret =
                |byte: &&u8| is_token(**byte) || matches!(**byte, b'+' | b'/' | b'=' | b'~');
            let length = bytes[start..].iter().take_while(secret).count();
            let word = &text[start..start + length];
            // "basic understanding" is no credential.
            let mixed = word.bytes().any(|byte| byte.is_ascii_digit())
                || word.bytes().any(|byte| matches!(byte, b'=' | b'+' | b'/'));
            if length >= 16 && mixed {
                note(start..start + length);
            }
        }
    }
}

fn url_passwords(text: &str, note: &mut impl FnMut(Range<usize>)) {
    for (at, _) in text.match_indices("://") {
        let start = at + 3;
        let end = text[start..]
            .find(|c: char| matches!(c, '/' | '?' | '#' | '"' | '\'') || c.is_whitespace())
            .map_or(text.len(), |end| start + end);
        if let Some((user, _)) = text[start..end].rsplit_once('@')
            && let Some((name, password)) = user.split_once(':')
            && !password.is_empty()
        {
            let from = start + name.len() + 1;
            note(from..from + password.len());
        }
    }
}

/// Longest and shortest card numbers.
const CARD_DIGITS: Range<usize> = 13..20;

/// Digits in groups that one blank or one dash parts; the longest run of groups that is a card number is one.
fn cards(text: &str, note: &mut impl FnMut(Range<usize>)) {
    let groups = digit_groups(text.as_bytes());
    let mut at = 0;
    while at < groups.len() {
        let mut digits = Vec::new();
        let mut found = None;
        for (group, behind) in groups[at..].iter().zip(at + 1..) {
            let apart = !digits.is_empty() && groups[behind - 2].end + 1 != group.start;
            if apart || digits.len() + group.len() >= CARD_DIGITS.end {
                break;
            }
            digits.extend(text.as_bytes()[group.clone()].iter().map(|digit| digit - b'0'));
            if is_card(&digits) {
                found = Some(behind);
            }
        }
        if let Some(behind) = found {
            note(groups[at].start..groups[behind - 1].end);
        }
        at = found.unwrap_or(at + 1);
    }
}

/// Returns the runs of digits that are no part of a word or a fraction. Runs whose places differ by one byte are parted
/// by a blank or a dash.
fn digit_groups(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (start, end) = (at, at + length);
        at = end.max(at + 1);
        let before = start.checked_sub(1).map(|before| bytes[before]);
        let inside = before.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'.');
        let goes_on = bytes.get(end).is_some_and(u8::is_ascii_alphabetic);
        // One byte between two groups must be a separator: two places are left apart otherwise.
        let parted = before.is_none_or(|byte| matches!(byte, b' ' | b'-'))
            || groups.last().is_none_or(|last: &Range<usize>| last.end + 1 != start);
        if length > 0 && !inside && !goes_on && parted {
            groups.push(start..end);
        }
    }
    groups
}

fn is_card(digits: &[u8]) -> bool {
    let known = match digits {
        [4, ..] => matches!(digits.len(), 13 | 16 | 19),
        [5, 1..=5, ..] => digits.len() == 16,
        [2, 2..=7, ..] => digits.len() == 16,
        [3, 4 | 7, ..] => digits.len() == 15,
        [3, 0 | 6 | 8, ..] => digits.len() == 14,
        [3, 5, ..] | [6, ..] => (16..CARD_DIGITS.end).contains(&digits.len()),
        _ => false,
    };
    known && CARD_DIGITS.contains(&digits.len()) && luhn(digits)
}

/// Source: ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit) * (1 + place as u32 % 2)) {
            (1, doubled @ 10..) => doubled - 9,
            (_, value) => value,
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != digits[0])
}
