//! Retention policies: which events are kept for how long. Pure.
//!
//! Classes select events by filter, the first that matches decides, and what none matches is kept for `keep`. The
//! environment's policy rules tenants that have none of their own, and its minimum and maximum bound those that have.
//! A locked policy can only be made to keep more.

use attestary_event::{View, Violation, filter::Filter};
use serde_json::{Map, Value, json};

use super::period::Period;

const CLASSES_MAX: usize = 50;
const NAME_BYTES_MAX: usize = 64;

/// Presets by name: how long events are kept, and how long they stay immediately searchable.
const PRESETS: [(&str, Period, Option<Period>); 5] = [
    ("90d", Period::Days(90), None),
    ("1y", Period::Days(365), Some(Period::Days(90))),
    ("6y", Period::Days(6 * 365), None),
    ("7y", Period::Days(7 * 365), None),
    ("unlimited", Period::Unlimited, None),
];

/// Events of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) name: String,
    pub(crate) filter: Filter,
    pub(crate) keep: Period,
}

/// A retention policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) classes: Vec<Class>,
    pub(crate) keep: Period,
    pub(crate) hot: Option<Period>,
    pub(crate) minimum: Option<Period>,
    pub(crate) maximum: Option<Period>,
    pub(crate) lock: bool,
}

impl Default for Policy {
    /// Everything is kept.
    fn default() -> Self {
        Self {
            classes: Vec::new(),
            keep: Period::Unlimited,
            hot: None,
            minimum: None,
            maximum: None,
            lock: false,
        }
    }
}

impl Policy {
    /// Reads a document as callers send it, or lists what is wrong with it.
    pub(crate) fn parse(document: &Map<String, Value>) -> Result<Self, Vec<Violation>> {
        let mut reader = Reader { document, violations: Vec::new() };
        let policy = reader.policy();
        if reader.violations.is_empty() { Ok(policy) } else { Err(reader.violations) }
    }

    /// Reads a document that was stored.
    pub(crate) fn restored(text: &str) -> Result<Self, serde_json::Error> {
        let document: Map<String, Value> = serde_json::from_str(text)?;
        Self::parse(&document).map_err(|violations| {
            serde::de::Error::custom(format!(
                "a stored retention policy is not valid: {violations:?}"
            ))
        })
    }

    /// Returns the document, in the form that [`Policy::parse`] reads.
    pub(crate) fn document(&self) -> Value {
        let classes = self.classes.iter().map(|class| {
            json!({ "name": class.name, "filter": class.filter.to_string(), "keep": class.keep.to_string() })
        });
        let mut document = json!({
            "keep": self.keep.to_string(),
            "classes": classes.collect::<Vec<_>>(),
            "lock": self.lock,
        });
        for (name, period) in
            [("hot", self.hot), ("minimum", self.minimum), ("maximum", self.maximum)]
        {
            if let Some(period) = period {
                document[name] = period.to_string().into();
            }
        }
        document
    }

    /// Returns the policy with its periods inside the bounds of the environment's policy. A locked policy is never
    /// shortened, not even by a maximum.
    pub(crate) fn within(mut self, bounds: &Self) -> Self {
        let fit = |period: Period| {
            let capped = match bounds.maximum {
                Some(maximum) if !self.lock => period.min(maximum),
                _ => period,
            };
            bounds.minimum.map_or(capped, |minimum| capped.max(minimum))
        };
        let keep = fit(self.keep);
        let classes: Vec<_> = self.classes.iter().map(|class| fit(class.keep)).collect();
        self.keep = keep;
        for (class, keep) in self.classes.iter_mut().zip(classes) {
            class.keep = keep;
        }
        self
    }

    /// Lists periods outside this policy's own minimum and maximum, and outside those of `bounds`.
    pub(crate) fn out_of_bounds(&self, bounds: Option<&Self>) -> Vec<Violation> {
        let mut violations = Vec::new();
        for limits in [Some(self), bounds].into_iter().flatten() {
            for (pointer, keep) in self.periods() {
                let shortest = limits.minimum.filter(|minimum| keep < *minimum);
                let longest = limits.maximum.filter(|maximum| keep > *maximum);
                for (limit, word) in [(shortest, "minimum"), (longest, "maximum")] {
                    if let Some(limit) = limit {
                        let detail = format!("{keep} lies outside the {word} of {limit}");
                        violations.push(Violation::new(pointer.clone(), detail));
                    }
                }
            }
        }
        violations
    }

