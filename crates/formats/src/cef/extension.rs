//! The extension's pairs and what may go first when they are too long.
//!
//! Pairs are written into one buffer and addressed by range, so leaving one out costs nothing but its bytes.

use std::ops::Range;

use attestary_event::View;

use super::{
    escape::{self, Limit},
    fit::{fit, member},
    layout::SLOT,
};
use crate::json::one_line;

/// What a pair is worth when the record is too long: the greatest rank goes first, as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Identity, times, seq and leaf hash; all of bounded length. Never left out.
    Core,
    /// Who, how it ended, from where.
    Actor,
    /// What it was done to.
    Target,
    /// Category, reason, labels, ids of request and session.
    Classification,
    /// Message, user agent, URL.
    Text,
    /// Everything without a slot of the standard.
    Custom,
    /// Old and new values.
    Changes,
}

impl Rank {
    const DROPPED: [Self; 6] =
        [Self::Changes, Self::Custom, Self::Text, Self::Classification, Self::Target, Self::Actor];
}

struct Pair {
    bytes: Range<usize>,
    rank: Rank,
}

/// The pairs of one event, in the order of the wire.
pub(super) struct Extension {
    text: String,
    pairs: Vec<Pair>,
    metadata: Option<String>,
    /// `metadata` stands before this pair.
    metadata_at: usize,
    /// Text was cut at a limit of the standard.
    pub(super) cut: bool,
}

/// The label of a slot; its key is the slot's key and `Label`.
pub(super) type Label = Option<&'static str>;

impl Extension {
    pub(super) fn empty() -> Self {
        let (text, pairs) = (String::with_capacity(1024), Vec::with_capacity(24));
        Self { text, pairs, metadata: None, metadata_at: 0, cut: false }
    }

    /// Gives the metadata its place after the pairs so far.
    pub(super) fn put_metadata_here(&mut self, view: &View<'_>) {
        self.metadata_at = self.pairs.len();
        self.put_metadata(view, usize::MAX);
    }

    /// Lays out the metadata's leading members that fit both the slot and `bytes_max`, label included.
    fn put_metadata(&mut self, view: &View<'_>, bytes_max: usize) {
        const LABEL: &str = " cs6Label=metadata";
        let Some(metadata) = member(view, "metadata").filter(|metadata| metadata.len() > 2) else {
            return;
        };
        let bytes_max = bytes_max.saturating_sub("cs6=".len() + LABEL.len());
        let metadata = one_line(metadata);
        let (metadata, cut) = fit(&metadata, SLOT, bytes_max);
        self.cut |= cut;
        self.metadata = metadata.map(|metadata| {
            let mut text = "cs6=".to_owned();
            escape::value(&metadata, Limit::chars(usize::MAX), &mut text);
            text + LABEL
        });
    }

    /// Adds a pair unless its text is absent or blank.
    pub(super) fn put(
        &mut self,
        key: &'static str,
        label: Label,
        text: Option<&str>,
        chars_max: usize,
        rank: Rank,
    ) {
        if let Some(text) = text.filter(|text| !text.trim_matches(' ').is_empty()) {
            self.put_required(key, label, text, chars_max, rank);
        }
    }

    /// Adds a pair whatever its text.
    pub(super) fn put_required(
        &mut self,
        key: &'static str,
        label: Label,
        text: &str,
        chars_max: usize,
        rank: Rank,
    ) {
        let start = self.text.len();
        self.text.push_str(key);
        self.text.push('=');
        self.cut |= escape::value(text, Limit::chars(chars_max), &mut self.text);
        if let Some(label) = label {
            self.text.extend([" ", key, "Label=", label]);
        }
        self.pairs.push(Pair { bytes: start..self.text.len(), rank });
    }

    /// Returns the length of what [`Self::write`] appends.
    pub(super) fn bytes(&self) -> usize {
        let pairs: usize = self.pairs.iter().map(|pair| pair.bytes.len() + 1).sum();
        let metadata = self.metadata.as_ref().map_or(0, |text| text.len() + 1);
        (pairs + metadata).saturating_sub(1)
    }

    /// Leaves out as much as it takes to fit, if it can be done: metadata, then rank by rank.
    pub(super) fn shorten(&mut self, view: &View<'_>, bytes_max: usize) {
        self.metadata = None;
        for rank in Rank::DROPPED {
            if self.bytes() <= bytes_max {
                break;
            }
            self.keep_below(rank);
        }
        // One more space joins the metadata to the rest.
        if let Some(room) = bytes_max.checked_sub(self.bytes() + 1) {
            self.put_metadata(view, room);
        }
    }

    fn keep_below(&mut self, rank: Rank) {
        let before = self.pairs[..self.metadata_at].iter().filter(|pair| pair.rank < rank).count();
        self.pairs.retain(|pair| pair.rank < rank);
        self.metadata_at = before;
    }

    /// Leaves out the metadata and every pair above `rank`.
    pub(super) fn keep(&mut self, rank: Rank) {
        self.metadata = None;
        self.pairs.retain(|pair| pair.rank <= rank);
        self.metadata_at = 0;
    }

    /// Appends the pairs, one space between each two.
    pub(super) fn write(&self, out: &mut String) {
        let (before, after) = self.pairs.split_at(self.metadata_at);
        let text = |pair: &Pair| &self.text[pair.bytes.clone()];
        let all =
            before.iter().map(text).chain(self.metadata.as_deref()).chain(after.iter().map(text));
        for (index, pair) in all.enumerate() {
            if index > 0 {
                out.push(' ');
            }
            out.push_str(pair);
        }
    }
}
