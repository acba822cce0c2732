//! Watching for lines that a user name with a line break wrote.
//!
//! The rules stand at [`super::SUSPECTED_FORGERY`]. They rest on what an attacker cannot know: the uuids of
//! requests, which the server draws. Where the log does not bracket its requests (the open core prints no
//! `REQUEST_START`), only times and the sign-in's own uuid are left to judge by.

use std::{collections::HashSet, mem};

use attestary_event::Timestamp;

use super::{columns, line::Header};

/// Requests of one generation; far more than a server has open at once. Two generations take about 3 MiB.
const GENERATION_REQUESTS_MAX: usize = 16_384;

/// How far the clocks of worker processes that share a log may differ.
const SKEW_MS_MAX: i64 = 1_000;

/// Watches the event lines of one import in their order.
#[derive(Debug, Default)]
pub(super) struct Watch {
    suspicion: Option<Suspicion>,
    /// True once a request started outside of any suspicion.
    brackets: bool,
    newer: HashSet<Box<str>>,
    older: HashSet<Box<str>>,
}

/// A failed sign-in whose printed name may go on as lines of its own.
#[derive(Debug)]
struct Suspicion {
    uuid: Box<str>,
    project: Option<Box<str>>,
    time: Option<Timestamp>,
}

/// What a line does to a suspicion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is proven not to come from the name, so neither does anything after it.
    Ends,
    /// It proves nothing.
    Open,
    /// It does not fit.
    Suspected,
}

impl Watch {
    /// Takes the next line that has the shape of an event; returns whether it is suspected to be forged.
    pub(super) fn suspects(&mut self, header: &Header<'_>) -> bool {
        let columns = columns::split(header.rest);
        let project = columns.and_then(|columns| columns.project);
        let time = Timestamp::parse(header.date);
        let verdict = self.judge(header, project, time);
        if verdict == Verdict::Suspected {
            return true;
        }
        if verdict == Verdict::Ends {
            self.suspicion = None;
            if header.event == "REQUEST_START" {
                self.open(header.uuid);
            }
        }
        let prints_a_name = header.event.starts_with("EAUTH_")
            && columns.and_then(|columns| columns.extra).is_some_and(|extra| !extra.is_empty());
        if prints_a_name {
            self.suspicion = Some(Suspicion {
                uuid: header.uuid.into(),
                project: project.map(Into::into),
                time,
            });
        }
        false
    }

    fn judge(
        &self,
        header: &Header<'_>,
        project: Option<&str>,
        time: Option<Timestamp>,
    ) -> Verdict {
        let Some(suspicion) = &self.suspicion else {
            return Verdict::Ends;
        };
        if header.uuid == &*suspicion.uuid {
            let fits = header.event != "AUTH_LOGIN" && project == suspicion.project.as_deref();
            return if fits { Verdict::Ends } else { Verdict::Suspected };
        }
        if self.newer.contains(header.uuid) || self.older.contains(header.uuid) {
            return Verdict::Ends;
        }
        let back_in_time =
            time.zip(suspicion.time).is_some_and(|(time, before)| time.0 < before.0 - SKEW_MS_MAX);
        match header.event {
            _ if back_in_time => Verdict::Suspected,
            "REQUEST_START" => Verdict::Open,
            _ if self.brackets => Verdict::Suspected,
            _ => Verdict::Ends,
        }
    }

    fn open(&mut self, uuid: &str) {
        self.brackets = true;
        if self.newer.len() >= GENERATION_REQUESTS_MAX {
            self.older = mem::take(&mut self.newer);
        }
        self.newer.insert(uuid.into());
    }
}
