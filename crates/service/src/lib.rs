//! The use cases: submit, search, tenants, environments, keys, destinations; each reads top to bottom here.
//!
//! [`Service`] joins the store, the delivery engine and the rules about who may do what. Whoever calls it (HTTP, the
//! command line) has parsed the request and names the [`Caller`]; the service authorises, does, and records: every
//! read and every administrative change is itself an event in the environment's `_audit` tenant, and a change
//! happens only after its event is durable.

mod actions;
mod adapters;
mod alerts;
mod anchors;
mod audit;
mod authorise;
mod caller;
mod certificates;
mod counts;
pub mod credential;
mod cursor;
mod destinations;
mod directory;
mod doors;
mod environments;
mod error;
mod exports;
mod govern;
mod ids;
mod keys;
mod lens;
mod proofs;
mod rates;
mod restored;
mod scope;
mod search;
mod seats;
mod secret;
mod service;
mod sessions;
mod settings;
mod sources;
mod submit;
mod tail;
mod tenants;
mod usage;
mod vault;
mod views;
mod work;

pub use actions::{ActionSchema, SchemaMode};
pub use adapters::{FormioReport, FormioTenant, IroncoreOutcome};
pub use alerts::{Alert, AlertChange, NewAlert};
pub use anchors::{
    AnchorSettings, AnchorStatus, Anchored, BadPolicy, KeepSettings, StampSettings, WitnessPolicy,
    WitnessStatus,
};
pub use caller::{Caller, Origin, Principal};
pub use certificates::{CERTIFICATE_EVENTS_MAX, CertificateForm, CertificateQuery};
pub use counts::{Edge, FacetField, Facets, Histogram, Selection};
pub use cursor::{Cursor, CursorError, CursorKey, Order};
pub use destinations::{
    Blueprint, ContiguityReceipt, Created as CreatedDestination, Destination, DestinationAttempt,
    DestinationChange, EventFamily, LogComparison, NewDestination, NewReplay, Preview,
    QuarantinedEvent, Replay, ReplayEdge, Rotated,
};
pub use directory::Environment;
pub use doors::{
    Taken,
    easysend::{SecurityLogPage, SecurityLogs},
    otlp::{OtlpError, OtlpForm, OtlpTaken},
    retraced::{CutBody, RetracedPage, RetracedReceipt, RetracedSearchError, ViewerExport},
    syslog::{Receiver, Refused, SyslogBatch, SyslogReader, SyslogReport, SyslogRoute},
    workos::{WorkosConfiguration, WorkosExport},
};
pub use environments::EnvironmentChange;
pub use error::{
    AccessError, Cause, ChangeError, FilterProblem, IntakeError, ItemViolation, OpenError,
    ReadError,
};
pub use exports::{
    Download, Export, ExportForm, ExportLink, ExportSettings, NewExport, cef_record,
};
pub use govern::{
    clock::ClockState,
    erasures::{ErasurePage, NewErasure},
    holds::{HoldPage, NewHold},
    redaction::RedactionPreview,
    removals::RemovalPage,
    retention::Retention,
    runs::{Preview as RetentionPreview, RunPage},
};
pub use keys::{CreatedKey, Key, NewKey, ViewerToken};
pub use proofs::{
    Consistency, EventProof, Evidence, FieldProof, PAGE_PROOF_MAX, PageProof, Proved, RotatedKey,
    Salts, Wanted,
};
pub use rates::Rates;
pub use scope::{Scope, Scopes};
pub use search::{Found, Search};
pub use seats::{Seat, Seats};
pub use secret::Secret;
pub use service::Service;
pub use sessions::{
    Link, NewLink, NewPortalSession, OpenPortal, Person, Portal, PortalCreated, Role, RoleMap,
    Session, Started, WebOrigin,
};
pub use settings::{Components, Settings};
pub use sources::Source;
pub use submit::{Form, Submitted};
pub use tail::{Tail, TailEnd, TailPart, Tailing, TooManyTails};
pub use tenants::{NewTenant, Tenant, TenantPage};
pub use usage::{Quota, QuotaStatus, Subject, UsageAsked, UsageLine, UsageReport};
pub use vault::{MasterKey, VaultError};
pub use views::{NewView, SavedView, ViewAnswer, ViewChange};

pub use attestary_formats::retraced::document as retraced_document;

pub use attestary_formats::intake::{
    cloudevents::structured as structured_cloudevent,
    fieldmap::FieldMap,
    ironcore, otlp,
    syslog::{
        Content as SyslogContent,
        frames::{Frame, Frames},
    },
};
pub use attestary_store::catalog::{
    ErasureRow, HoldRow, RemovalKind, RemovalRow, RemovalState, RunRow,
};
pub use attestary_store::catalog::{UsageBy, UsageCount};
pub use attestary_store::{Division, Facet, Outcome, Receipt, Remains, exports::FinishedExport};

/// Sizes of pages.
pub mod search_limits {
    pub use crate::search::{LIMIT_DEFAULT as DEFAULT, LIMIT_MAX as MAX};
}

/// Sizes of counts.
pub mod count_limits {
    pub use crate::counts::{BUCKETS_DEFAULT, BUCKETS_MAX, FIELDS_MAX, VALUES_DEFAULT, VALUES_MAX};
}
