//! The conformance page of the seed systems: rows of a list, tests that name the rows they show, and what disagrees.
//!
//! A test claims rows in a comment directly above it:
//!
//! ```text
//! // seeds: IC-01 IC-11 with the Node client
//! #[tokio::test]
//! async fn an_event_is_taken() {
//! ```
//!
//! In Python the comment begins with `#`. A claim above something that is no test, or above a test that is skipped,
//! is an error: a row is shown by what runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde::Deserialize;

/// Lines between a claim and its test: further claims, attributes and comments.
const DISTANCE_MAX: usize = 12;

/// The list of rows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seeds {
    /// The systems in the order of the page.
    pub system: Vec<System>,
}

/// One of the systems.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// What its ids begin with.
    pub prefix: String,
    /// Its name.
    pub title: String,
    /// Its rows.
    pub row: Vec<Row>,
}

/// One capability.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Stable id, such as `IC-01`.
    pub id: String,
    /// What it says.
    pub says: String,
    /// How far it is shown.
    pub state: State,
    /// What is not there yet, of a row that is partly shown.
    #[serde(default)]
    pub missing: Option<String>,
}

/// How far a row is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// All of it, by tests.
    Shown,
    /// Some of it, by tests; the row says what is missing.
    Partly,
    /// No test shows it.
    Open,
}

/// A test's claim to show rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// File of the test, from the root of the repository.
    pub file: String,
    /// Name of the test.
    pub test: String,
    /// The rows.
    pub rows: Vec<String>,
    /// The real client, receiver or recorded bytes that it uses, when it says so.
    pub with: Option<String>,
}

impl Seeds {
    /// Reads the list.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.system.iter().flat_map(|system| &system.row)
    }
}

/// Returns the claims of one file and what is wrong with others. `file` ends in `.rs` or `.py`.
pub fn claims(file: &str, text: &str) -> (Vec<Claim>, Vec<String>) {
    let sign = if file.ends_with(".py") { "#" } else { "//" };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for (index, line) in lines.iter().enumerate() {
        let Some(rest) =
            line.strip_prefix(sign).and_then(|rest| rest.trim().strip_prefix("seeds:"))
        else {
            continue;
        };
        let (ids, with) = match rest.split_once(" with ") {
            Some((ids, with)) => (ids, Some(with.trim().to_owned())),
            None => (rest, None),
        };
        let rows: Vec<String> = ids.split_whitespace().map(str::to_owned).collect();
        match test_below(&lines[index + 1..], sign) {
            Ok(test) => found.push(Claim { file: file.to_owned(), test, rows, with }),
            Err(reason) => wrong.push(format!("{file}:{}: {reason}", index + 1)),
        }
    }
    (found, wrong)
}

/// Returns the name of the test that the lines begin with.
fn test_below(lines: &[&str], sign: &str) -> Result<String, &'static str> {
    let mut is_test = sign == "#";
    for line in lines.iter().take(DISTANCE_MAX) {
        if line.contains("#[ignore") || line.contains("mark.skip") {
            return Err("the claim stands above a test that is skipped");
        }
        is_test |= line.contains("test]") || line.contains("test(");
        let name = match sign {
            "#" => line.strip_prefix("def test_").map(|name| format!("test_{name}")),
            _ => line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ").map(str::to_owned),
        };
        if let Some(name) = name {
            let end = name.find('(').unwrap_or(name.len());
            return if is_test {
                Ok(name[..end].to_owned())
            } else {
                Err("the claim stands above a function that is no test")
            };
        }
        let passes = line.starts_with(sign) || line.starts_with("#[") || line.starts_with('@');
        if !passes {
            return Err("the claim does not stand directly above a test");
        }
    }
    Err("no test follows the claim")
}

/// Returns everything in which rows and claims disagree.
pub fn disagreements(seeds: &Seeds, claims: &[Claim]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut known = BTreeMap::new();
    for row in seeds.rows() {
        if known.insert(row.id.as_str(), row.state).is_some() {
            wrong.push(format!("{} stands in the list twice", row.id));
        }
        if (row.state == State::Partly) != row.missing.is_some() {
            wrong.push(format!("{}: `missing` belongs to rows that are partly shown", row.id));
        }
    }
    let mut claimed = BTreeSet::new();
    for claim in claims {
        let test = format!("{}, {}", claim.file, claim.test);
        if claim.rows.is_empty() {
            wrong.push(format!("{test} claims no row"));
        }
        for id in &claim.rows {
            match known.get(id.as_str()) {
                None => wrong.push(format!("{test} claims {id}, which is no row")),
                Some(State::Open) => wrong.push(format!("{test} shows {id}, which is open")),
                Some(_) => _ = claimed.insert(id.as_str()),
            }
        }
    }
    for (id, state) in known {
        if state != State::Open && !claimed.contains(id) {
            wrong.push(format!("{id} is shown by no test"));
        }
    }
    wrong
}

