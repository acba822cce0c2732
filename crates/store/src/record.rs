//! The journal record: one event with every decision about it, in the form that is written, replayed and sealed.
//!
//! A record is `fixed header ‖ log (genesis only) ‖ columns ‖ body`. Intake encodes columns and body once
//! ([`Prepared`]); the partition writes the header before them; recovery and sealing read the parts in place.
//! All integers are little-endian. Record version: [`VERSION`].

use attestary_event::{EnvironmentId, EventId, Fields, Kind, TenantId};
use attestary_ledger::Hash;

/// Version byte of every record.
pub const VERSION: u8 = 1;

/// The text columns of an event: name in segments, pointer in the body. The order is part of the record format.
pub const TEXT_COLUMNS: [(&str, &str); 11] = [
    ("action", "/action"),
    ("category", "/category"),
    ("outcome", "/outcome"),
    ("actor_type", "/actor/type"),
    ("actor_id", "/actor/id"),
    ("actor_name", "/actor/name"),
    ("actor_email", "/actor/email"),
    ("ip", "/context/ip"),
    ("request_id", "/context/request_id"),
    ("session_id", "/context/session_id"),
    ("user_agent", "/context/user_agent"),
];

const ABSENT: u32 = u32::MAX;

/// An event after intake: everything but the decisions that only the partition can take.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Namespace.
    pub environment: EnvironmentId,
    /// Log.
    pub tenant: TenantId,
    /// Identity.
    pub id: EventId,
    /// The client made the id, so it may be a repeat; ids made by the service skip the look-up.
    pub client_id: bool,
    /// Entry flags ([`attestary_event::Event::SERVICE`]).
    pub flags: u16,
    /// Number of fields.
    pub n_fields: u16,
    /// Root over the salted fields.
    pub fields_hash: Hash,
    /// Source of the salts.
    pub seed: [u8; 16],
    /// Keyed digest of the submission before redaction and defaults; compared on a repeated id.
    pub digest: [u8; 16],
    /// Encoded columns, then the body.
    tail: Vec<u8>,
    columns_bytes: u32,
}

/// What a [`Prepared`] is made from.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    /// Namespace.
    pub environment: EnvironmentId,
    /// Log.
    pub tenant: TenantId,
    /// Identity.
    pub id: EventId,
    /// The client made the id.
    pub client_id: bool,
    /// Written by the service itself.
    pub service: bool,
    /// Sixteen random bytes.
    pub seed: [u8; 16],
    /// Keyed digest of the submission.
    pub digest: [u8; 16],
    /// When it happened, in milliseconds since the epoch.
    pub occurred_ms: i64,
    /// 0–10.
    pub severity: u8,
    /// The committed fields.
    pub fields: &'a Fields,
    /// The committed members as compact JSON: flattening it yields `fields`.
    pub body: &'a [u8],
}

impl Prepared {
    /// Returns the bytes of the body.
    pub fn body_bytes(&self) -> u64 {
        self.tail.len() as u64 - u64::from(self.columns_bytes)
    }

    /// Hashes the fields and encodes columns and body. CPU work: call it on a worker thread.
    pub fn new(parts: Parts<'_>) -> Self {
        let fields = parts.fields;
        let fields_hash = attestary_ledger::fields_hash(
            &parts.seed,
            fields.iter().map(|f| (f.pointer, f.kind as u8, f.value.as_bytes())),
        );
        let mut tail = Vec::with_capacity(parts.body.len() + 256);
        tail.extend_from_slice(&parts.occurred_ms.to_le_bytes());
        tail.push(parts.severity);
        put_columns(&mut tail, fields);
        let columns_bytes = tail.len() as u32;
        tail.extend_from_slice(parts.body);
        Self {
            environment: parts.environment,
            tenant: parts.tenant,
            id: parts.id,
            client_id: parts.client_id,
            flags: if parts.service { attestary_event::Event::SERVICE } else { 0 },
            n_fields: fields.len() as u16,
            fields_hash,
            seed: parts.seed,
            digest: parts.digest,
            tail,
            columns_bytes,
        }
    }

    /// Returns true when the service itself records the event.
    pub fn is_service(&self) -> bool {
        self.flags & attestary_event::Event::SERVICE != 0
    }

    /// Returns the bytes this event will take in the journal, header included.
    pub fn bytes(&self) -> usize {
        FIXED_BYTES + self.tail.len()
    }
}

