//! The GraphQL documents of Retraced's clients: what of a document decides what is answered.
//!
//! There is one field to ask for, `search`. The document is parsed as GraphQL, so that one that is none is refused with the
//! place where it stops, and its arguments count, as literals or by their variables. Which fields of a node it asks for
//! does not matter: all of them are answered, which both known clients take (and one of them needs, because it asks
//! for a wrong field).

use graphql_parser::query::{
    Definition, Document, Field, OperationDefinition, Selection, SelectionSet, Value, parse_query,
};
use serde_json::{Map, Value as Json};

/// Brackets of all kinds that a document may open: the parser goes one level deeper at each. The clients open about 15.
const OPENED_MAX: usize = 200;

/// A search, as it is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// The name of its member in the answer.
    pub alias: Option<String>,
    /// The query's text.
    pub query: String,
    /// Events of a page.
    pub last: Option<u64>,
    /// The cursor before which the page ends.
    pub before: Option<String>,
}

/// Reads a document. `operation` names one of several operations; without a document the variables are all there is.
///
/// # Errors
/// A sentence for the member `message` of a GraphQL error.
pub fn read(
    document: Option<&str>,
    operation: Option<&str>,
    variables: &Map<String, Json>,
) -> Result<Asked, String> {
    let Some(document) = document.filter(|text| !text.trim().is_empty()) else {
        return asked(variables, None);
    };
    if document.bytes().filter(|byte| b"{[(".contains(byte)).count() > OPENED_MAX {
        return Err(format!("a document opens at most {OPENED_MAX} brackets"));
    }
    let parsed: Document<'_, &str> =
        parse_query(document).map_err(|error| format!("the document is no GraphQL: {error}"))?;
    let selection = selection(&parsed, operation)?;
    let mut found = None;
    for item in &selection.items {
        match item {
            Selection::Field(field) if field.name == "search" && found.is_none() => {
                found = Some(field);
            }
            Selection::Field(field) if field.name == "search" => {
                return Err("a document has one search".into());
            }
            Selection::Field(field) if field.name == "__typename" => {}
            Selection::Field(field) => {
                return Err(format!("there is no field {:?}; there is \"search\"", field.name));
            }
            Selection::FragmentSpread(_) | Selection::InlineFragment(_) => {
                return Err("the operation's own fields must not stand in fragments".into());
            }
        }
    }
    let field = found.ok_or("the document asks for nothing; there is the field \"search\"")?;
    asked(variables, Some(field))
}

/// Returns what the operation asks for.
fn selection<'r, 'd>(
    document: &'r Document<'d, &'d str>,
    name: Option<&str>,
) -> Result<&'r SelectionSet<'d, &'d str>, String> {
    let mut operations = Vec::new();
    for definition in &document.definitions {
        let Definition::Operation(operation) = definition else { continue };
        match operation {
            OperationDefinition::SelectionSet(selection) => operations.push((None, selection)),
            OperationDefinition::Query(query) => {
                operations.push((query.name, &query.selection_set));
            }
            OperationDefinition::Mutation(_) | OperationDefinition::Subscription(_) => {
                return Err("there are queries only, no mutations and no subscriptions".into());
            }
        }
    }
    let name = name.filter(|name| !name.is_empty());
    match (name, operations.as_slice()) {
        (None, [(_, selection)]) => Ok(selection),
        (None, _) => Err("the document has no operation, or several and none is named".into()),
        (Some(name), operations) => {
            let found = operations.iter().find(|(own, _)| *own == Some(name));
            found
                .map(|(_, selection)| *selection)
                .ok_or_else(|| "there is no such operation".into())
        }
    }
}

