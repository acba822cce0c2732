//! What every matching event must look like in its columns: the part of a filter that prunes storage.
//!
//! Bounds are necessary, never sufficient: a row outside of them cannot match, a row inside still has to be
//! evaluated. So segments, pages and rows may be skipped by statistics, bloom filters and columns before any
//! body is read, and search stays equal to a linear scan.

use super::{
    ast::Comparator,
    column::{Column, Source},
    matcher::{Matcher, Relation, Scalar},
    moment::Span,
    pattern::Glob,
    plan::Step,
};
use crate::EventId;

/// Necessary conditions on the columns of a matching event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    never: bool,
    texts: Vec<(Column, TextBound)>,
    ranges: [Range; RANGED.len()],
}

/// The columns that have a range.
const RANGED: [Column; 4] = [Column::Severity, Column::OccurredAt, Column::ReceivedAt, Column::Seq];

/// What one text of a column must be; for the columns of targets, the text of some target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextBound {
    /// One of these texts.
    Equals(Vec<Box<str>>),
    /// A text that begins with one of these.
    Prefixes(Vec<Box<str>>),
}

/// Both ends included. Severities, sequence numbers, or milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Smallest.
    pub min: i64,
    /// Largest.
    pub max: i64,
}

impl Range {
    /// Every value.
    pub const ALL: Self = Self { min: i64::MIN, max: i64::MAX };

    /// Returns true when `value` is inside.
    pub const fn contains(self, value: i64) -> bool {
        self.min <= value && value <= self.max
    }

    /// Returns true when some value between `min` and `max` is inside.
    pub const fn overlaps(self, min: i64, max: i64) -> bool {
        self.min <= max && min <= self.max
    }

    fn and(self, other: Self) -> Self {
        Self { min: self.min.max(other.min), max: self.max.min(other.max) }
    }

    fn or(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}

impl TextBound {
    /// Returns true when `text` is one of the texts meant.
    pub fn admits(&self, text: &str) -> bool {
        match self {
            Self::Equals(texts) => texts.iter().any(|equal| **equal == *text),
            Self::Prefixes(prefixes) => prefixes.iter().any(|prefix| text.starts_with(&**prefix)),
        }
    }

    /// Returns true when some text between `min` and `max`, both included and in byte order, may be meant.
    pub fn overlaps(&self, min: &[u8], max: &[u8]) -> bool {
        match self {
            Self::Equals(texts) => {
                texts.iter().any(|text| min <= text.as_bytes() && text.as_bytes() <= max)
            }
            Self::Prefixes(prefixes) => prefixes.iter().any(|prefix| {
                let prefix = prefix.as_bytes();
                prefix <= max && (min <= prefix || min.starts_with(prefix))
            }),
        }
    }

    /// Equality is the stronger one.
    fn or(&self, other: &Self) -> Self {
        let mut all = [self.texts(), other.texts()].concat();
        all.sort_unstable();
        all.dedup();
        match (self, other) {
            (Self::Equals(_), Self::Equals(_)) => Self::Equals(all),
            _ => Self::Prefixes(all),
        }
    }

    fn texts(&self) -> &[Box<str>] {
        match self {
            Self::Equals(texts) | Self::Prefixes(texts) => texts,
        }
    }
}

impl Bounds {
    /// No condition.
    const ALL: Self = Self { never: false, texts: Vec::new(), ranges: [Range::ALL; RANGED.len()] };
    /// No event.
    const NEVER: Self = Self { never: true, texts: Vec::new(), ranges: [Range::ALL; RANGED.len()] };

    /// Returns true when no event can match.
    pub fn is_never(&self) -> bool {
        self.never
    }

    /// Returns the conditions on texts; all must hold. A column may have several.
    pub fn texts(&self) -> &[(Column, TextBound)] {
        &self.texts
    }

