//! CEF back into events, after the OpenText CEF Implementation Standard v27; records of our own format come back whole.
//!
//! The class id is the action. Keys with a member of the event go there; every other pair stands in `source.fields` under
//! its own key, labels included, so nothing is lost. `externalId` identifies the record in the product that wrote it.

mod record;

use std::collections::BTreeMap;

use attestary_event::{Limits, Timestamp, Violation, scan};

use super::{super::object::ObjectWriter, Mapped, Message, action};
use record::Record;

/// What every record begins with. Version 1 differs in nothing that is read here.
pub(super) const MARK: &str = "CEF:";

/// Who acted, in the order in which the keys are asked.
const ACTOR_IDS: [&str; 4] = ["suid", "suser", "spriv", "sproc"];

/// Maps a message whose text is a record.
pub(super) fn map(message: &Message, limits: &Limits) -> Result<Mapped, Violation> {
    let record = Record::parse(&message.text).map_err(|detail| Violation::new("", detail))?;
    let Record { header: [vendor, product, device_version, class, name, severity], extension } =
        record;
    let mut pairs = Pairs { extension, used: Vec::new() };
    let mut json = Vec::with_capacity(message.text.len() + 512);
    let mut out = ObjectWriter::open(&mut json);
    out.text("action", &action(&class));
    let time = pairs.time(&["rt", "end", "start"]).or(message.header.time);
    out.optional("occurred_at", time.map(|time| time.to_string()).as_deref());
    pairs.actor(&mut out, &vendor, &product);
    pairs.targets(&mut out);
    pairs.context(&mut out);
    out.optional("outcome", pairs.outcome());
    out.optional("reason", pairs.take("reason").as_deref());
    if let Some(severity) = severity_of(&severity) {
        out.number("severity", severity);
    }
    out.optional("category", pairs.take("cat").filter(|text| text.len() <= 64).as_deref());
    out.optional("description", pairs.take("msg").as_deref());
    let labels = pairs.labelled("cs3", "labels");
    let labels: Vec<String> = labels.iter().flat_map(|text| items(text)).collect();
    out.texts("labels", labels.iter().map(String::as_str).filter(|text| !text.is_empty()));
    out.optional_raw("changes", pairs.json("AttestaryChanges", None, b'[', limits).as_deref());
    out.optional_raw("metadata", pairs.json("cs6", Some("metadata"), b'{', limits).as_deref());
    let key = pairs.take("externalId");
    out.object("source", |out| {
        out.text("system", "syslog");
        out.texts("flags", message.lossy.then_some("invalid-utf8"));
        out.object("fields", |out| {
            out.text("vendor", &vendor).text("product", &product);
            out.text("device_version", &device_version).text("name", &name);
            out.text("cef_severity", &severity);
            out.optional("host", message.header.host.as_deref());
            out.optional("externalId", key.as_deref());
            for (key, value) in pairs.rest() {
                out.text(key, value);
            }
        });
    });
    out.close();
    let key = key.map(|id| format!("{vendor}\n{product}\n{id}"));
    Ok(Mapped { json, key })
}

/// The pairs of a record, and which of them an event's own members hold.
struct Pairs {
    extension: BTreeMap<String, String>,
    used: Vec<&'static str>,
}