    fn periods(&self) -> impl Iterator<Item = (String, Period)> {
        let classes = self.classes.iter().enumerate();
        let classes = classes.map(|(at, class)| (format!("/classes/{at}/keep"), class.keep));
        std::iter::once(("/keep".to_owned(), self.keep)).chain(classes)
    }

    /// Returns the shortest period of all.
    pub(crate) fn shortest(&self) -> Period {
        self.classes.iter().map(|class| class.keep).chain([self.keep]).min().unwrap_or(self.keep)
    }

    /// Returns the class and the period of an event.
    pub(crate) fn of(&self, view: &View<'_>) -> (Option<usize>, Period) {
        let class = self.classes.iter().position(|class| class.filter.matches(view));
        (class, class.map_or(self.keep, |at| self.classes[at].keep))
    }

    /// Returns why `next` may not follow this policy, which is locked: it might keep something for a shorter time.
    ///
    /// Every old class must still be there, in order, with the same filter and at least its period; a new class may
    /// stand where its period is not shorter than that of everything behind it, which it may take events from.
    pub(crate) fn shortened_by(&self, next: &Self) -> Option<String> {
        if !next.lock {
            return Some("the policy is locked and stays so".to_owned());
        }
        if next.keep < self.keep {
            return Some(format!("\"keep\" is locked at {} or more", self.keep));
        }
        if self.minimum > next.minimum {
            return Some("the minimum is locked and can only be raised".to_owned());
        }
        let looser = |old: Option<Period>, new: Option<Period>| match (old, new) {
            (Some(old), Some(new)) => new >= old,
            (None, Some(_)) => false,
            (_, None) => true,
        };
        if !looser(self.maximum, next.maximum) {
            return Some("the maximum is locked and can only be raised or taken away".to_owned());
        }
        let mut old = self.classes.as_slice();
        for class in &next.classes {
            match old.split_first() {
                Some((first, rest)) if first.filter == class.filter => {
                    if class.keep < first.keep {
                        return Some(format!(
                            "class \"{}\" is locked at {} or more",
                            first.name, first.keep
                        ));
                    }
                    old = rest;
                }
                _ => {
                    let behind = old.iter().map(|class| class.keep).chain([self.keep]).max();
                    if behind.is_some_and(|longest| class.keep < longest) {
                        return Some(format!(
                            "class \"{}\" could shorten what is locked: give it a longer period or a later place",
                            class.name
                        ));
                    }
                }
            }
        }
        old.first()
            .map(|class| format!("class \"{}\" is locked and must stay, in its order", class.name))
    }
}

struct Reader<'a> {
    document: &'a Map<String, Value>,
    violations: Vec<Violation>,
}

const MEMBERS: [&str; 7] = ["preset", "keep", "hot", "minimum", "maximum", "lock", "classes"];