    /// Returns the texts of which `column` must have one: what a bloom filter can be asked for.
    pub fn equals(&self, column: Column) -> Option<&[Box<str>]> {
        self.texts.iter().find_map(|(of, bound)| match bound {
            TextBound::Equals(texts) if *of == column => Some(&texts[..]),
            _ => None,
        })
    }

    /// Returns the range of a column that is a number or a time; [`Range::ALL`] for the others.
    pub fn range(&self, column: Column) -> Range {
        let index = RANGED.iter().position(|ranged| *ranged == column);
        index.map_or(Range::ALL, |index| self.ranges[index])
    }

    /// Returns false when a row with these [`Column::TEXT`] columns cannot match.
    pub fn admits_texts<'a>(&self, text: impl Fn(Column) -> Option<&'a str>) -> bool {
        let of_row = self.texts.iter().filter(|(column, _)| *column <= Column::UserAgent);
        !self.never
            && of_row
                .clone()
                .all(|(column, bound)| text(*column).is_some_and(|text| bound.admits(text)))
    }

    /// Returns false when a row with these targets, each as (type, id), cannot match.
    pub fn admits_targets<'a>(
        &self,
        targets: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)> + Clone,
    ) -> bool {
        let admits = |column, bound: &TextBound| match column {
            Column::TargetType => {
                targets.clone().any(|target| target.0.is_some_and(|kind| bound.admits(kind)))
            }
            Column::TargetId => {
                targets.clone().any(|target| target.1.is_some_and(|id| bound.admits(id)))
            }
            _ => true,
        };
        !self.never && self.texts.iter().all(|(column, bound)| admits(*column, bound))
    }

    /// Returns false when a row with these numbers cannot match; times in milliseconds since the epoch.
    pub fn admits_numbers(
        &self,
        severity: u8,
        occurred_ms: i64,
        received_ms: i64,
        seq: u64,
    ) -> bool {
        let [severities, occurred, received, seqs] = self.ranges;
        !self.never
            && severities.contains(i64::from(severity))
            && occurred.contains(occurred_ms)
            && received.contains(received_ms)
            && seqs.contains(i64::try_from(seq).unwrap_or(i64::MAX))
    }

    /// Returns false when the event of this id cannot match.
    pub fn admits_id(&self, id: EventId) -> bool {
        let mut buffer = [0; 36];
        let text = &*uuid::Uuid::from_bytes(id.0).hyphenated().encode_lower(&mut buffer);
        let of_id = self.texts.iter().filter(|(column, _)| *column == Column::Id);
        !self.never && of_id.clone().all(|(_, bound)| bound.admits(text))
    }

    pub(super) fn of(step: &Step) -> Self {
        match step {
            Step::All(parts) => parts.iter().map(Self::of).fold(Self::ALL, Self::and),
            Step::Any(parts) => parts.iter().map(Self::of).fold(Self::NEVER, Self::or),
            Step::Not(part) => match &**part {
                Step::Not(inner) => Self::of(inner),
                _ => Self::ALL,
            },
            Step::Exists(_) | Step::Word(_) => Self::ALL,
            Step::Compare(source, matcher) => Self::of_comparison(source, matcher),
            Step::Never => Self::NEVER,
        }
    }

    fn and(mut self, other: Self) -> Self {
        self.never |= other.never;
        for bound in other.texts {
            if !self.texts.contains(&bound) {
                self.texts.push(bound);
            }
        }
        for (range, other) in self.ranges.iter_mut().zip(other.ranges) {
            *range = range.and(other);
            self.never |= range.min > range.max;
        }
        self
    }

    fn or(self, other: Self) -> Self {
        if self.never || other.never {
            return if self.never { other } else { self };
        }
        let shared = self.columns().filter_map(|column| {
            let (ours, theirs) = (self.strongest(column)?, other.strongest(column)?);
            Some((column, ours.or(theirs)))
        });
        let mut ranges = self.ranges;
        for (range, other) in ranges.iter_mut().zip(other.ranges) {
            *range = range.or(other);
        }
        Self { never: false, texts: shared.collect(), ranges }
    }

    fn columns(&self) -> impl Iterator<Item = Column> {
        let mut columns: Vec<_> = self.texts.iter().map(|(column, _)| *column).collect();
        columns.sort_unstable();
        columns.dedup();
        columns.into_iter()
    }

    fn strongest(&self, column: Column) -> Option<&TextBound> {
        let of_column =
            || self.texts.iter().filter(move |(of, _)| *of == column).map(|(_, bound)| bound);
        of_column()
            .find(|bound| matches!(bound, TextBound::Equals(_)))
            .or_else(|| of_column().next())
    }

    fn of_comparison(source: &Source, matcher: &Matcher) -> Self {
        match source {
            Source::Text(column, _) | Source::Target(Some(column), _) => {
                Self::of_text(*column, matcher)
            }
            Source::Id => Self::of_text(Column::Id, matcher),
            Source::Severity => Self::ranged(Column::Severity, severities(matcher)),
            Source::Seq => Self::ranged(Column::Seq, seqs(matcher)),
            Source::OccurredAt => Self::ranged(Column::OccurredAt, times(matcher)),
            Source::ReceivedAt => Self::ranged(Column::ReceivedAt, times(matcher)),
            _ => Self::ALL,
        }
    }

    fn of_text(column: Column, matcher: &Matcher) -> Self {
        let bound = match &matcher.relation {
            Relation::Like(Glob::Exact(text), None)
            | Relation::Compare(Comparator::Equal, text) => TextBound::Equals(vec![text.clone()]),
            Relation::Like(Glob::Parts { first, .. }, _) if !first.is_empty() => {
                TextBound::Prefixes(vec![first.clone()])
            }
            _ => return Self::ALL,
        };
        Self { texts: vec![(column, bound)], ..Self::ALL }
    }

    /// `None` is a comparison that no value of the column's type passes.
    fn ranged(column: Column, range: Option<Range>) -> Self {
        let Some(range) = range else { return Self::NEVER };
        let mut bounds = Self::ALL;
        if let Some(index) = RANGED.iter().position(|ranged| *ranged == column) {
            bounds.ranges[index] = range;
        }
        bounds
    }
}

