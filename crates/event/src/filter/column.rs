//! The columns that storage keeps beside an event, and the fields that filters know by name.

use super::Path;
use crate::spec::{MEMBERS, Shape};

/// A value that storage keeps in a typed column, so that a filter can skip rows without reading the body.
///
/// The text columns come first, in the order in which records hold them; new columns are added at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Column {
    /// `action`
    Action,
    /// `category`
    Category,
    /// `outcome`
    Outcome,
    /// `actor.type`
    ActorType,
    /// `actor.id`
    ActorId,
    /// `actor.name`
    ActorName,
    /// `actor.email`
    ActorEmail,
    /// `context.ip`
    Ip,
    /// `context.request_id`
    RequestId,
    /// `context.session_id`
    SessionId,
    /// `context.user_agent`
    UserAgent,
    /// `targets.type`: one value per target.
    TargetType,
    /// `targets.id`: one value per target.
    TargetId,
    /// `id`, in lower case with hyphens.
    Id,
    /// `severity`
    Severity,
    /// `occurred_at`
    OccurredAt,
    /// `received_at`
    ReceivedAt,
    /// `seq`
    Seq,
}

impl Column {
    /// The columns that hold one text per event, in record order.
    pub const TEXT: [Self; 11] = [
        Self::Action,
        Self::Category,
        Self::Outcome,
        Self::ActorType,
        Self::ActorId,
        Self::ActorName,
        Self::ActorEmail,
        Self::Ip,
        Self::RequestId,
        Self::SessionId,
        Self::UserAgent,
    ];

    /// Returns where the value stands in the body; `None` for facts of the entry and for values per target.
    pub const fn pointer(self) -> Option<&'static str> {
        Some(match self {
            Self::Action => "/action",
            Self::Category => "/category",
            Self::Outcome => "/outcome",
            Self::ActorType => "/actor/type",
            Self::ActorId => "/actor/id",
            Self::ActorName => "/actor/name",
            Self::ActorEmail => "/actor/email",
            Self::Ip => "/context/ip",
            Self::RequestId => "/context/request_id",
            Self::SessionId => "/context/session_id",
            Self::UserAgent => "/context/user_agent",
            Self::Severity => "/severity",
            Self::OccurredAt => "/occurred_at",
            Self::TargetType | Self::TargetId | Self::Id | Self::ReceivedAt | Self::Seq => {
                return None;
            }
        })
    }
}

/// Where the values of a path are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Id,
    Tenant,
    Environment,
    Seq,
    ReceivedAt,
    LeafHash,
    OccurredAt,
    Severity,
    /// A text column: only a string at this very pointer counts.
    Text(Column, &'static str),
    /// A member of each target: only strings count. The column, if storage has one.
    Target(Option<Column>, &'static str),
    /// One scalar at this very pointer.
    Scalar(&'static str),
    /// Anything under `root` (the first name) that follows the escaped `names`, array positions left out.
    Walk {
        root: Box<str>,
        names: Box<[Box<str>]>,
    },
}

impl Source {
    pub(super) fn of(path: &Path) -> Self {
        let mut pointer = String::new();
        for name in path.names() {
            pointer.push('/');
            pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        }
        match &*pointer {
            "/id" => Self::Id,
            "/tenant" => Self::Tenant,
            "/environment" => Self::Environment,
            "/seq" => Self::Seq,
            "/received_at" => Self::ReceivedAt,
            "/leaf_hash" => Self::LeafHash,
            "/occurred_at" => Self::OccurredAt,
            "/severity" => Self::Severity,
            "/targets/type" | "/target/type" => Self::Target(Some(Column::TargetType), "/type"),
            "/targets/id" | "/target/id" => Self::Target(Some(Column::TargetId), "/id"),
            "/targets/name" | "/target/name" => Self::Target(None, "/name"),
            other => Self::of_pointer(other),
        }
    }

    fn of_pointer(pointer: &str) -> Self {
        let column = Column::TEXT.into_iter().find_map(|column| {
            let fixed = column.pointer().filter(|fixed| *fixed == pointer)?;
            Some(Self::Text(column, fixed))
        });
        let member =
            || MEMBERS.iter().find(|member| member.pointer == pointer && is_scalar(member.shape));
        let scalar = || member().map(|member| Self::Scalar(member.pointer));
        column.or_else(scalar).unwrap_or_else(|| {
            let mut names = pointer[1..].split('/');
            let first = match names.next() {
                // One target is spoken of, the list is meant.
                Some("target") => "targets",
                Some(first) => first,
                None => "",
            };
            Self::Walk { root: format!("/{first}").into(), names: names.map(Into::into).collect() }
        })
    }
}

/// Returns true for members that hold one value and nothing below it.
fn is_scalar(shape: Shape) -> bool {
    !matches!(shape, Shape::Object | Shape::Array | Shape::AnyObject | Shape::Any)
}

/// Returns true when events can have a value at or below `path`.
pub(super) fn is_known(path: &Path) -> bool {
    let alias = |name| if name == "target" { "targets" } else { name };
    let names: Vec<_> =
        path.names().enumerate().map(|(i, name)| if i == 0 { alias(name) } else { name }).collect();
    MEMBERS.iter().filter(|member| !member.pointer.is_empty()).any(|member| {
        let open = matches!(member.shape, Shape::AnyObject | Shape::Any);
        let mut rest = &names[..];
        for step in member.pointer[1..].split('/') {
            match rest.split_first() {
                Some((first, after)) if *first == step || (step == "*" && is_index(first)) => {
                    rest = after;
                }
                _ if step == "*" => {}
                _ => return false,
            }
        }
        rest.is_empty() || open
    })
}

/// Returns true for a step that may be an array position.
pub(super) fn is_index(step: &str) -> bool {
    !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit())
}
