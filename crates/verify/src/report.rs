//! What a verification says: one line for each step, and one verdict.

use std::fmt;

/// What a long verification tells about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So much is to be checked: bytes of events, or entries.
    Total(u64),
    /// So much more was checked.
    Done(u64),
}

/// The steps in their order. Step 0 is the container; 1 to 12 are the twelve checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepName {
    /// The archive: names, sizes, digests.
    Container,
    /// Origin, slot, keys, quorum.
    Trust,
    /// Syntax and signatures.
    Notes,
    /// Tiles and root.
    Tree,
    /// Entries.
    Entries,
    /// Payloads.
    Payloads,
    /// What is missing.
    Absence,
    /// Older checkpoints.
    History,
    /// Slot proof, witnesses.
    Anchoring,
    /// Epoch numbers and times.
    Epochs,
    /// Age of the newest anchor.
    Freshness,
    /// What no anchor covers.
    Tail,
    /// Which key was valid when.
    KeyEpochs,
}

impl StepName {
    /// Every step in order.
    pub const ALL: [Self; 13] = [
        Self::Container,
        Self::Trust,
        Self::Notes,
        Self::Tree,
        Self::Entries,
        Self::Payloads,
        Self::Absence,
        Self::History,
        Self::Anchoring,
        Self::Epochs,
        Self::Freshness,
        Self::Tail,
        Self::KeyEpochs,
    ];

    /// Returns the word that stands for the step in a report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Trust => "trust",
            Self::Notes => "notes",
            Self::Tree => "tree",
            Self::Entries => "entries",
            Self::Payloads => "payloads",
            Self::Absence => "absence",
            Self::History => "history",
            Self::Anchoring => "anchoring",
            Self::Epochs => "epochs",
            Self::Freshness => "freshness",
            Self::Tail => "tail",
            Self::KeyEpochs => "key epochs",
        }
    }
}

/// How a step ended. Later ones win over earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// An earlier step failed, so this one was not decided.
    NotReached,
    /// It holds, or nothing asks for it.
    Passed,
    /// It can be decided neither way.
    Undecided,
    /// It does not hold.
    Failed,
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub name: StepName,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen, in one sentence or several.
    pub detail: String,
}

/// The answer of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// All steps in order.
    pub steps: Vec<Step>,
    /// Name of the log, its size and root, when its checkpoint was accepted: what the next verification should know.
    pub head: Option<(String, u64, attestary_ledger::Hash)>,
    /// Events looked at.
    pub events: u64,
}

impl Report {
    /// Returns 0 when everything holds, 1 when something was tampered with, 2 when it cannot be decided.
    pub fn exit_code(&self) -> u8 {
        let worst = self.steps.iter().map(|step| step.outcome).max();
        match worst {
            Some(Outcome::Failed) | None => 1,
            Some(Outcome::Undecided) => 2,
            // Steps are left out only behind one that ended otherwise.
            Some(Outcome::Passed | Outcome::NotReached) => 0,
        }
    }

    /// Returns the first step that ended like this.
    pub fn first(&self, outcome: Outcome) -> Option<&Step> {
        self.steps.iter().find(|step| step.outcome == outcome)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.outcome {
            Outcome::NotReached => "-",
            Outcome::Passed => "ok",
            Outcome::Undecided => "??",
            Outcome::Failed => "FAIL",
        };
        write!(f, "{:>2} {:<10} {sign:<4} ", self.name as usize, self.name.word())?;
        // What was read may hold anything: a report is lines of plain text.
        self.detail.chars().try_for_each(|character| match character {
            character if character.is_control() => write!(f, "{}", character.escape_unicode()),
            '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{2028}' | '\u{2029}' => {
                write!(f, "{}", character.escape_unicode())
            }
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                write!(f, "{}", character.escape_unicode())
            }
            character => write!(f, "{character}"),
        })
    }
}

/// A report being written.
#[derive(Debug)]
pub struct Board {
    steps: Vec<Step>,
}

impl Default for Board {
    fn default() -> Self {
        let step = |name| Step { name, outcome: Outcome::NotReached, detail: String::new() };
        Self { steps: StepName::ALL.map(step).to_vec() }
    }
}

impl Board {
    /// Notes how a step ended; a worse outcome wins, and what is said adds up.
    pub fn note(&mut self, name: StepName, outcome: Outcome, detail: impl Into<String>) {
        let step = &mut self.steps[name as usize];
        let detail = detail.into();
        if outcome > step.outcome && outcome > Outcome::Passed {
            step.detail = detail;
        } else if outcome >= step.outcome && !detail.is_empty() {
            if !step.detail.is_empty() {
                step.detail.push_str("; ");
            }
            step.detail.push_str(&detail);
        }
        step.outcome = step.outcome.max(outcome);
    }

    /// Notes that a step holds.
    pub fn pass(&mut self, name: StepName, detail: impl Into<String>) {
        self.note(name, Outcome::Passed, detail);
    }

    /// Notes that a step does not hold.
    pub fn fail(&mut self, name: StepName, detail: impl Into<String>) {
        self.note(name, Outcome::Failed, detail);
    }

    /// Notes that a step cannot be decided.
    pub fn undecided(&mut self, name: StepName, detail: impl Into<String>) {
        self.note(name, Outcome::Undecided, detail);
    }

    /// Returns true when the step failed.
    pub fn has_failed(&self, name: StepName) -> bool {
        self.steps[name as usize].outcome == Outcome::Failed
    }

    /// Returns the report.
    pub fn finish(
        self,
        head: Option<(String, u64, attestary_ledger::Hash)>,
        events: u64,
    ) -> Report {
        Report { steps: self.steps, head, events }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_outcome_decides() {
        let code = |outcomes: &[(StepName, Outcome)]| {
            let mut board = Board::default();
            StepName::ALL.iter().for_each(|name| board.pass(*name, ""));
            outcomes.iter().for_each(|(name, outcome)| board.note(*name, *outcome, "x"));
            board.finish(None, 0).exit_code()
        };
        assert_eq!(code(&[]), 0);
        assert_eq!(code(&[(StepName::Freshness, Outcome::Undecided)]), 2);
        let both = [(StepName::Freshness, Outcome::Undecided), (StepName::Tree, Outcome::Failed)];
        assert_eq!(code(&both), 1);
    }

    #[test]
    fn a_line_is_a_line() {
        let step = Step {
            name: StepName::Tree,
            outcome: Outcome::Failed,
            detail: "a\nb\u{1b}[2J\u{202e}".into(),
        };
        assert_eq!(step.to_string(), r" 3 tree       FAIL a\u{a}b\u{1b}[2J\u{202e}");
    }
}