/// Tries the eleven severities there are.
fn severities(matcher: &Matcher) -> Option<Range> {
    let mut matching = (0..=10)
        .filter(|severity| matcher.matches(Scalar::Number(itoa::Buffer::new().format(*severity))));
    let min = matching.next()?;
    Some(Range { min, max: matching.next_back().unwrap_or(min) })
}

fn seqs(matcher: &Matcher) -> Option<Range> {
    if matcher.matches_any() {
        return Some(Range::ALL);
    }
    // Numbers that are no plain integer, or none of this size, bound nothing.
    let Ok(number) = matcher.number.as_deref()?.parse::<i64>() else { return Some(Range::ALL) };
    Some(around(matcher, Span { start: number, end: number.saturating_add(1) }))
}

fn times(matcher: &Matcher) -> Option<Range> {
    if matcher.matches_any() {
        Some(Range::ALL)
    } else {
        matcher.span.map(|span| around(matcher, span))
    }
}

/// The values that stand to `span` as the operator says.
fn around(matcher: &Matcher, span: Span) -> Range {
    let comparator = match matcher.relation {
        Relation::Like(..) => Comparator::Equal,
        Relation::Compare(comparator, _) => comparator,
    };
    match comparator {
        Comparator::Equal => Range { min: span.start, max: span.end - 1 },
        Comparator::NotEqual => Range::ALL,
        Comparator::Less => Range { min: i64::MIN, max: span.start.saturating_sub(1) },
        Comparator::LessOrEqual => Range { min: i64::MIN, max: span.end - 1 },
        Comparator::Greater => Range { min: span.end, max: i64::MAX },
        Comparator::GreaterOrEqual => Range { min: span.start, max: i64::MAX },
    }
}
