//! One comparison made ready: every reading of its value is worked out once.
//!
//! The type of the event's value decides which reading counts. A value that cannot be read that way does
//! not match, whatever the operator; nothing here can fail.

use std::cmp::Ordering;

use super::{
    ast::Comparator,
    decimal,
    moment::{self, Span},
    network::Network,
    pattern::{Glob, Pattern},
};

/// One value of an event.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar<'a> {
    Text(&'a str),
    Number(&'a str),
    Flag(bool),
    /// A time of the service's own, in milliseconds since the epoch.
    Time(i64),
}

/// How a value must stand to the clause's.
#[derive(Debug, Clone)]
pub(super) struct Matcher {
    pub(super) relation: Relation,
    /// The clause's value as a number token.
    pub(super) number: Option<Box<str>>,
    flag: Option<bool>,
    pub(super) span: Option<Span>,
}

#[derive(Debug, Clone)]
pub(super) enum Relation {
    /// `:`
    Like(Glob, Option<Network>),
    /// The other operators, with the text they compare with.
    Compare(Comparator, Box<str>),
}

impl Matcher {
    pub(super) fn like(pattern: &Pattern) -> Self {
        let glob = Glob::new(pattern);
        let text = match &glob {
            Glob::Exact(text) => text.clone(),
            Glob::Parts { .. } => Box::default(),
        };
        let network = Network::parse(&text);
        Self::reading(&text, Relation::Like(glob, network))
    }

    pub(super) fn compare(comparator: Comparator, text: &str) -> Self {
        Self::reading(text, Relation::Compare(comparator, text.into()))
    }

    fn reading(text: &str, relation: Relation) -> Self {
        let number = decimal::is_number(text).then(|| text.into());
        let flag = match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        Self { relation, number, flag, span: Span::parse(text) }
    }

    /// `:` on a value that is no text asks for equality.
    fn comparator(&self) -> Comparator {
        match self.relation {
            Relation::Like(..) => Comparator::Equal,
            Relation::Compare(comparator, _) => comparator,
        }
    }

    /// Returns true for `:*`, which asks for any value of any type.
    pub(super) fn matches_any(&self) -> bool {
        matches!(&self.relation, Relation::Like(glob, _) if glob.matches_all())
    }

    /// Returns true when values that are no text, or texts that are read as times, may pass.
    pub(super) fn reads_as_another_type(&self) -> bool {
        self.number.is_some() || self.flag.is_some() || self.span.is_some()
    }

    pub(super) fn matches(&self, scalar: Scalar<'_>) -> bool {
        match scalar {
            Scalar::Text(text) => self.matches_text(text),
            Scalar::Number(token) => self.matches_number(token),
            Scalar::Flag(flag) => self.matches_flag(flag),
            Scalar::Time(time) => self.matches_time(time),
        }
    }

    fn matches_text(&self, text: &str) -> bool {
        match &self.relation {
            Relation::Like(glob, network) => {
                glob.matches(text) || network.is_some_and(|network| network.contains(text))
            }
            Relation::Compare(Comparator::Equal, value) => **value == *text,
            Relation::Compare(Comparator::NotEqual, value) => **value != *text,
            Relation::Compare(comparator, value) => match &self.span {
                Some(span) => {
                    moment::milliseconds(text).is_some_and(|time| span.admits(*comparator, time))
                }
                None => comparator.admits(text.cmp(value)),
            },
        }
    }

    fn matches_number(&self, token: &str) -> bool {
        let number = self.number.as_deref();
        self.matches_any()
            || number
                .is_some_and(|number| self.comparator().admits(decimal::compare(token, number)))
    }

    fn matches_flag(&self, flag: bool) -> bool {
        let comparator = self.comparator();
        let equal = self
            .flag
            .is_some_and(|value| !comparator.orders() && comparator.admits(flag.cmp(&value)));
        equal || self.matches_any()
    }

    fn matches_time(&self, time: i64) -> bool {
        self.matches_any() || self.span.is_some_and(|span| span.admits(self.comparator(), time))
    }
}

impl Comparator {
    fn admits(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}
