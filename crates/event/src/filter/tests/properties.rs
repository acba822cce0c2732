//! Properties of generated filters and events.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn text() -> impl Strategy<Value = String> {
    let chosen = prop_oneof![
        Just("a"),
        Just("b"),
        Just("user.login"),
        Just("user.*"),
        Just("*"),
        Just("a*"),
        Just("5"),
        Just("05"),
        Just("-1"),
        Just("4.5"),
        Just("true"),
        Just("10.0.0.1"),
        Just("10.0.0.0/8"),
        Just("2001:db8::1"),
        Just("2026-11-22"),
        Just("2026-11-22T00:00:00.000Z"),
        Just(""),
        Just("OR"),
        Just("now"),
        Just("now-1h"),
        Just("now+x"),
        Just("01930b5e-5a53-709e-8f3c-0123456789ab"),
    ];
    prop_oneof![4 => chosen.prop_map(str::to_owned), 1 => "[a-b *\\\\\"().:=!<>\u{e4}\u{3000}\u{7}-]{0,6}"]
}

fn path() -> impl Strategy<Value = Path> {
    let known = prop_oneof![
        Just("action"),
        Just("outcome"),
        Just("category"),
        Just("actor.id"),
        Just("actor.type"),
        Just("actor.name"),
        Just("context.ip"),
        Just("targets.type"),
        Just("target.id"),
        Just("severity"),
        Just("occurred_at"),
        Just("received_at"),
        Just("seq"),
        Just("id"),
        Just("tenant"),
        Just("leaf_hash"),
        Just("metadata.a"),
        Just("metadata.b.c"),
        Just("labels"),
    ]
    .prop_map(|text| Path::parse(text).expect("a path"));
    let names = proptest::collection::vec("[a.\\*\\\\\" \u{e4}-]{0,3}", 1..4);
    let any = names.prop_map(|names| Path::of_names(names.into_iter().map(Into::into).collect()));
    prop_oneof![6 => known, 1 => any]
}

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap_or_else(|| Pattern::literal(text))
}

fn clause() -> impl Strategy<Value = Node> {
    let comparator = prop_oneof![
        Just(Comparator::Equal),
        Just(Comparator::NotEqual),
        Just(Comparator::Less),
        Just(Comparator::LessOrEqual),
        Just(Comparator::Greater),
        Just(Comparator::GreaterOrEqual),
    ];
    let ordering = prop_oneof![Just(Comparator::Less), Just(Comparator::GreaterOrEqual)];
    let units = prop_oneof![
        Just(Unit::Second),
        Just(Unit::Minute),
        Just(Unit::Hour),
        Just(Unit::Day),
        Just(Unit::Week)
    ];
    let relative = proptest::option::of((-999_999_999_i64..=999_999_999, units))
        .prop_map(|offset| Relative { offset });
    prop_oneof![
        4 => (path(), text()).prop_map(|(path, text)| Node::Match(path, pattern(&text))),
        4 => (path(), comparator, text()).prop_map(|(p, c, text)| Node::Compare(p, c, Operand::Text(text.into()))),
        1 => (path(), ordering, relative).prop_map(|(p, c, relative)| Node::Compare(p, c, Operand::Relative(relative))),
        1 => path().prop_map(Node::Exists),
        1 => text().prop_filter("a word is not empty", |text| !text.is_empty()).prop_map(|t| Node::Word(pattern(&t))),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    clause().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Node::all),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Node::any),
            inner.prop_map(|part| Node::Not(Box::new(part))),
        ]
    })
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => text().prop_map(Value::from),
        1 => (-2..12_i64).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

/// Events of the right shape, made of the texts that the filters ask for.
fn native() -> impl Strategy<Value = Value> {
    let target = (text(), text()).prop_map(|(kind, id)| json!({"type": kind, "id": id}));
    let time = prop_oneof![
        Just("2026-11-22T00:00:00.000Z"),
        Just("2026-11-22T23:59:59.999+01:00"),
        Just("2026-11-21T00:00:00Z")
    ];
    let party = (text(), text(), text());
    let metadata = (scalar(), proptest::collection::vec(scalar(), 0..3));
    let head = (text(), text(), time, 0..11_u8, 0..3_u64);
    (head, party, text(), proptest::collection::vec(target, 0..3), metadata).prop_map(
        |((action, outcome, time, severity, seq), (kind, id, name), ip, targets, (a, c))| {
            json!({
                "id": "01930b5e-5a53-709e-8f3c-0123456789ab", "tenant": "a", "environment": "b", "seq": seq,
                "received_at": "2026-11-22T00:00:00.000Z", "leaf_hash": "ab".repeat(32),
                "action": action, "outcome": outcome, "category": "a", "occurred_at": time, "severity": severity,
                "actor": {"type": kind, "id": id, "name": name}, "context": {"ip": ip}, "targets": targets,
                "labels": ["a", "b"], "metadata": {"a": a, "b": [{"c": c}]},
            })
        },
    )
}