fn put_text(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => {
            out.extend_from_slice(&(text.len() as u32).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        None => out.extend_from_slice(&ABSENT.to_le_bytes()),
    }
}

/// Returns the encoded text columns of an event with these fields, for [`RawTexts::parse`].
pub(crate) fn text_columns(fields: &Fields) -> Vec<u8> {
    let mut out = Vec::new();
    put_columns(&mut out, fields);
    out
}

/// Text columns in their order, then targets in array order, each as (type, id). One walk over the fields.
fn put_columns(out: &mut Vec<u8>, fields: &Fields) {
    let mut columns = [None; TEXT_COLUMNS.len()];
    let mut targets: Vec<(u16, [Option<&str>; 2])> = Vec::new();
    for field in fields.iter().filter(|field| field.kind == Kind::String) {
        if let Some(rest) = field.pointer.strip_prefix("/targets/") {
            put_target(&mut targets, rest, field.value);
        } else if let Some(column) =
            TEXT_COLUMNS.iter().position(|(_, pointer)| *pointer == field.pointer)
        {
            columns[column] = Some(field.value);
        }
    }
    for column in columns {
        put_text(out, column);
    }
    // Pointers sort as text: "/targets/10" comes before "/targets/2".
    targets.sort_unstable_by_key(|(index, _)| *index);
    out.extend_from_slice(&(targets.len() as u16).to_le_bytes());
    for (_, [kind, id]) in targets {
        put_text(out, kind);
        put_text(out, id);
    }
}

/// Notes the value at `<index>/type` or `<index>/id`.
fn put_target<'a>(targets: &mut Vec<(u16, [Option<&'a str>; 2])>, rest: &str, value: &'a str) {
    let Some((index, member)) = rest.split_once('/') else { return };
    let place = match member {
        "type" => 0,
        "id" => 1,
        _ => return,
    };
    let Ok(index) = index.parse() else { return };
    match targets.iter_mut().find(|(known, _)| *known == index) {
        Some((_, parts)) => parts[place] = Some(value),
        None => {
            let mut parts = [None; 2];
            parts[place] = Some(value);
            targets.push((index, parts));
        }
    }
}

/// The decisions of the partition about one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The tenant log, by its fixed slot.
    pub slot: u64,
    /// Position in that log.
    pub seq: u64,
    /// Clamped time in milliseconds since the epoch.
    pub received_ms: u64,
    /// Hash of the entry.
    pub leaf_hash: Hash,
}

/// What a genesis record says about the log that it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogName<'a> {
    /// Namespace.
    pub environment: &'a str,
    /// Tenant.
    pub tenant: &'a str,
    /// ULID minted for this incarnation; the origin is `<log_name>/t/<log id>`.
    pub log_id: &'a str,
}

/// Bytes before the variable part.
pub const FIXED_BYTES: usize = 160;

/// Appends the record of `prepared` under `decision`; `log` is given for genesis records only.
pub fn encode(
    prepared: &Prepared,
    decision: &Decision,
    log: Option<LogName<'_>>,
    out: &mut Vec<u8>,
) {
    let log_bytes =
        log.map_or(0, |log| 6 + log.environment.len() + log.tenant.len() + log.log_id.len());
    out.reserve(FIXED_BYTES + log_bytes + prepared.tail.len());
    out.extend_from_slice(&[VERSION, u8::from(log.is_some())]);
    out.extend_from_slice(&prepared.flags.to_le_bytes());
    out.extend_from_slice(&decision.slot.to_le_bytes());
    out.extend_from_slice(&decision.seq.to_le_bytes());
    out.extend_from_slice(&decision.received_ms.to_le_bytes());
    out.extend_from_slice(&prepared.id.0);
    out.extend_from_slice(&prepared.n_fields.to_le_bytes());
    out.extend_from_slice(&(log_bytes as u16).to_le_bytes());
    out.extend_from_slice(&prepared.fields_hash);
    out.extend_from_slice(&decision.leaf_hash);
    out.extend_from_slice(&prepared.seed);
    out.extend_from_slice(&prepared.digest);
    out.extend_from_slice(&prepared.columns_bytes.to_le_bytes());
    out.extend_from_slice(&((prepared.tail.len() as u32) - prepared.columns_bytes).to_le_bytes());
    out.extend_from_slice(&[u8::from(prepared.client_id), 0, 0, 0, 0, 0, 0, 0]);
    if let Some(log) = log {
        for part in [log.environment, log.tenant, log.log_id] {
            out.extend_from_slice(&(part.len() as u16).to_le_bytes());
            out.extend_from_slice(part.as_bytes());
        }
    }
    out.extend_from_slice(&prepared.tail);
}

