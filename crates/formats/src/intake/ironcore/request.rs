//! Reading a TSP request body, and writing it as a native submission.

use attestary_event::{Fields, Kind, TenantId, Timestamp, Violation, scan::Scanned};

use super::{Mapped, OVERLONG_VALUE, TIME_OUT_OF_RANGE, UNCLASSIFIED_NAME, UNCONVENTIONAL_NAME};
use crate::intake::object::{Member, ObjectWriter, is_key, member, members};

/// What Alloy sends as requesting id when its caller names nobody: a program, not a user.
const ALLOY: &str = "IronCore Labs Alloy SDK";

/// The optional members of `iclFields`, with the bytes that the native member takes: label, ip, target id and
/// request id. No such value is a reason to refuse an event, so one that does not fit stays in `source`.
const OPTIONAL: [(&str, usize); 4] =
    [("dataLabel", 256), ("sourceIp", 256), ("objectId", 1024), ("requestId", 1024)];

/// A body whose members have the right types and whose tenant and requesting id are there.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) tenant: &'a str,
    event: Option<&'a str>,
    requesting: &'a str,
    time: Option<Time<'a>>,
    /// Values of [`OPTIONAL`].
    optional: [Option<&'a str>; 4],
    pub(super) custom: Option<&'a [u8]>,
    /// Members that the protocol does not know, of the body and of `iclFields`.
    extra: Vec<Member<'a>>,
    icl_extra: Vec<Member<'a>>,
}

/// `timestampMillis` as sent, and as an instant where one can express it.
#[derive(Debug)]
struct Time<'a> {
    token: &'a str,
    instant: Option<Timestamp>,
}

impl<'a> Request<'a> {
    /// Reads a scanned body.
    pub(super) fn read(scanned: &'a Scanned) -> Result<Self, Violation> {
        let (fields, body) = (&scanned.fields, scanned.compact.as_slice());
        let tenant = required(fields, "/tenantId")?;
        TenantId::parse(tenant).map_err(|e| Violation::new("/tenantId", e.detail))?;
        let inner = text(fields, "/iclFields/event")?.filter(|name| !name.is_empty());
        let event = match inner {
            Some(name) => Some(name),
            None => text(fields, "/event")?.filter(|name| !name.is_empty()),
        };
        let mut optional = [None; 4];
        for (value, (name, _)) in optional.iter_mut().zip(OPTIONAL) {
            *value = text(fields, &format!("/iclFields/{name}"))?;
        }
        Ok(Self {
            tenant,
            event,
            requesting: required(fields, "/iclFields/requestingId")?,
            time: time(fields)?,
            optional,
            custom: custom_fields(body)?,
            extra: unknown(body, |key| match key {
                b"\"tenantId\""
                | b"\"timestampMillis\""
                | b"\"iclFields\""
                | b"\"customFields\"" => true,
                // A second event name is kept when it is not the one that counts.
                b"\"event\"" => {
                    text(fields, "/event").is_ok_and(|outer| outer == event || outer == Some(""))
                }
                _ => false,
            }),
            icl_extra: member(body, "iclFields").map_or_else(Vec::new, |icl_fields| {
                unknown(icl_fields, |key| {
                    is_key(key, "event")
                        || is_key(key, "requestingId")
                        || OPTIONAL.iter().any(|(name, _)| is_key(key, name))
                })
            }),
        })
    }

    /// Returns the event it asks to log; fails when it names none.
    pub(super) fn event(&self) -> Result<Logged<'_>, Violation> {
        let action = self.event.ok_or_else(|| {
            Violation::new(
                "/iclFields/event",
                "an event name is required, here or in the top-level \"event\"",
            )
        })?;
        Ok(Logged { request: self, action, counts: None })
    }

    /// Returns an event of the given name about counted operations.
    pub(super) fn counted(&self, action: &'static str, counts: Counts) -> Logged<'_> {
        Logged { request: self, action, counts: Some(counts) }
    }

    /// Returns the optional values that their native members take.
    fn mapped_values(&self) -> [Option<&'a str>; 4] {
        let mut values = self.optional;
        for (value, (_, bytes_max)) in values.iter_mut().zip(OPTIONAL) {
            *value = value.filter(|text| (1..=bytes_max).contains(&text.len()));
        }
        values
    }

    /// Returns the optional values that only `source` can hold: empty ones and overlong ones.
    fn residual_values(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let values = OPTIONAL.into_iter().zip(self.optional);
        values.filter_map(|((name, bytes_max), value)| {
            value.filter(|text| !(1..=bytes_max).contains(&text.len())).map(|text| (name, text))
        })
    }

    fn flags(&self, action: &str) -> Vec<&'static str> {
        let out_of_range = self.time.as_ref().is_some_and(|time| time.instant.is_none());
        let overlong = self.residual_values().any(|(_, value)| !value.is_empty());
        name_flag(action)
            .into_iter()
            .chain(out_of_range.then_some(TIME_OUT_OF_RANGE))
            .chain(overlong.then_some(OVERLONG_VALUE))
            .collect()
    }

    fn residual_time(&self) -> Option<&str> {
        let time = self.time.as_ref()?;
        let exact = time.instant.is_some_and(|instant| instant.0.to_string() == time.token);
        (!exact).then_some(time.token)
    }
}

/// How often an operation was done, and on how many keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub(super) operations: u64,
    pub(super) keys: u64,
}

/// An event to log, with a name.
#[derive(Debug)]
pub(super) struct Logged<'a> {
    request: &'a Request<'a>,
    action: &'a str,
    counts: Option<Counts>,
}

