//! What to say about a member that does not exist: most are a name spelled another way, or one level off.

use crate::spec::{MEMBERS, Member, SetBy};

/// Names that other systems use, with ours.
const SYNONYMS: &[(&str, &str)] = &[
    ("timestamp", "/occurred_at"),
    ("time", "/occurred_at"),
    ("created", "/occurred_at"),
    ("createdat", "/occurred_at"),
    ("event", "/action"),
    ("eventtype", "/action"),
    ("organization", "/tenant"),
    ("organizationid", "/tenant"),
    ("org", "/tenant"),
    ("customer", "/tenant"),
    ("group", "/tenant"),
    ("user", "/actor"),
    ("userid", "/actor/id"),
    ("target", "/targets"),
    ("resource", "/targets"),
    ("result", "/outcome"),
    ("status", "/outcome"),
    ("message", "/description"),
    ("ipaddress", "/context/ip"),
    ("sourceip", "/context/ip"),
    ("tags", "/labels"),
    ("data", "/metadata"),
    ("extra", "/metadata"),
    ("idempotencykey", "/id"),
];

/// Returns the detail for the unknown member `name` of the object `parent`.
pub(super) fn unknown_member(parent: &Member, name: &str) -> String {
    let place = if parent.pointer.is_empty() { "the event" } else { parent.pointer };
    match nearest(parent, name) {
        Some(pointer) => format!("is not a member of {place}; did you mean {pointer}?"),
        None => format!("is not a member of {place}; data of your own goes into \"metadata\""),
    }
}

/// The known member that `name` most likely stands for: a sibling, then the same name elsewhere, then a synonym.
fn nearest(parent: &Member, name: &str) -> Option<&'static str> {
    let name = folded(name);
    let settable =
        || MEMBERS.iter().filter(|member| member.set_by == SetBy::Client && member.name() != "*");
    let siblings = settable().filter(|member| {
        let rest =
            member.pointer.strip_prefix(parent.pointer).and_then(|rest| rest.strip_prefix('/'));
        rest.is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
    });
    // A third of the letters may differ: "tenantId" is near "tenant", "colour" is near nothing.
    let sibling = siblings
        .map(|member| (distance(&name, &folded(member.name())), member))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance * 3 <= name.len().max(3));
    let elsewhere =
        || settable().find(|member| folded(member.name()) == name).map(|member| member.pointer);
    let synonym = || SYNONYMS.iter().find(|(other, _)| *other == name).map(|(_, pointer)| *pointer);
    sibling.map(|(_, member)| member.pointer).or_else(synonym).or_else(elsewhere)
}

/// Lower case without separators, so that `occurredAt` is `occurred_at`; cut, so that the cost is bounded.
fn folded(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(32)
        .collect::<String>()
        .to_ascii_lowercase()
}

/// Edit distance with insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut rows = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            rows[i][j] = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if swapped {
                rows[i][j] = rows[i][j].min(rows[i - 2][j - 2] + 1);
            }
        }
    }
    rows[a.len()][b.len()]
}