impl Reader<'_> {
    fn policy(&mut self) -> Policy {
        for name in self.document.keys().filter(|name| !MEMBERS.contains(&name.as_str())) {
            let shown = &name[..name.floor_char_boundary(64)];
            let detail =
                format!("there is no member \"{shown}\"; known are {}", MEMBERS.join(", "));
            self.violations.push(Violation::new(format!("/{shown}"), detail));
        }
        let mut policy = Policy { classes: self.classes(), ..Policy::default() };
        match (self.preset(), self.period("keep")) {
            (Some(_), Some(_)) => self.refuse("/preset", "give either \"preset\" or \"keep\""),
            (Some((keep, hot)), None) => (policy.keep, policy.hot) = (keep, hot),
            (None, Some(keep)) => policy.keep = keep,
            (None, None) => self.refuse("/keep", "\"keep\" (or \"preset\") is required"),
        }
        policy.hot = self.period("hot").or(policy.hot);
        policy.minimum = self.period("minimum");
        policy.maximum = self.period("maximum");
        if let (Some(minimum), Some(maximum)) = (policy.minimum, policy.maximum)
            && minimum > maximum
        {
            self.refuse("/minimum", "the minimum is longer than the maximum");
        }
        if policy.hot.is_some_and(|hot| hot > policy.keep) {
            self.refuse("/hot", "events cannot be hot for longer than they are kept");
        }
        policy.lock = match self.document.get("lock") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(lock)) => *lock,
            Some(_) => {
                self.refuse("/lock", "must be true or false");
                false
            }
        };
        policy
    }

    fn refuse(&mut self, pointer: &str, detail: &str) {
        // A member of the wrong type was named already.
        if !self.violations.iter().any(|violation| violation.pointer == pointer) {
            self.violations.push(Violation::new(pointer, detail));
        }
    }

    fn preset(&mut self) -> Option<(Period, Option<Period>)> {
        let value = self.document.get("preset").filter(|value| !value.is_null())?;
        let preset = PRESETS.iter().find(|(name, _, _)| value.as_str() == Some(name));
        if preset.is_none() {
            let names = PRESETS.map(|(name, _, _)| name).join(", ");
            self.refuse("/preset", &format!("must be one of {names}"));
        }
        preset.map(|(_, keep, hot)| (*keep, *hot))
    }

    fn period(&mut self, name: &str) -> Option<Period> {
        let value = self.document.get(name).filter(|value| !value.is_null())?;
        self.period_of(&format!("/{name}"), value)
    }

    fn period_of(&mut self, pointer: &str, value: &Value) -> Option<Period> {
        let period = value.as_str().and_then(Period::parse);
        if period.is_none() {
            self.refuse(
                pointer,
                "must be a period such as \"90d\", \"7y\" or \"unlimited\"; at most 100y",
            );
        }
        period
    }

    fn classes(&mut self) -> Vec<Class> {
        let classes = match self.document.get("classes") {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(classes)) => classes,
            Some(_) => {
                self.refuse("/classes", "must be an array of objects");
                return Vec::new();
            }
        };
        if classes.len() > CLASSES_MAX {
            self.refuse("/classes", &format!("a policy has at most {CLASSES_MAX} classes"));
            return Vec::new();
        }
        let read: Vec<_> =
            classes.iter().enumerate().filter_map(|(at, class)| self.class(at, class)).collect();
        for (at, class) in read.iter().enumerate() {
            if read[..at].iter().any(|before| before.name == class.name) {
                self.refuse(&format!("/classes/{at}/name"), "two classes have this name");
            }
        }
        read
    }

    fn class(&mut self, at: usize, value: &Value) -> Option<Class> {
        let pointer = |name: &str| format!("/classes/{at}/{name}");
        let Some(members) = value.as_object() else {
            self.refuse(&format!("/classes/{at}"), "must be an object");
            return None;
        };
        for name in
            members.keys().filter(|name| !["name", "filter", "keep"].contains(&name.as_str()))
        {
            let shown = &name[..name.floor_char_boundary(64)];
            self.refuse(&pointer(shown), "there is no such member; known are name, filter, keep");
        }
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let name = text("name").filter(|name| !name.is_empty() && name.len() <= NAME_BYTES_MAX);
        if name.is_none() {
            self.refuse(
                &pointer("name"),
                &format!("must be a string of 1 to {NAME_BYTES_MAX} bytes"),
            );
        }
        let filter = match text("filter").map(Filter::parse) {
            Some(Ok(filter)) if filter.is_relative() => {
                self.refuse(
                    &pointer("filter"),
                    "\"now\" means nothing in a class: periods say how long",
                );
                None
            }
            Some(Ok(filter)) => Some(filter),
            Some(Err(error)) => {
                self.refuse(&pointer("filter"), &error.to_string());
                None
            }
            None => {
                self.refuse(&pointer("filter"), "must be text in the filter language");
                None
            }
        };
        let keep = self.period_of(&pointer("keep"), members.get("keep").unwrap_or(&Value::Null));
        Some(Class { name: name?.to_owned(), filter: filter?, keep: keep? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(document: Value) -> Result<Policy, Vec<String>> {
        let violations = |violations: Vec<Violation>| {
            violations.into_iter().map(|violation| violation.pointer).collect()
        };
        Policy::parse(document.as_object().unwrap()).map_err(violations)
    }

    fn policy(document: Value) -> Policy {
        parse(document).unwrap()
    }

    #[test]
    fn documents_are_read_and_written() {
        let document = json!({
            "keep": "1y", "hot": "90d", "minimum": "30d", "maximum": "7y", "lock": true,
            "classes": [{ "name": "logins", "filter": "action:user.login", "keep": "90d" }],
        });
        assert_eq!(policy(document.clone()).document(), document);
        assert_eq!(policy(json!({ "preset": "1y" })).document()["hot"], "90d");
        for (name, keep, _) in PRESETS {
            assert_eq!(policy(json!({ "preset": name })).keep, keep, "{name}");
        }
        let text = policy(document).document().to_string();
        assert_eq!(Policy::restored(&text).unwrap().document().to_string(), text);
    }

    #[test]
    fn every_mistake_is_named() {
        let check = |document: Value, expected: &[&str]| {
            let pointers = parse(document.clone()).err().unwrap_or_default();
            assert_eq!(pointers, expected, "{document}");
        };
        check(json!({}), &["/keep"]);
        check(json!({ "keep": "forever" }), &["/keep"]);
        check(json!({ "keep": 90 }), &["/keep"]);
        check(json!({ "keep": "90d", "preset": "90d" }), &["/preset"]);
        check(json!({ "preset": "2y" }), &["/preset", "/keep"]);
        check(json!({ "keep": "90d", "kep": 1, "lock": "yes" }), &["/kep", "/lock"]);
        check(json!({ "keep": "90d", "minimum": "2y", "maximum": "1y" }), &["/minimum"]);
        check(json!({ "keep": "90d", "hot": "91d" }), &["/hot"]);
        check(json!({ "keep": "90d", "classes": {} }), &["/classes"]);
        check(json!({ "keep": "90d", "classes": vec![json!({}); 51] }), &["/classes"]);
        let class = |name: &str, filter: &str, keep: &str| json!({ "name": name, "filter": filter, "keep": keep });
        check(
            json!({ "keep": "90d", "classes": [1, class("", "a:(", "x"), class("a", "occurred_at>now-1d", "1d")] }),
            &[
                "/classes/0",
                "/classes/1/name",
                "/classes/1/filter",
                "/classes/1/keep",
                "/classes/2/filter",
            ],
        );
        check(
            json!({ "keep": "90d", "classes": [class("a", "x", "1d"), class("a", "y", "1d")] }),
            &["/classes/1/name"],
        );
    }

    #[test]
    fn the_environment_bounds_its_tenants() {
        let bounds = policy(json!({ "keep": "1y", "minimum": "30d", "maximum": "2y" }));
        let own = policy(json!({
            "keep": "7y", "classes": [{ "name": "a", "filter": "x", "keep": "7d" }],
        }));
        let pointers: Vec<_> = own
            .out_of_bounds(Some(&bounds))
            .into_iter()
            .map(|violation| violation.pointer)
            .collect();
        assert_eq!(pointers, ["/keep", "/classes/0/keep"]);
        let fitted = own.clone().within(&bounds);
        assert_eq!((fitted.keep, fitted.shortest()), (Period::Days(730), Period::Days(30)));
        let locked = Policy { lock: true, ..own };
        assert_eq!(locked.within(&bounds).keep, Period::Days(7 * 365), "a lock outlives a maximum");
    }

    #[test]
    fn a_locked_policy_only_grows() {
        let class = |name: &str, keep: &str| json!({ "name": name, "filter": format!("action:{name}"), "keep": keep });
        let with = |keep: &str, classes: Vec<Value>| {
            policy(json!({ "keep": keep, "lock": true, "classes": classes }))
        };
        let old = with("1y", vec![class("a", "30d"), class("b", "2y")]);
        let check = |next: &Policy, allowed: bool| {
            assert_eq!(old.shortened_by(next).is_none(), allowed, "{}", next.document());
        };
        check(&old, true);
        check(&with("2y", vec![class("a", "31d"), class("b", "2y")]), true);
        check(&with("1y", vec![class("a", "30d"), class("b", "2y"), class("c", "1y")]), true);
        check(&with("1y", vec![class("n", "2y"), class("a", "30d"), class("b", "2y")]), true);
        check(&Policy { lock: false, ..old.clone() }, false);
        check(&with("364d", vec![class("a", "30d"), class("b", "2y")]), false);
        check(&with("1y", vec![class("a", "29d"), class("b", "2y")]), false);
        check(&with("1y", vec![class("b", "2y"), class("a", "30d")]), false);
        check(&with("1y", vec![class("a", "30d")]), false);
        check(&with("1y", vec![class("n", "1y"), class("a", "30d"), class("b", "2y")]), false);
        check(&with("1y", vec![class("a", "30d"), class("b", "2y"), class("c", "90d")]), false);
        check(&Policy { maximum: Some(Period::Days(900)), ..old.clone() }, false);
        check(&Policy { minimum: Some(Period::Days(1)), ..old.clone() }, true);
    }
}