/// Why bytes that passed their checksum are not a record of this version.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// Written by a newer version.
    #[error("record version {0} is newer than {VERSION}")]
    Version(u8),
    /// Lengths do not add up.
    #[error("record is malformed")]
    Malformed,
}

/// A record read in place.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    bytes: &'a [u8],
    log_bytes: usize,
    columns_bytes: usize,
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

impl<'a> Record<'a> {
    /// Checks version, lengths and columns.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let record = Self::decode_written(bytes)?;
        record.check_variable()?;
        Ok(record)
    }

    /// Checks version and lengths only: for bytes that this process has written or [`Self::decode`]d before.
    pub fn decode_written(bytes: &'a [u8]) -> Result<Self, RecordError> {
        if bytes.len() < FIXED_BYTES {
            return Err(RecordError::Malformed);
        }
        if bytes[0] != VERSION {
            return Err(RecordError::Version(bytes[0]));
        }
        let log_bytes = usize::from(u16::from_le_bytes(array(bytes, 46)));
        let columns_bytes = u32::from_le_bytes(array(bytes, 144)) as usize;
        let body_bytes = u32::from_le_bytes(array(bytes, 148)) as usize;
        if FIXED_BYTES + log_bytes + columns_bytes + body_bytes != bytes.len()
            || (bytes[1] == 1) != (log_bytes > 0)
        {
            return Err(RecordError::Malformed);
        }
        Ok(Self { bytes, log_bytes, columns_bytes })
    }

    /// The accessors below trust what this checked.
    fn check_variable(&self) -> Result<(), RecordError> {
        let log_fits = self.log_bytes == 0 || self.log_parts().is_some();
        let mut columns = Cursor(self.columns());
        let columns_fit = (|| {
            columns.take(9)?;
            for _ in TEXT_COLUMNS {
                columns.text()?;
            }
            let targets = u16::from_le_bytes(array(columns.take(2)?, 0));
            for _ in 0..targets {
                columns.text()?;
                columns.text()?;
            }
            columns.0.is_empty().then_some(())
        })();
        if log_fits && columns_fit.is_some() && self.body().first() == Some(&b'{') {
            return Ok(());
        }
        Err(RecordError::Malformed)
    }

    /// Entry flags.
    pub fn flags(&self) -> u16 {
        u16::from_le_bytes(array(self.bytes, 2))
    }

    /// The log's slot.
    pub fn slot(&self) -> u64 {
        u64::from_le_bytes(array(self.bytes, 4))
    }

    /// Position in the log.
    pub fn seq(&self) -> u64 {
        u64::from_le_bytes(array(self.bytes, 12))
    }

    /// Clamped time of sequencing in milliseconds since the epoch.
    pub fn received_ms(&self) -> u64 {
        u64::from_le_bytes(array(self.bytes, 20))
    }

    /// Identity.
    pub fn id(&self) -> EventId {
        EventId(array(self.bytes, 28))
    }

    /// Number of fields.
    pub fn n_fields(&self) -> u16 {
        u16::from_le_bytes(array(self.bytes, 44))
    }

    /// Root over the salted fields.
    pub fn fields_hash(&self) -> Hash {
        array(self.bytes, 48)
    }

    /// Hash of the entry.
    pub fn leaf_hash(&self) -> Hash {
        array(self.bytes, 80)
    }

    /// Source of the salts.
    pub fn seed(&self) -> [u8; 16] {
        array(self.bytes, 112)
    }

    /// Keyed digest of the submission.
    pub fn digest(&self) -> [u8; 16] {
        array(self.bytes, 128)
    }

    /// The client made the id.
    pub fn client_id(&self) -> bool {
        self.bytes[152] == 1
    }

    /// What a genesis record opens; `None` for every other record.
    pub fn log(&self) -> Option<LogName<'a>> {
        self.log_parts()
    }

    fn log_parts(&self) -> Option<LogName<'a>> {
        let mut rest = Cursor(&self.bytes[FIXED_BYTES..FIXED_BYTES + self.log_bytes]);
        let mut part = || {
            let length = u16::from_le_bytes(array(rest.take(2)?, 0));
            std::str::from_utf8(rest.take(usize::from(length))?).ok()
        };
        Some(LogName { environment: part()?, tenant: part()?, log_id: part()? })
    }

    fn columns(&self) -> &'a [u8] {
        let start = FIXED_BYTES + self.log_bytes;
        &self.bytes[start..start + self.columns_bytes]
    }

    /// When it happened, in milliseconds since the epoch.
    pub fn occurred_ms(&self) -> i64 {
        i64::from_le_bytes(array(self.columns(), 0))
    }

    /// 0–10.
    pub fn severity(&self) -> u8 {
        self.columns()[8]
    }

    /// The text columns in the order of [`TEXT_COLUMNS`], then the targets as (type, id).
    pub fn texts(&self) -> Texts<'a> {
        let raw = self.raw_texts().unwrap_or_default();
        let text = |bytes: Option<&'a [u8]>| std::str::from_utf8(bytes?).ok();
        Texts {
            columns: raw.columns.map(text),
            targets: raw.targets().map(|(kind, id)| (text(kind), text(id))).collect(),
        }
    }

    /// [`Self::texts`] before it is checked to be UTF-8; `None` when the columns do not add up.
    pub(crate) fn raw_texts(&self) -> Option<RawTexts<'a>> {
        RawTexts::parse(&self.columns()[9..])
    }

    /// One text column without decoding the ones after it.
    pub fn text(&self, column: usize) -> Option<&'a str> {
        let mut cursor = Cursor(&self.columns()[9..]);
        for _ in 0..column {
            cursor.text();
        }
        cursor.text().flatten()
    }

    /// The committed members as compact JSON.
    pub fn body(&self) -> &'a [u8] {
        &self.bytes[FIXED_BYTES + self.log_bytes + self.columns_bytes..]
    }

    /// Returns the entry in the log with this identity.
    pub fn entry(&self, origin: [u8; 16]) -> attestary_ledger::Entry {
        attestary_ledger::Entry {
            origin,
            seq: self.seq(),
            received_ms: self.received_ms(),
            event_id: self.id().0,
            n_fields: self.n_fields(),
            flags: self.flags(),
            fields_hash: self.fields_hash(),
        }
    }

    /// Returns the event as readers see it.
    pub fn event(&self, environment: EnvironmentId, tenant: TenantId) -> attestary_event::Event {
        attestary_event::Event {
            id: self.id(),
            tenant,
            environment,
            seq: self.seq(),
            received_at: attestary_event::Timestamp(self.received_ms() as i64),
            flags: self.flags(),
            leaf_hash: self.leaf_hash(),
            body: self.body().into(),
        }
    }
}

