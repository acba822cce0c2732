//! How a configuration comes together: the compiled-in file, the operator's file over it, variables over both.
//!
//! The compiled-in file names every setting, so it decides which keys exist and of what type each is. A key that
//! it lacks, or a value of another type, is refused by name, with file and line (or the variable's name), and
//! with the nearest known key when there is one. An empty string means "not set".

use std::path::Path;

use toml::{
    Spanned, Table, Value,
    de::{DeTable, DeValue},
};

use crate::exit::{Exit, Failure};

/// What environment variables that set configuration start with: `ATTESTARY__SECTION__KEY`.
pub(crate) const PREFIX: &str = "ATTESTARY__";

/// Lays an operator's file over `base`.
pub(crate) fn lay_file(base: &mut Table, text: &str, path: &Path) -> Result<(), Failure> {
    let layer = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        wrong(format!("{}:{line}: {}", path.display(), error.message().trim_end()))
    })?;
    lay_table(base, layer.get_ref(), "", &|offset| {
        format!("{}:{}", path.display(), line_of(text, offset))
    })
}

fn lay_table(
    base: &mut Table,
    layer: &DeTable<'_>,
    above: &str,
    place: &dyn Fn(usize) -> String,
) -> Result<(), Failure> {
    for (key, value) in layer {
        let name = format!("{above}{}", key.get_ref());
        let Some(slot) = base.get_mut(key.get_ref().as_ref()) else {
            return Err(unknown(&place(key.span().start), &name, key.get_ref(), base));
        };
        match (slot, value.get_ref()) {
            (Value::Table(base), DeValue::Table(layer)) => {
                lay_table(base, layer, &format!("{name}."), place)?;
            }
            (slot, _) => {
                let given = owned(value);
                if given.type_str() != slot.type_str() {
                    return Err(wrong_type(
                        &place(value.span().start),
                        &name,
                        slot,
                        given.type_str(),
                    ));
                }
                *slot = given;
            }
        }
    }
    Ok(())
}

/// Lays one variable over `base`; names that do not start with [`PREFIX`] are ignored.
pub(crate) fn lay_variable(base: &mut Table, name: &str, text: &str) -> Result<(), Failure> {
    let Some(path) = name.strip_prefix(PREFIX) else { return Ok(()) };
    let path = path.to_ascii_lowercase();
    let dotted = path.replace("__", ".");
    let (sections, last) = path.rsplit_once("__").unwrap_or(("", &path));
    let mut table = base;
    for key in sections.split("__").filter(|section| !section.is_empty()) {
        if !matches!(table.get(key), Some(Value::Table(_))) {
            return Err(unknown(name, &dotted, key, table));
        }
        let Some(Value::Table(inner)) = table.get_mut(key) else { unreachable!("matched above") };
        table = inner;
    }
    let Some(slot) = table.get_mut(last) else {
        return Err(unknown(name, &dotted, last, table));
    };
    *slot = typed_like(slot, text).ok_or_else(|| wrong_type(name, &dotted, slot, "text"))?;
    Ok(())
}

/// Reads a variable's text as a value of the same type as `slot`.
fn typed_like(slot: &Value, text: &str) -> Option<Value> {
    match slot {
        Value::String(_) => Some(Value::String(text.to_owned())),
        Value::Integer(_) => text.parse().ok().map(Value::Integer),
        Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
        Value::Float(_) => text.parse().ok().map(Value::Float),
        Value::Array(_) => {
            // Numbers stay numbers, so that lists of ports work too; nothing else in a list looks like one.
            let item = |item: &str| {
                item.parse().map_or_else(|_| Value::String(item.to_owned()), Value::Integer)
            };
            Some(Value::Array(
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(item).collect(),
            ))
        }
        Value::Datetime(_) | Value::Table(_) => None,
    }
}

fn owned(value: &Spanned<DeValue<'_>>) -> Value {
    match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::String(String::new()), Value::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::String(String::new()), Value::Float)
        }
        DeValue::Boolean(truth) => Value::Boolean(*truth),
        DeValue::Datetime(datetime) => Value::Datetime(*datetime),
        DeValue::Array(items) => Value::Array(items.iter().map(owned).collect()),
        DeValue::Table(table) => Value::Table(
            table.iter().map(|(key, value)| (key.get_ref().to_string(), owned(value))).collect(),
        ),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

