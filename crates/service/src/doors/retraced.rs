//! Retraced: events with the receipts that its clients check, and the search behind their queries.

use attestary_event::{EventId, Limits, Timestamp, View, actions::KnownActions, scan::BatchError};
use attestary_formats::{
    intake::retraced::{self as intake, Submitted},
    retraced,
};
use attestary_store::{Outcome, Receipt};
use bytes::Bytes;

use super::{Foreign, each};
use crate::{
    AccessError, Caller, ChangeError, Cursor, Export, FacetField, IntakeError, NewExport, Order,
    Person, ReadError, Scope, Search, Secret, Selection, Service,
};

/// Events of one page at most.
const PAGE_MAX: usize = 200;

/// Cuts a body into events.
pub type CutBody = for<'a> fn(&'a [u8], &Limits) -> Result<Vec<&'a [u8]>, BatchError>;

/// What a Retraced client gets for an event.
#[derive(Debug)]
pub struct RetracedReceipt {
    /// The event's id.
    pub id: EventId,
    /// What the client computes again and compares.
    pub hash: String,
    /// Where the event stands; `None` when its source is switched off.
    pub receipt: Option<Receipt>,
}

/// A page of a Retraced search, newest first.
#[derive(Debug)]
pub struct RetracedPage {
    /// Events that match, on all pages.
    pub total: u64,
    /// There are older ones.
    pub has_previous: bool,
    /// Cursor and node of each.
    pub edges: Vec<(String, Vec<u8>)>,
}

/// Why a Retraced search was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetracedSearchError {
    /// The query's text.
    #[error(transparent)]
    Query(#[from] retraced::QueryError),
    /// Everything else.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Service {
    /// Takes the Retraced events that `cut` finds in a body, all or none.
    pub async fn retraced_events(
        &self,
        caller: &Caller,
        project: &str,
        body: Bytes,
        cut: CutBody,
    ) -> Result<Vec<RetracedReceipt>, IntakeError> {
        self.permit(caller, Scope::Ingest, "events.submit")?;
        self.check_project(caller, project)?;
        let bytes = body.len();
        let work = move |service: &Self, caller: &Caller| {
            let mut submitted = Vec::new();
            let events = each(cut(&body, service.limits())?, |event| {
                let mapped = intake::parse(event, service.limits())?;
                submitted.push(mapped.submitted);
                Ok(Foreign { json: mapped.json, system: "retraced", area: None })
            })?;
            Ok((service.check_foreign(caller, &events, None)?, submitted))
        };
        let (checked, submitted) = self.check::<_, IntakeError>(caller, bytes, work).await?;
        let taken = self.take_checked(caller, checked).await?;
        let work = move |service: &Self, _: &Caller| {
            let events = taken.outcomes.into_iter().zip(submitted);
            Ok(events
                .map(|(outcome, submitted)| service.retraced_receipt(outcome, &submitted))
                .collect())
        };
        self.work(caller, bytes, work).await
    }

    fn retraced_receipt(&self, outcome: Option<Outcome>, submitted: &Submitted) -> RetracedReceipt {
        let receipt = match outcome {
            Some(
                Outcome::Accepted(receipt)
                | Outcome::Duplicate(receipt)
                | Outcome::Conflict(receipt),
            ) => Some(receipt),
            _ => None,
        };
        let id = match &receipt {
            Some(receipt) => receipt.id,
            None => self.event_id(self.clock().now_ms()),
        };
        RetracedReceipt { id, hash: submitted.hash(&id.to_string()), receipt }
    }

    /// Answers a Retraced query: the newest `last` events, or those older than the cursor `before`.
    pub async fn retraced_search(
        &self,
        caller: &Caller,
        project: &str,
        query: &str,
        last: usize,
        before: Option<String>,
    ) -> Result<RetracedPage, RetracedSearchError> {
        self.check_project(caller, project).map_err(ReadError::Access)?;
        let query = retraced::translate(query)?;
        let tenant = self.readable(caller, query.group.as_deref(), "events.search")?;
        let filter = format!("-action:attestary.* {}", query.filter);
        let last = last.clamp(1, PAGE_MAX);
        let mut search = Search {
            tenant: Some(tenant.as_str().to_owned()),
            filter: filter.clone(),
            order: Order::Descending,
            limit: last + 1,
            cursor: before,
            ..Search::default()
        };
        let digest = crate::search::digest(
            caller.environment().map_err(ReadError::Access)?.as_str(),
            &tenant,
            &search,
        );
        let mut events = Vec::new();
        loop {
            let found = self.search(caller, search.clone()).await?;
            events.extend(found.events);
            search.cursor = found.next_cursor;
            if search.cursor.is_none() || events.len() > last {
                break;
            }
            search.limit = last + 1 - events.len();
        }
        let selection = Selection { tenant: search.tenant, filter, from: None, to: None };
        let field = FacetField::parse("action").map_err(|_| ReadError::TenantRequired)?;
        let total = self.facets(caller, selection, vec![field], 1).await?.events;
        let has_previous = events.len() > last;
        events.truncate(last);
        let edges = events.iter().map(|event| {
            let cursor = Cursor { order: Order::Descending, seq: event.seq, search: digest };
            let fields = event.fields();
            let mut node = Vec::with_capacity(1024);
            let view = View { event, fields: &fields };
            retraced::write_node(&view, KnownActions::builtin(), &mut node);
            (cursor.encode(self.cursor_key()), node)
        });
        Ok(RetracedPage { total, has_previous, edges: edges.collect() })
    }

    /// A project is an environment here; the key decides, so another name is nothing that exists.
    pub(crate) fn check_project(&self, caller: &Caller, project: &str) -> Result<(), AccessError> {
        if caller.environment()?.as_str() == project {
            return Ok(());
        }
        Err(AccessError::NotFound)
    }
}

