//! The known actions as a reference page, generated from the data files.

use std::fmt::Write as _;

use super::{ActionSpec, CATEGORY_DEFAULT, KnownActions, SEVERITY_DEFAULT};

/// Returns the text of `docs/reference/actions.md`.
pub fn reference_page(known: &KnownActions) -> String {
    let mut page = INTRODUCTION.to_owned();
    let _ = writeln!(
        page,
        "An action that is not listed is accepted all the same: category `{CATEGORY_DEFAULT}`, severity {SEVERITY_DEFAULT}, \
         outcome `unknown`."
    );
    let mut families: Vec<&str> = known.iter().map(|spec| spec.family.as_str()).collect();
    families.dedup();
    for family in &families {
        actions(&mut page, family, known);
    }
    for family in &families {
        names(&mut page, family, known);
    }
    prefixes(&mut page, known);
    page
}

fn actions(page: &mut String, family: &str, known: &KnownActions) {
    let _ = write!(
        page,
        "\n## Actions: {family}\n\n| action | category | severity | outcome | name | sentence | ECS category / type | OCSF class / activity |\n\
         |---|---|---|---|---|---|---|---|\n"
    );
    for spec in known.iter().filter(|spec| spec.family == family) {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} | {} | {} / {} |",
            spec.name,
            spec.category,
            spec.severity,
            spec.outcome.as_str(),
            spec.display,
            spec.sentence,
            ecs(spec),
            spec.ocsf_class_uid,
            spec.ocsf_activity_id
        );
    }
}

fn ecs(spec: &ActionSpec) -> String {
    if spec.ecs_category.is_empty() {
        return "–".to_owned();
    }
    format!("{} / {}", spec.ecs_category.join(", "), spec.ecs_type.join(", "))
}

fn names(page: &mut String, family: &str, known: &KnownActions) {
    let mut rows = known
        .iter()
        .flat_map(|spec| spec.aliases.iter().map(move |alias| (alias, spec)))
        .filter(|(alias, _)| alias.family == family)
        .peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = write!(page, "\n## Names: {family}\n\n| name | action |\n|---|---|\n");
    for (alias, spec) in rows {
        let mark =
            if alias.coined { " (our name: the system does not publish its own)" } else { "" };
        let _ = writeln!(page, "| `{}`{mark} | `{}` |", alias.name, spec.name);
    }
}

fn prefixes(page: &mut String, known: &KnownActions) {
    page.push_str("\n## Prefixes\n\nFor a name that is not listed, the longest of these that it starts with.\n\n| prefix | action |\n|---|---|\n");
    for (prefix, spec) in known.prefixes() {
        let _ = writeln!(page, "| `{prefix}` | `{}` |", spec.name);
    }
}

const INTRODUCTION: &str = "# Known actions

<!-- Generated from crates/event/actions: cargo run -p attestary-event --example generate -->

What the service knows about an action: its category, severity and outcome, which an event that does not state them gets
when it is taken in; a sentence and a name for people; and where it belongs in the Elastic Common Schema and in OCSF. The name is
also the CEF name. The action of an event is always kept as it was sent; the names that other systems use find the
same entry.

";
