//! Certificates: the events of one transaction with what proves each of them, for a person to show.
//!
//! A transaction is what carries one id: of a request, a session, its parent session or a trace. Making a certificate takes
//! the log as it is when the call begins; it is recorded as an export before anything is handed out.

use attestary_event::{Event, Timestamp, Violation, actions::KnownActions, filter::Filter};
use attestary_formats::certificate::{Certificate, Item};
use attestary_store::{Order, Remains, Search};

use crate::{
    AccessError, Caller, ReadError, Service,
    audit::{Act, action},
    error::cause,
    proofs::prove_error,
    search::{SCAN_BUDGET, parse_filter},
};

/// Events of one certificate.
pub const CERTIFICATE_EVENTS_MAX: usize = 1_000;
/// Longest id of a transaction in bytes.
const ID_BYTES_MAX: usize = 1_024;
/// Pages that are read for one certificate; together they look at some hundred million events.
const PAGES_MAX: usize = 128;
/// Where the id of a transaction may stand.
const MEMBERS: [&str; 4] =
    ["context.request_id", "context.session_id", "context.parent_session_id", "context.trace_id"];

/// Which transaction.
#[derive(Debug, Clone, Default)]
pub struct CertificateQuery {
    /// Its id.
    pub transaction: String,
    /// The member that holds it: `request_id`, `session_id`, `parent_session_id` or `trace_id`; any when absent.
    pub by: Option<String>,
    /// Only events that happened at or after this time.
    pub from: Option<Timestamp>,
    /// Only events that happened before this time.
    pub to: Option<Timestamp>,
}

/// The form of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateForm {
    /// One JSON object.
    Json,
    /// A PDF with the JSON attached.
    Pdf,
}

impl Service {
    /// Makes the certificate of one transaction.
    pub async fn certificate(
        &self,
        caller: &Caller,
        tenant: &str,
        query: CertificateQuery,
        form: CertificateForm,
    ) -> Result<Vec<u8>, ReadError> {
        let tenant = self.exportable(caller, tenant, "certificate.create")?;
        let environment = caller.environment()?.clone();
        let (filter, by) = filter_of(&query)?;
        let events = self.transaction(caller, &tenant, &query, filter).await?;
        let act = Act::new(action::EXPORT, "certificate.create")
            .on("tenant", tenant.as_str())
            .with("transaction", query.transaction.as_str())
            .with_some("by", by)
            .with("format", if form == CertificateForm::Pdf { "pdf" } else { "json" })
            .with("result_count", events.len());
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        if events.is_empty() {
            return Err(AccessError::NotFound.into());
        }
        let (head, note) = self.signed_head(&environment, &tenant).await?;
        let seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
        let proofs = self.proof_files(&environment, &tenant, &head, &note, seqs.clone()).await?;
        let disclosed = self.store().disclosed_at(&environment, &tenant, seqs).await;
        let disclosed = disclosed.map_err(prove_error)?;
        let items =
            events.into_iter().zip(disclosed).zip(&proofs).map(|((event, known), proof)| {
                let entry = known.entry.encode().to_vec();
                let seed = match known.remains {
                    Remains::Whole { seed, .. } => Some(seed),
                    Remains::Parts { .. } | Remains::Nothing => None,
                };
                Item { event, entry, seed, proof: proof.to_string() }
            });
        let certificate = Certificate {
            transaction: query.transaction,
            by: by.map(str::to_owned),
            made_at: Timestamp(self.clock().now_ms() as i64),
            made_by: caller.principal.id().to_owned(),
            origin: head.origin.clone(),
            size: head.size,
            root: head.root,
            checkpoint: note.to_string(),
            items: items.collect(),
        };
        let written = self.runtime().spawn_blocking(move || match form {
            CertificateForm::Json => certificate.to_json(KnownActions::builtin()),
            CertificateForm::Pdf => certificate.to_pdf(KnownActions::builtin()),
        });
        written.await.map_err(|error| ReadError::Unavailable(cause(error)))
    }

