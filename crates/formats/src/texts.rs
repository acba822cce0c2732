//! What an event does not hold literally: its name, severity, outcome, sentence, time, lists in one line.

use std::{borrow::Cow, fmt::Write as _, net::IpAddr};

use attestary_event::{
    Timestamp, View,
    actions::{ActionSpec, KnownActions, Outcome, SEVERITY_DEFAULT},
};

/// Returns the action's name for people: that of the known action, else the action itself, spelt out.
pub(crate) fn name<'a>(action: &str, actions: &'a KnownActions) -> Cow<'a, str> {
    let known = actions.find(action).map(|spec| Cow::Borrowed(spec.display.as_str()));
    known.unwrap_or_else(|| Cow::Owned(humanised(action)))
}

/// `user.login.failed`, `USER_LOGIN_FAILED` and `userLoginFailed` give `User login failed`.
fn humanised(action: &str) -> String {
    let mut words = String::with_capacity(action.len() + 4);
    let mut before = ' ';
    for character in action.chars() {
        let character =
            if matches!(character, '.' | '_' | '-' | ':' | '/') { ' ' } else { character };
        let new_word = character.is_uppercase() && before.is_lowercase();
        let doubled = character == ' ' && (before == ' ' || words.is_empty());
        if new_word {
            words.push(' ');
        }
        if !doubled {
            words.extend(character.to_lowercase());
        }
        before = character;
    }
    let mut characters = words.trim_end().chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// Returns 0–10: the event's own severity, else that of the known action, else the default.
pub(crate) fn severity(view: &View<'_>, actions: &KnownActions) -> u8 {
    let own = view
        .text("/severity")
        .and_then(|text| text.parse::<u8>().ok())
        .filter(|&severity| severity <= 10);
    let known =
        || view.text("/action").and_then(|action| actions.find(action)).map(|spec| spec.severity);
    own.or_else(known).unwrap_or(SEVERITY_DEFAULT)
}

/// Returns how it ended: what the event says, else what is usual for the known action.
pub(crate) fn outcome(view: &View<'_>, actions: &KnownActions) -> Outcome {
    match view.text("/outcome") {
        Some("success") => Outcome::Success,
        Some("failure") => Outcome::Failure,
        Some("denied") => Outcome::Denied,
        Some(_) => Outcome::Unknown,
        None => known(view, actions).map_or(Outcome::Unknown, |spec| spec.outcome),
    }
}

/// Returns what is known about the event's action.
pub(crate) fn known<'a>(view: &View<'_>, actions: &'a KnownActions) -> Option<&'a ActionSpec> {
    actions.find(view.text("/action")?)
}

/// Returns the category: the event's own, else that of the known action.
pub(crate) fn category<'a>(view: &View<'a>, actions: &'a KnownActions) -> Option<&'a str> {
    view.text("/category").or_else(|| known(view, actions).map(|spec| spec.category.as_str()))
}

/// True for years that RFC 3339 can write: 0000-01-01T00:00:00Z to 9999-12-31T23:59:59.999Z.
pub(crate) fn writable(instant: Timestamp) -> bool {
    (-62_167_219_200_000..=253_402_300_799_999).contains(&instant.0)
}

/// Returns when it happened; the time of receipt when the event does not say, or names a year that RFC 3339
/// cannot write.
pub(crate) fn occurred_at(view: &View<'_>) -> Timestamp {
    let own = view.text("/occurred_at").and_then(Timestamp::parse);
    own.filter(|instant| writable(*instant)).unwrap_or(view.event.received_at)
}

/// Returns the source address; IPv4 written as IPv6 is IPv4. `None` when the text is no address.
pub(crate) fn address(view: &View<'_>) -> Option<IpAddr> {
    let address: IpAddr = view.text("/context/ip")?.trim().parse().ok()?;
    Some(address.to_canonical())
}

/// Returns the source address as text when it is no address.
pub(crate) fn address_text<'a>(view: &View<'a>) -> Option<&'a str> {
    view.text("/context/ip").filter(|_| address(view).is_none())
}

/// Returns the HTTP status when it is a whole number.
pub(crate) fn http_status(view: &View<'_>) -> Option<u16> {
    view.text("/context/http/status")?.parse().ok()
}

/// True when parts of the event were left out before it was encoded.
pub(crate) fn truncated(view: &View<'_>) -> bool {
    view.fields.get("/truncated").is_some()
}

/// Returns the event's description, else the known action's sentence when the event has all that it names.
pub(crate) fn message<'a>(view: &View<'a>, actions: &KnownActions) -> Option<Cow<'a, str>> {
    if let Some(description) = view.text("/description") {
        return Some(Cow::Borrowed(description));
    }
    let sentence = &actions.find(view.text("/action")?)?.sentence;
    render(sentence, |name| match name {
        "actor" => first_of(view, &["/actor/name", "/actor/email", "/actor/id"]),
        "target" => first_of(view, &["/targets/0/name", "/targets/0/id"]),
        _ => None,
    })
    .map(Cow::Owned)
}