/// The columns as records hold them.
fn admits(bounds: &Bounds, event: &Event, fields: &Fields) -> bool {
    let string = |pointer: &str| {
        fields.get(pointer).filter(|field| field.kind == crate::Kind::String).map(|f| f.value)
    };
    let occurred = Timestamp::parse(string("/occurred_at").expect("a time")).expect("a time").0;
    let severity = fields.get("/severity").expect("a severity").value.parse().expect("small");
    let pointers: Vec<_> =
        (0..3).map(|at| (format!("/targets/{at}/type"), format!("/targets/{at}/id"))).collect();
    let targets = pointers
        .iter()
        .map(|(kind, id)| (string(kind), string(id)))
        .filter(|target| target.1.is_some());
    bounds.admits_texts(|column| string(column.pointer().expect("a text column")))
        && bounds.admits_targets(targets)
        && bounds.admits_numbers(severity, occurred, event.received_at.0, event.seq)
        && bounds.admits_id(event.id)
}

/// The same columns, for [`Filter::matches_row`].
struct Columns<'a>(&'a Event, &'a Fields);

impl Columns<'_> {
    fn strings(&self, pointer: &str) -> Vec<&str> {
        let field = self.1.get(pointer).filter(|field| field.kind == crate::Kind::String);
        field.map(|field| field.value).into_iter().collect()
    }
}

impl Row for Columns<'_> {
    fn any_text(&self, column: Column, test: &mut dyn FnMut(&str) -> bool) -> bool {
        let member = if column == Column::TargetType { "type" } else { "id" };
        match column.pointer() {
            Some(pointer) => self.strings(pointer).into_iter().any(test),
            None => (0..3).any(|at| {
                self.strings(&format!("/targets/{at}/{member}")).into_iter().any(&mut *test)
            }),
        }
    }

    fn id(&self) -> EventId {
        self.0.id
    }

    fn seq(&self) -> u64 {
        self.0.seq
    }

    fn severity(&self) -> u8 {
        self.1.get("/severity").expect("a severity").value.parse().expect("small")
    }

    fn occurred_ms(&self) -> i64 {
        Timestamp::parse(self.strings("/occurred_at")[0]).expect("a time").0
    }

    fn received_ms(&self) -> i64 {
        self.0.received_at.0
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn text_and_json_forms_give_the_tree_back(node in node()) {
        let filter = Filter::of(node);
        let printed = filter.to_string();
        prop_assert_eq!(Filter::parse(&printed).expect(&printed), filter.clone(), "{}", printed);
        prop_assert_eq!(Filter::from_json(&filter.to_json()).expect("a filter"), filter.clone());
        let bytes = serde_json::to_vec(&filter.to_json()).expect("JSON");
        prop_assert_eq!(Filter::from_json_slice(&bytes).expect("a filter"), filter);
    }

    #[test]
    fn any_text_is_refused_inside_itself_or_has_a_canonical_form(
        text in "([ab]|[ :=!<>()\"*.-]|\\\\|OR|AND |NOT |exists\\(|now|a:|\u{e4}){0,24}",
    ) {
        match Filter::parse(&text) {
            Ok(filter) => {
                let printed = filter.to_string();
                prop_assert_eq!(Filter::parse(&printed).expect(&printed), filter);
            }
            Err(error) => {
                prop_assert!(text.get(error.offset..error.offset + error.length).is_some(), "{:?}", error);
            }
        }
    }

    #[test]
    fn every_matching_event_is_inside_the_bounds(node in node(), native in native()) {
        let filter = Filter::of(node).resolve(Timestamp::parse("2026-11-22T00:30:00Z").expect("a time"));
        let event = event(&native);
        let fields = fields(&event);
        if filter.matches(&View { event: &event, fields: &fields }) {
            prop_assert!(admits(&filter.bounds(), &event, &fields), "{} {}", filter, native);
            prop_assert!(filter.needles().admit(&event.body), "{} {}", filter, native);
        }
    }

    #[test]
    fn columns_decide_as_the_whole_event_does(node in node(), native in native()) {
        let filter = Filter::of(node).resolve(Timestamp::parse("2026-11-22T00:30:00Z").expect("a time"));
        let event = event(&native);
        let fields = fields(&event);
        if filter.row_columns().is_some() {
            let whole = filter.matches(&View { event: &event, fields: &fields });
            prop_assert_eq!(filter.matches_row(&Columns(&event, &fields)), whole, "{} {}", filter, native);
        }
    }

    #[test]
    fn a_negation_selects_exactly_the_other_events(node in node(), native in native()) {
        let event = event(&native);
        let fields = fields(&event);
        let view = View { event: &event, fields: &fields };
        let negated = Filter::of(Node::Not(Box::new(node.clone())));
        prop_assert_ne!(Filter::of(node).matches(&view), negated.matches(&view));
    }
}