fn asked<'d>(
    variables: &Map<String, Json>,
    field: Option<&Field<'d, &'d str>>,
) -> Result<Asked, String> {
    let arguments: &[(&str, Value<'d, &'d str>)] =
        field.map_or(&[], |field| field.arguments.as_slice());
    if let Some((name, _)) =
        arguments.iter().find(|(name, _)| !["query", "last", "before"].contains(name))
    {
        return Err(format!("there is no argument {name:?}; there are query, last and before"));
    }
    let value = |name: &str| {
        let argument = arguments.iter().find(|(own, _)| *own == name);
        match argument.map(|(_, value)| value) {
            // Arguments that the document leaves out are taken from variables of their name.
            None => Ok(variables.get(name).cloned().unwrap_or_default()),
            Some(Value::Variable(variable)) => {
                Ok(variables.get(*variable).cloned().unwrap_or_default())
            }
            Some(Value::String(text)) => Ok(Json::from(text.as_str())),
            Some(Value::Int(number)) => Ok(number.as_i64().map_or(Json::Null, Json::from)),
            Some(Value::Null) => Ok(Json::Null),
            Some(_) => Err(format!("the argument {name:?} is of the wrong type")),
        }
    };
    let text = |name: &str| match value(name)? {
        Json::Null => Ok(None),
        Json::String(text) => Ok(Some(text)),
        _ => Err(format!("the argument {name:?} must be a string")),
    };
    let last = match value("last")? {
        Json::Null => None,
        number => Some(number.as_u64().ok_or("the argument \"last\" must be a whole number")?),
    };
    Ok(Asked {
        alias: field.and_then(|field| field.alias).map(str::to_owned),
        query: text("query")?.unwrap_or_default(),
        last,
        before: text("before")?.filter(|before| !before.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reads(document: &str, variables: Json) -> Result<Asked, String> {
        read(Some(document), None, variables.as_object().unwrap())
    }

    #[test]
    fn documents_of_the_clients_are_read() {
        let document = "query Search($query: String!, $last: Int, $before: String) {
            search(query: $query, last: $last, before: $before) {
                totalCount pageInfo { hasPreviousPage } edges { cursor node { id actor { id name } ... on Event { crud } } }
            } }";
        let variables = json!({ "query": "crud:c,u,d", "last": 20, "before": "" });
        let expected =
            Asked { alias: None, query: "crud:c,u,d".into(), last: Some(20), before: None };
        assert_eq!(reads(document, variables).unwrap(), expected);
        let literal = reads(
            "{ events: search(query: \"a \\\"b\\\"\", last: 3, before: null) { totalCount } }",
            json!({ "last": 9 }),
        );
        let expected = Asked {
            alias: Some("events".into()),
            query: "a \"b\"".into(),
            last: Some(3),
            before: None,
        };
        assert_eq!(literal.unwrap(), expected);
        // Arguments that are left out, and a document that is.
        let variables = json!({ "query": "x", "last": 1, "before": "c" });
        let all = Asked { alias: None, query: "x".into(), last: Some(1), before: Some("c".into()) };
        assert_eq!(reads("query { search { totalCount } }", variables.clone()).unwrap(), all);
        assert_eq!(read(None, None, variables.as_object().unwrap()).unwrap(), all);
    }

    #[test]
    fn one_of_several_operations_is_named() {
        let document = "query A { search(query: \"a\") { totalCount } } query B { search(query: \"b\") { totalCount } }";
        let named = |name| read(Some(document), name, &Map::new());
        assert_eq!(named(Some("B")).unwrap().query, "b");
        assert!(named(None).is_err() && named(Some("C")).is_err());
    }

    #[test]
    fn what_is_no_search_is_refused_in_words() {
        for (document, says) in [
            ("query {", "no GraphQL"),
            ("{ counts { x } }", "counts"),
            ("{ __typename }", "asks for nothing"),
            ("mutation { search { totalCount } }", "no mutations"),
            ("{ a: search { totalCount } b: search { totalCount } }", "one search"),
            ("{ ...F } fragment F on Q { search { totalCount } }", "fragments"),
            ("{ search(first: 3) { totalCount } }", "first"),
            ("{ search(last: \"3\") { totalCount } }", "last"),
            ("{ search(query: [\"x\"]) { totalCount } }", "query"),
        ] {
            let refused = reads(document, json!({})).unwrap_err();
            assert!(refused.contains(says), "{document}: {refused}");
        }
        assert!(
            reads("{ search { totalCount } }", json!({ "last": -1 })).unwrap_err().contains("last")
        );
        assert!(reads(&"{a".repeat(5_000), json!({})).unwrap_err().contains("brackets"));
    }
}
