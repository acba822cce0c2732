//! Every row of the seed systems has the tests that it claims to have, and the page says so.

mod sources;

use attestary_testkit::seeds;

#[test]
fn rows_and_tests_agree_and_the_page_is_current() {
    let (seeds, claims, mut wrong) = sources::read();
    wrong.extend(seeds::disagreements(&seeds, &claims));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let rows: usize = seeds.system.iter().map(|system| system.row.len()).sum();
    assert_eq!(rows, 77, "rows are never taken out");
    let page = std::fs::read_to_string(sources::root().join(sources::PAGE)).unwrap_or_default();
    assert!(
        page == seeds::page(&seeds, &claims),
        "the page is old: cargo run -p attestary-testkit --example seeds"
    );
}