/// The decoded text columns of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts<'a> {
    /// In the order of [`TEXT_COLUMNS`].
    pub columns: [Option<&'a str>; TEXT_COLUMNS.len()],
    /// Each target's type and id.
    pub targets: Vec<(Option<&'a str>, Option<&'a str>)>,
}

/// The text columns of a record as bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RawTexts<'a> {
    /// In the order of [`TEXT_COLUMNS`].
    pub(crate) columns: [Option<&'a [u8]>; TEXT_COLUMNS.len()],
    count: u16,
    targets: &'a [u8],
}

impl<'a> RawTexts<'a> {
    /// Reads what [`text_columns`] wrote; `None` when the columns do not add up.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        let mut columns = [None; TEXT_COLUMNS.len()];
        for column in &mut columns {
            *column = cursor.bytes()?;
        }
        let count = u16::from_le_bytes(array(cursor.take(2)?, 0));
        Some(Self { columns, count, targets: cursor.0 })
    }

    /// Returns each target's type and id; those behind malformed bytes are absent.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (Option<&'a [u8]>, Option<&'a [u8]>)> {
        let mut cursor = Cursor(self.targets);
        let mut next = move || cursor.bytes().flatten();
        (0..self.count).map(move |_| (next(), next()))
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    /// `None` when malformed, `Some(None)` when absent.
    fn text(&mut self) -> Option<Option<&'a str>> {
        match self.bytes()? {
            Some(bytes) => std::str::from_utf8(bytes).ok().map(Some),
            None => Some(None),
        }
    }

    /// `None` when malformed, `Some(None)` when absent.
    fn bytes(&mut self) -> Option<Option<&'a [u8]>> {
        let length = u32::from_le_bytes(array(self.take(4)?, 0));
        if length == ABSENT {
            return Some(None);
        }
        self.take(length as usize).map(Some)
    }
}