impl Logged<'_> {
    /// Writes the native submission.
    pub(super) fn mapped(&self) -> Mapped {
        let (request, flags) = (self.request, self.request.flags(self.action));
        let [label, ip, object_id, request_id] = request.mapped_values();
        let mut json = Vec::with_capacity(512);
        let mut event = ObjectWriter::open(&mut json);
        event.text("tenant", request.tenant).text("action", self.action);
        let instant = request.time.as_ref().and_then(|time| time.instant);
        event.optional("occurred_at", instant.map(|instant| instant.to_string()).as_deref());
        event.object("actor", |actor| {
            let kind = if request.requesting == ALLOY { "service" } else { "user" };
            actor.text("type", kind).text("id", request.requesting);
        });
        if let Some(id) = object_id {
            let targets = event.key("targets");
            targets.push(b'[');
            let mut target = ObjectWriter::open(targets);
            target.text("type", "object").text("id", id);
            target.close();
            targets.push(b']');
        }
        event.object("context", |context| {
            context.optional("ip", ip).optional("request_id", request_id);
        });
        event.texts("labels", label);
        event.object("metadata", |metadata| self.metadata(metadata));
        event.object("source", |source| self.source(source, &flags));
        event.close();
        Mapped { tenant: request.tenant.to_owned(), json, flags }
    }

    fn metadata(&self, metadata: &mut ObjectWriter<'_>) {
        let custom: Vec<_> = members(self.request.custom.unwrap_or_default()).collect();
        metadata.raw_members(&custom);
        if let Some(counts) = self.counts {
            metadata.raw(super::operations::COUNT, counts.operations.to_string().as_bytes());
            metadata.raw(super::operations::KEYS, counts.keys.to_string().as_bytes());
        }
    }

    fn source(&self, source: &mut ObjectWriter<'_>, flags: &[&'static str]) {
        let request = self.request;
        source.text("system", "ironcore").texts("flags", flags.iter().copied());
        if let Some(token) = request.residual_time() {
            source.raw("timestamp_millis", token.as_bytes());
        }
        source.object("icl_fields", |icl_fields| {
            for (name, value) in request.residual_values() {
                icl_fields.text(name, value);
            }
            icl_fields.raw_members(&request.icl_extra);
        });
        // A report's operations are summed up in the metadata.
        let summed = |key: &[u8]| self.counts.is_some() && is_key(key, "operations");
        source.object("extra", |extra| {
            extra.raw_members(request.extra.iter().filter(|(key, _)| !summed(key)));
        });
    }
}

/// Returns the flag that a name deserves, if any.
fn name_flag(name: &str) -> Option<&'static str> {
    if let Some(custom) = name.strip_prefix("CUSTOM_") {
        let conventional = custom.starts_with(|c: char| c.is_ascii_uppercase())
            && custom.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        return (!conventional).then_some(UNCONVENTIONAL_NAME);
    }
    let known = ["USER_", "ADMIN_", "DATA_", "PERIODIC_"].iter().any(|prefix| name.starts_with(prefix))
        // Go leaves the prefix of the two periodic events out.
        || matches!(name, "ENFORCE_RETENTION_POLICY" | "CREATE_BACKUP");
    (!known).then_some(UNCLASSIFIED_NAME)
}

/// Returns a string member; absent and `null` are the same.
fn text<'a>(fields: &'a Fields, pointer: &str) -> Result<Option<&'a str>, Violation> {
    match fields.get(pointer) {
        Some(field) if field.kind == Kind::String => Ok(Some(field.value)),
        Some(field) if field.kind == Kind::Null => Ok(None),
        None if fields.under(pointer).next().is_none() => Ok(None),
        _ => Err(Violation::new(pointer, "must be a string")),
    }
}

fn required<'a>(fields: &'a Fields, pointer: &str) -> Result<&'a str, Violation> {
    let value = text(fields, pointer)?.filter(|text| !text.is_empty());
    value.ok_or_else(|| Violation::new(pointer, "is required and must not be empty"))
}

/// Reads `timestampMillis`: any number is accepted, fractions are cut.
fn time(fields: &Fields) -> Result<Option<Time<'_>>, Violation> {
    const POINTER: &str = "/timestampMillis";
    let Some(field) = fields.get(POINTER) else {
        let absent = fields.under(POINTER).next().is_none();
        return if absent { Ok(None) } else { Err(Violation::new(POINTER, "must be a number")) };
    };
    match field.kind {
        Kind::Null => Ok(None),
        Kind::Number => Ok(Some(Time { token: field.value, instant: instant(field.value) })),
        _ => Err(Violation::new(POINTER, "must be a number of milliseconds")),
    }
}

/// Returns the instant of a number token, if RFC 3339 can express it (years 0 to 9999).
fn instant(token: &str) -> Option<Timestamp> {
    let millis = token.parse::<i64>().ok().or_else(|| {
        let millis = token.parse::<f64>().ok()?.floor();
        // Beyond 2^53 an f64 says nothing about milliseconds, and no such time is in range.
        (millis.abs() <= 9_007_199_254_740_992.0).then_some(millis as i64)
    })?;
    let instant = Timestamp(millis);
    (Timestamp::parse(&instant.to_string()) == Some(instant)).then_some(instant)
}

/// Returns `customFields` unless it is absent, `null` or empty, which are the same.
fn custom_fields(body: &[u8]) -> Result<Option<&[u8]>, Violation> {
    match member(body, "customFields") {
        None | Some(b"null" | b"{}") => Ok(None),
        Some(custom) if custom.starts_with(b"{") => Ok(Some(custom)),
        Some(_) => Err(Violation::new("/customFields", "must be an object")),
    }
}

/// Returns the members that are not known and not `null`.
fn unknown<'a>(object: &'a [u8], known: impl Fn(&[u8]) -> bool) -> Vec<Member<'a>> {
    members(object).filter(|(key, value)| *value != b"null" && !known(key)).collect()
}
