//! The member table of the event: the one source of its validation, its reference page and its JSON Schema.
//!
//! [`MEMBERS`] lists every member that an event can have, as data: where it stands, what it may hold, who may
//! set it, one sentence and one example. Intake walks submissions along the tree made from it
//! ([`tree`]); [`reference_page`] and [`json_schema`] print it. A member that is not in the table does not
//! exist, except below `metadata`, `source`, `changes/*/old` and `changes/*/new`, which hold any JSON.

mod page;
mod schema;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod tree;

pub use page::reference_page;
pub use schema::json_schema;
pub use table::MEMBERS;

/// One member of the event.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// RFC 6901 pointer; `*` stands for an array index, the empty pointer for the event itself.
    pub pointer: &'static str,
    /// What it may hold.
    pub shape: Shape,
    /// Whether it must be given.
    pub need: Need,
    /// Who may set it.
    pub set_by: SetBy,
    /// What it means, in one sentence.
    pub doc: &'static str,
    /// One valid value, as JSON.
    pub example: &'static str,
}

impl Member {
    /// Returns the last step of the pointer.
    pub fn name(&self) -> &'static str {
        self.pointer.rsplit('/').next().unwrap_or_default()
    }

    /// Returns true when JSON `null` is read as "not given".
    pub fn nullable(&self) -> bool {
        !matches!(self.need, Need::Required) || matches!(self.shape, Shape::Any)
    }
}

/// What a member may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// An object whose members stand in the table.
    Object,
    /// An array whose elements stand in the table under `*`.
    Array,
    /// A string; lengths count the bytes of its unescaped UTF-8.
    Text {
        /// Shortest, in bytes: 0 or 1.
        bytes_min: usize,
        /// Longest, in bytes.
        bytes_max: usize,
    },
    /// A UUID of any version in its hyphenated form of 36 characters.
    Uuid,
    /// An RFC 3339 time with an offset.
    Time,
    /// A whole number, written without fraction and exponent.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A number that is not negative; its token is kept exactly.
    Amount,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// A SHA-256 hash as 64 lower-case hexadecimal digits.
    Hash,
    /// `true` or `false`.
    Flag,
    /// An object with any JSON in it, inside the general limits.
    AnyObject,
    /// Any JSON, inside the general limits.
    Any,
}

/// Whether a member must be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Always; in an array element or a party, whenever that is given.
    Required,
    /// Except as the text says.
    Unless(&'static str),
    /// The service fills it in, as the text says.
    Default(&'static str),
    /// Never.
    Optional,
}

/// Who may set a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetBy {
    /// Whoever submits the event.
    Client,
    /// Only the adapters that read foreign formats.
    Adapter,
    /// Only the service; refused in submissions, present in what is read.
    Service,
}

/// The values of `outcome`.
pub const OUTCOMES: &[&str] = &["success", "failure", "denied", "unknown"];

/// The actor type that needs no id.
pub const ANONYMOUS: &str = "anonymous";

/// The actor type that is filled in where an actor has an id only.
pub const ACTOR_TYPE_DEFAULT: &str = "user";

/// What every action of the service's own events starts with.
pub const SERVICE_ACTION_PREFIX: &str = "attestary.";