/// What a viewer's export is made from.
#[derive(Debug, Clone, Default)]
pub struct ViewerExport {
    /// For people.
    pub name: String,
    /// The query's text.
    pub query: String,
    /// Letters of `crud` that are shown; none shows all.
    pub crud: String,
    /// Only events that happened at or after this time.
    pub from: Option<Timestamp>,
    /// Only events that happened before this time.
    pub to: Option<Timestamp>,
}

impl Service {
    /// Makes a token for one viewer of a group's log.
    pub async fn retraced_viewer_token(
        &self,
        caller: &Caller,
        project: &str,
        group: &str,
        person: Person,
        admin: bool,
    ) -> Result<Secret, ChangeError> {
        self.check_project(caller, project)?;
        self.create_viewer_token(caller, group, person, admin).await
    }

    /// Asks for a file of what a viewer searched for.
    pub async fn create_viewer_export(
        &self,
        caller: &Caller,
        group: &str,
        wanted: ViewerExport,
    ) -> Result<Export, ChangeError> {
        let query = retraced::translate(&wanted.query)
            .map_err(|error| ChangeError::invalid("/exportBody/searchQuery", error.to_string()))?;
        if query.group.is_some_and(|named| named != group) {
            return Err(AccessError::NotFound.into());
        }
        let letters: Vec<String> =
            wanted.crud.chars().map(|letter| format!("source.fields.crud:{letter}")).collect();
        // Events that came in elsewhere have no letter; they are left out only where some letters are.
        let crud = match letters.len() {
            0 | 4 => String::new(),
            _ => format!("({}) ", letters.join(" OR ")),
        };
        let new = NewExport {
            format: "csv".into(),
            filter: format!("-action:attestary.* {crud}{}", query.filter),
            from: wanted.from,
            to: wanted.to,
            name: Some(wanted.name),
            ..NewExport::default()
        };
        self.create_export(caller, group, new).await
    }
}