fn wrong(message: String) -> Failure {
    Failure::new(Exit::Usage, message)
        .hint("`attestary config print` shows every setting with its meaning")
}

fn wrong_type(place: &str, name: &str, slot: &Value, given: &str) -> Failure {
    let given = if given == "text" { "this text is no such value" } else { given };
    wrong(format!("{place}: {name} must be of type {}; given: {given}", slot.type_str()))
}

fn unknown(place: &str, name: &str, key: &str, known: &Table) -> Failure {
    let nearest = known
        .keys()
        .map(|other| (distance(key, other), other))
        .min()
        .filter(|(edits, _)| *edits <= 3);
    let nearest =
        nearest.map_or_else(String::new, |(_, other)| format!("; did you mean \"{other}\"?"));
    wrong(format!("{place}: there is no setting {name}{nearest}"))
}

/// Returns the edit distance of two keys (Levenshtein), for the suggestion of a nearest name.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str =
        "data_dir = \"d\"\n[http]\nlisten = \"a\"\ndrain_seconds = 30\nproxies = []\nopen = true\n";

    #[track_caller]
    fn check_file(text: &str, expected: Result<&str, &str>) {
        let mut base: Table = BASE.parse().unwrap();
        let laid = lay_file(&mut base, text, Path::new("a.toml"));
        compare(laid, &base, expected);
    }

    #[track_caller]
    fn check_variable(name: &str, text: &str, expected: Result<&str, &str>) {
        let mut base: Table = BASE.parse().unwrap();
        let laid = lay_variable(&mut base, name, text);
        compare(laid, &base, expected);
    }

    #[track_caller]
    fn compare(laid: Result<(), Failure>, base: &Table, expected: Result<&str, &str>) {
        let laid = laid.map_err(|failure| failure.to_string().lines().next().unwrap().to_owned());
        let found = laid.map(|()| {
            base["http"]
                .as_table()
                .unwrap()
                .values()
                .map(|value| serde_json::to_string(value).unwrap())
                .collect::<Vec<_>>()
                .join(" ")
        });
        assert_eq!(found.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn a_file_replaces_what_it_names() {
        check_file("", Ok("30 \"a\" true []"));
        check_file("[http]\ndrain_seconds = 0x0A\n", Ok("10 \"a\" true []"));
        check_file("http.proxies = [\"x\", \"y\"]", Ok("30 \"a\" true [\"x\",\"y\"]"));
    }

    #[test]
    fn unknown_keys_and_wrong_types_name_the_line() {
        check_file(
            "\n[http]\nlistn = \"b\"\n",
            Err("a.toml:3: there is no setting http.listn; did you mean \"listen\"?"),
        );
        check_file("[htp]\n", Err("a.toml:1: there is no setting htp; did you mean \"http\"?"));
        check_file("zzzzzzzzz = 1", Err("a.toml:1: there is no setting zzzzzzzzz"));
        check_file("http = 3", Err("a.toml:1: http must be of type table; given: integer"));
        check_file(
            "\n\nhttp.listen = 3",
            Err("a.toml:3: http.listen must be of type string; given: integer"),
        );
        check_file("[http\n", Err("a.toml:1: unclosed table, expected `]`"));
    }

    #[test]
    fn variables_take_the_type_of_the_setting() {
        check_variable("ATTESTARY__HTTP__LISTEN", "1", Ok("30 \"1\" true []"));
        check_variable("ATTESTARY__HTTP__DRAIN_SECONDS", "7", Ok("7 \"a\" true []"));
        check_variable("ATTESTARY__HTTP__PROXIES", "a, b,", Ok("30 \"a\" true [\"a\",\"b\"]"));
        check_variable("ATTESTARY_URL", "ignored", Ok("30 \"a\" true []"));
        check_variable(
            "ATTESTARY__HTTP__OPEN",
            "maybe",
            Err(
                "ATTESTARY__HTTP__OPEN: http.open must be of type boolean; given: this text is no such value",
            ),
        );
        check_variable(
            "ATTESTARY__HTTP__X",
            "",
            Err("ATTESTARY__HTTP__X: there is no setting http.x"),
        );
        check_variable("ATTESTARY__NO__X", "", Err("ATTESTARY__NO__X: there is no setting no.x"));
    }
}