/// Returns the page.
pub fn page(seeds: &Seeds, claims: &[Claim]) -> String {
    let count = |state| seeds.rows().filter(|row| row.state == state).count();
    let mut page = format!(
        "# Seed systems: what works, shown by which test\n\n\
         Generated from `seeds.toml` and the tests: `cargo run -p attestary-testkit --example seeds`. A test fails \
         when a row loses its test or a test its row.\n\n\
         Of {} rows {} are shown, {} partly (the row says what is missing), {} are open.\n",
        seeds.rows().count(),
        count(State::Shown),
        count(State::Partly),
        count(State::Open),
    );
    for system in &seeds.system {
        let _ = write!(
            page,
            "\n## {}\n\n| id | what it says | state | shown by |\n|---|---|---|---|\n",
            system.title
        );
        for row in &system.row {
            let state = match (row.state, &row.missing) {
                (State::Shown, _) => "shown".to_owned(),
                (State::Open, _) => "open".to_owned(),
                (State::Partly, missing) => {
                    format!("partly; missing: {}", missing.as_deref().unwrap_or_default())
                }
            };
            let tests: Vec<String> = claims
                .iter()
                .filter(|claim| claim.rows.contains(&row.id))
                .map(|claim| {
                    let with = claim.with.as_ref().map(|with| format!(" ({with})"));
                    format!("`{}` {}{}", claim.file, claim.test, with.unwrap_or_default())
                })
                .collect();
            let _ =
                writeln!(page, "| {} | {} | {state} | {} |", row.id, row.says, tests.join("<br>"));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"
        [[system]]
        prefix = "A"
        title = "A system"
        row = [
            { id = "A-1", says = "one", state = "shown" },
            { id = "A-2", says = "two", state = "partly", missing = "half" },
            { id = "A-3", says = "three", state = "open" },
        ]
    "#;

    #[track_caller]
    fn check(rust: &str, expected: &[&str]) {
        let seeds = Seeds::parse(LIST).unwrap();
        let (claims, mut wrong) = claims("a.rs", rust);
        wrong.extend(disagreements(&seeds, &claims));
        assert_eq!(wrong.len(), expected.len(), "{wrong:?}");
        for (wrong, expected) in wrong.iter().zip(expected) {
            assert!(wrong.contains(expected), "{wrong}");
        }
    }

    #[test]
    fn rows_and_tests_must_agree() {
        check("// seeds: A-1 A-2 with a client\n#[test]\nfn a() {", &[]);
        check("// seeds: A-1\n#[test]\nfn a() {", &["A-2 is shown by no test"]);
        check("// seeds: A-1 A-2 A-3\n#[tokio::test(x)]\nasync fn a() {", &["A-3, which is open"]);
        check("// seeds: A-1 A-2 B-1\n#[test]\nfn a() {", &["B-1, which is no row"]);
        check("// seeds: A-1 A-2\n#[test]\n#[ignore]\nfn a() {", &["skipped", "A-1", "A-2"]);
        check("// seeds: A-1 A-2\nfn a() {", &["is no test", "A-1", "A-2"]);
        check("// seeds: A-1 A-2\nlet a = 1;", &["directly above", "A-1", "A-2"]);
    }

    #[test]
    fn python_tests_claim_rows_too() {
        let text = "# seeds: A-1 with curl\n# seeds: A-2\n@pytest.mark.parametrize('x', y)\ndef test_it(a):\n";
        let (claims, wrong) = claims("e.py", text);
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(claims.iter().map(|c| c.test.as_str()).collect::<Vec<_>>(), ["test_it"; 2]);
        assert_eq!(claims[0].with.as_deref(), Some("curl"));
        let page = page(&Seeds::parse(LIST).unwrap(), &claims);
        assert!(page.contains("| A-1 | one | shown | `e.py` test_it (curl) |"), "{page}");
        assert!(page.contains("| A-2 | two | partly; missing: half | `e.py` test_it |"), "{page}");
        assert!(page.contains("| A-3 | three | open |  |"), "{page}");
    }
}