/// Returns the first text among `pointers` that is not empty.
pub(crate) fn first_of<'a>(view: &View<'a>, pointers: &[&str]) -> Option<&'a str> {
    pointers.iter().find_map(|pointer| view.text(pointer).filter(|text| !text.is_empty()))
}

/// Fills the template's `{names}` in; `None` when one of them has no value. Values are not read as templates.
fn render<'a>(template: &str, value: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let mut rendered = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        rendered.push_str(before);
        rendered.push_str(value(name)?);
        rest = after;
    }
    rendered.push_str(rest);
    Some(rendered)
}

/// Returns the targets as `type:id`, joined by commas.
///
/// So that a reader can split the list again, `%` and `,` are percent-encoded in both parts and `:` in the type.
pub(crate) fn targets(view: &View<'_>) -> Option<String> {
    let (mut list, mut path) = (String::new(), Pointer::new("/targets"));
    for index in 0_usize.. {
        let kind = view.text(path.at(index, "/type"));
        let id = view.text(path.at(index, "/id"));
        if kind.is_none() && id.is_none() {
            break;
        }
        if index > 0 {
            list.push(',');
        }
        encode_item(kind.unwrap_or_default(), &['%', ',', ':'], &mut list);
        list.push(':');
        encode_item(id.unwrap_or_default(), &['%', ','], &mut list);
    }
    (!list.is_empty()).then_some(list)
}

/// Returns the texts of an array, joined by commas; `%` and `,` in them are percent-encoded.
pub(crate) fn list(view: &View<'_>, pointer: &str) -> Option<String> {
    let (mut list, mut path) = (String::new(), Pointer::new(pointer));
    for index in 0_usize.. {
        let Some(item) = view.text(path.at(index, "")) else { break };
        if index > 0 {
            list.push(',');
        }
        encode_item(item, &['%', ','], &mut list);
    }
    (!list.is_empty()).then_some(list)
}

/// Returns another actor (`/impersonator`, `/on_behalf_of`) as `type:id`, or as its name when it has no id.
pub(crate) fn other_actor(view: &View<'_>, pointer: &str) -> Option<String> {
    // Nearly no event has one.
    view.fields.under(pointer).next()?;
    let part = |name: &str| view.text(&format!("{pointer}/{name}"));
    let id = part("id").or_else(|| part("email")).or_else(|| part("name"))?;
    Some(format!("{}:{id}", part("type").unwrap_or_default()))
}

/// The pointers of an array's elements, in one buffer.
pub(crate) struct Pointer {
    text: String,
    array_bytes: usize,
}

impl Pointer {
    /// Begins with the pointer of an array, such as `/targets`.
    pub(crate) fn new(array: &str) -> Self {
        let mut text = String::with_capacity(array.len() + 24);
        text.push_str(array);
        Self { text, array_bytes: array.len() }
    }

    /// Returns the pointer of an element, or with `below`, such as `/id`, of something in it.
    pub(crate) fn at(&mut self, index: usize, below: &str) -> &str {
        self.text.truncate(self.array_bytes);
        self.text.extend(["/", itoa::Buffer::new().format(index), below]);
        &self.text
    }
}

pub(crate) fn encode_item(text: &str, encoded: &[char], out: &mut String) {
    if encoded.iter().all(|&separator| !text.contains(separator)) {
        out.push_str(text);
        return;
    }
    for character in text.chars() {
        if encoded.contains(&character) {
            let _ = write!(out, "%{:02X}", u32::from(character));
        } else {
            out.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(action: &str, expected: &str) {
        assert_eq!(name(action, &KnownActions::default()), expected);
    }

    #[test]
    fn unknown_actions_are_spelt_out() {
        check("user.login.failed", "User login failed");
        check("USER_LOGIN", "User login");
        check("CheckAuthResponseMissingCredentials", "Check auth response missing credentials");
        check("invoice..PAID-twice ", "Invoice paid twice");
        check("ändern", "Ändern");
        check("", "");
        check("...", "");
    }

    #[test]
    fn a_sentence_needs_all_that_it_names_and_values_are_no_templates() {
        let value = |name: &str| (name == "actor").then_some("{target}");
        assert_eq!(render("{actor} signed in", value).as_deref(), Some("{target} signed in"));
        assert_eq!(render("{actor} read {target}", value), None);
        assert_eq!(render("Retention ran", value).as_deref(), Some("Retention ran"));
        assert_eq!(render("{actor", value), None);
    }
}