impl Pairs {
    fn get(&self, key: &str) -> Option<&str> {
        self.extension.get(key).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Returns a value that a member takes.
    fn take(&mut self, key: &'static str) -> Option<String> {
        let value = self.get(key)?.to_owned();
        self.used.push(key);
        Some(value)
    }

    /// Returns the value of a slot whose label is ours.
    fn labelled(&mut self, key: &'static str, label: &str) -> Option<String> {
        if self.get(&format!("{key}Label"))? != label {
            return None;
        }
        self.take(key)
    }

    fn time(&mut self, keys: &[&'static str]) -> Option<Timestamp> {
        keys.iter().find_map(|key| {
            let time = time(self.get(key)?)?;
            self.used.push(key);
            Some(time)
        })
    }

    fn actor(&mut self, out: &mut ObjectWriter<'_>, vendor: &str, product: &str) {
        let id = ACTOR_IDS.iter().find_map(|key| self.take(key));
        let name = self.take("suser").filter(|name| Some(name) != id.as_ref());
        let kind = self.labelled("cs5", "actorType");
        let email = self.take("AttestaryActorEmail");
        let groups = self.take("AttestaryActorGroups").map(|text| items(&text)).unwrap_or_default();
        out.object("actor", |out| match &id {
            Some(id) => {
                out.text("type", kind.as_deref().unwrap_or("user")).text("id", id);
                out.optional("name", name.as_deref()).optional("email", email.as_deref());
                out.texts("groups", groups.iter().map(String::as_str));
            }
            None if kind.as_deref() == Some("anonymous") => _ = out.text("type", "anonymous"),
            // Nobody is named, so the product itself is all that is known.
            None => _ = out.text("type", "service").text("id", &format!("{vendor} {product}")),
        });
        for (key, member) in
            [("AttestaryImpersonator", "impersonator"), ("AttestaryOnBehalfOf", "on_behalf_of")]
        {
            let Some(text) = self.take(key) else { continue };
            let (kind, id) = text.split_once(':').unwrap_or(("", &text));
            out.object(member, |out| {
                out.optional("type", Some(kind).filter(|kind| !kind.is_empty())).text("id", id);
            });
        }
    }

    fn targets(&mut self, out: &mut ObjectWriter<'_>) {
        let first_name = self.take("AttestaryTargetName");
        let mut targets: Vec<(String, String, Option<String>)> = Vec::new();
        match self.labelled("cs2", "targets") {
            Some(list) => {
                for item in list.split(',') {
                    let (kind, id) = item.split_once(':').unwrap_or(("", item));
                    targets.push((decoded(kind), decoded(id), None));
                }
                self.used.extend(["duid", "duser"]);
                if let Some(first) = targets.first_mut() {
                    first.2 = first_name;
                }
            }
            None => {
                let (id, name) = (self.take("duid"), self.take("duser"));
                if let Some(id) = id.clone().or(name.clone()) {
                    targets.push(("user".into(), id.clone(), name.filter(|name| *name != id)));
                }
                if let Some(id) = self.take("filePath").or_else(|| self.take("fname")) {
                    targets.push(("file".into(), id, None));
                }
                if let Some(id) = self.take("dhost").or_else(|| self.take("dst")) {
                    targets.push(("host".into(), id, None));
                }
            }
        }
        let targets = targets.iter().filter(|(_, id, _)| !id.is_empty());
        out.objects("targets", targets, |out, (kind, id, name)| {
            out.optional("type", Some(kind.as_str()).filter(|kind| !kind.is_empty()));
            out.text("id", id).optional("name", name.as_deref());
        });
    }

    fn context(&mut self, out: &mut ObjectWriter<'_>) {
        let ip = self
            .take("src")
            .or_else(|| self.take("c6a2"))
            .or_else(|| self.take("AttestarySourceAddress"));
        let agent = self.take("requestClientApplication");
        let session = self.labelled("flexString2", "sessionId");
        let request = self.labelled("cs4", "requestId");
        let (trace, attempted) =
            (self.take("AttestaryTraceId"), self.take("AttestaryAttemptedIdentity"));
        let (url, method) = (self.take("request"), self.take("requestMethod"));
        let status = self.get("AttestaryHttpStatus").and_then(|text| text.parse::<u16>().ok());
        let status = status.filter(|status| (100..=599).contains(status));
        if status.is_some() {
            self.used.push("AttestaryHttpStatus");
        }
        out.object("context", |out| {
            out.optional("ip", ip.as_deref()).optional("user_agent", agent.as_deref());
            out.optional("session_id", session.as_deref());
            out.optional("request_id", request.as_deref());
            out.optional("trace_id", trace.as_deref());
            out.optional("attempted_identity", attempted.as_deref());
            out.object("http", |out| {
                out.optional("method", method.filter(|text| text.len() <= 32).as_deref());
                out.optional("url", url.as_deref());
                if let Some(status) = status {
                    out.number("status", status);
                }
            });
        });
    }

    /// The standard has no list of outcomes; these are the words that products use.
    fn outcome(&mut self) -> Option<&'static str> {
        let outcome = match self.get("outcome")?.to_ascii_lowercase().as_str() {
            "success" | "succeeded" | "successful" | "ok" | "allowed" | "allow" => "success",
            "failure" | "failed" | "fail" | "error" => "failure",
            "denied" | "deny" | "blocked" | "block" | "rejected" => "denied",
            "unknown" => "unknown",
            _ => return None,
        };
        self.used.push("outcome");
        Some(outcome)
    }

    /// Returns a value that is a JSON object or array, as the event scanner accepts it.
    fn json(
        &mut self,
        key: &'static str,
        label: Option<&str>,
        first: u8,
        limits: &Limits,
    ) -> Option<Vec<u8>> {
        if let Some(label) = label
            && self.get(&format!("{key}Label"))? != label
        {
            return None;
        }
        let text = self.get(key).filter(|text| text.as_bytes().first() == Some(&first))?;
        let wrapped = format!("{{\"v\":{text}}}");
        let compact = scan::scan(wrapped.as_bytes(), limits).ok()?.compact;
        self.used.push(key);
        Some(compact[5..compact.len() - 1].to_vec())
    }

    /// Returns the pairs that no member holds. The label of a slot of ours says nothing more.
    fn rest(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_used = |key: &str| self.used.contains(&key);
        self.extension.iter().map(|(key, value)| (key.as_str(), value.as_str())).filter(
            move |(key, _)| !is_used(key) && !key.strip_suffix("Label").is_some_and(is_used),
        )
    }
}

/// Milliseconds since 1970, `MMM dd yyyy HH:mm:ss` with or without milliseconds and `UTC`, or RFC 3339.
fn time(text: &str) -> Option<Timestamp> {
    if let Ok(ms) = text.parse::<i64>() {
        return Some(Timestamp(ms)).filter(|time| time.to_string().contains('T'));
    }
    if let Some(time) = Timestamp::parse(text) {
        return Some(time);
    }
    let mut words = text.split_whitespace();
    let (month, day, year, clock) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = record::MONTHS.iter().position(|name| *name == month)? + 1;
    let (day, year): (u8, u16) = (day.parse().ok()?, year.parse().ok()?);
    matches!(words.next(), None | Some("UTC" | "GMT" | "Z")).then_some(())?;
    Timestamp::parse(&format!("{year:04}-{month:02}-{day:02}T{clock}Z"))
}

/// 0 to 10, or the standard's words.
fn severity_of(text: &str) -> Option<u8> {
    match text.to_ascii_lowercase().as_str() {
        "low" => Some(3),
        "medium" => Some(5),
        "high" => Some(8),
        "very-high" => Some(10),
        other => other.parse().ok().filter(|severity| *severity <= 10),
    }
}

/// Splits a list of ours.
fn items(text: &str) -> Vec<String> {
    text.split(',').map(decoded).collect()
}

/// Undoes the percent encoding of lists; anything else stays as it is.
fn decoded(text: &str) -> String {
    text.replace("%2C", ",").replace("%3A", ":").replace("%25", "%")
}