    /// Returns the events of a transaction in the order of the log.
    async fn transaction(
        &self,
        caller: &Caller,
        tenant: &attestary_event::TenantId,
        query: &CertificateQuery,
        filter: Filter,
    ) -> Result<Vec<Event>, ReadError> {
        let name = (caller.environment()?.clone(), tenant.clone());
        let filter = filter.resolve(Timestamp(self.clock().now_ms() as i64));
        let (mut events, mut after) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let search = Search {
                filter: filter.clone(),
                from: query.from,
                to: query.to,
                order: Order::Ascending,
                limit: CERTIFICATE_EVENTS_MAX + 1 - events.len(),
                bytes_max: usize::MAX,
                after,
                scan_budget: SCAN_BUDGET,
            };
            let (store, of) = (self.store().clone(), name.clone());
            let read = async move { store.query(&of.0, &of.1, search).await };
            let page = self.seated(self.reads(), name.clone(), read).await?;
            let page = page.map_err(|error| ReadError::Unavailable(cause(error)))?;
            let at_end = page.events.is_empty() && page.scanned < SCAN_BUDGET;
            events.extend(page.events);
            if events.len() > CERTIFICATE_EVENTS_MAX {
                let detail = format!(
                    "has more than {CERTIFICATE_EVENTS_MAX} events; narrow it with \"by\", \"from\" and \"to\""
                );
                return Err(ReadError::Invalid(vec![Violation::new("/transaction", detail)]));
            }
            after = page.next;
            if at_end || after.is_none() {
                return Ok(events);
            }
        }
        let detail = "is looked for in too many events; narrow it with \"from\" and \"to\"";
        Err(ReadError::Invalid(vec![Violation::new("/transaction", detail)]))
    }
}

/// Returns the filter of a transaction, and the path of the member that is meant.
fn filter_of(query: &CertificateQuery) -> Result<(Filter, Option<&'static str>), ReadError> {
    let mut violations = Vec::new();
    let length = query.transaction.len();
    if !(1..=ID_BYTES_MAX).contains(&length) {
        let detail = format!("has 1 to {ID_BYTES_MAX} bytes; this one has {length}");
        violations.push(Violation::new("/transaction", detail));
    }
    let by = query.by.as_deref().and_then(|by| {
        let found = MEMBERS.into_iter().find(|member| member.strip_prefix("context.") == Some(by));
        if found.is_none() {
            let detail = "is one of request_id, session_id, parent_session_id, trace_id";
            violations.push(Violation::new("/by", detail));
        }
        found
    });
    if let (Some(from), Some(to)) = (query.from, query.to)
        && from >= to
    {
        violations.push(Violation::new("/from", "must be before \"to\""));
    }
    if !violations.is_empty() {
        return Err(ReadError::Invalid(violations));
    }
    let value = query.transaction.replace('\\', "\\\\").replace('"', "\\\"");
    let members = by.map_or_else(|| MEMBERS.to_vec(), |only| vec![only]);
    let parts: Vec<String> = members.iter().map(|member| format!("{member}=\"{value}\"")).collect();
    let filter = parse_filter(&parts.join(" OR ")).map_err(ReadError::Filter)?;
    Ok((filter, by))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(transaction: &str, by: Option<&str>) -> Option<String> {
        let query = CertificateQuery {
            transaction: transaction.to_owned(),
            by: by.map(str::to_owned),
            ..CertificateQuery::default()
        };
        filter_of(&query).ok().map(|(filter, _)| filter.to_string())
    }

    #[test]
    fn an_id_is_never_read_as_a_filter() {
        assert_eq!(text("r1", Some("request_id")).unwrap(), "context.request_id=r1");
        let all = text("x\" OR action:*", None).unwrap();
        assert_eq!(all.matches(r#"="x\" OR action:"#).count(), 4, "{all}");
        assert!(text("a\\", Some("trace_id")).unwrap().contains(r"a\\"));
        assert_eq!(text("", None), None);
        assert_eq!(text(&"x".repeat(1_025), None), None);
        assert_eq!(text("x", Some("actor")), None);
    }
}
