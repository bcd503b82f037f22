//! Test: `docs/limits.md` has the same table as the code.

use super::limits::Limits;
use std::path::Path;

/// The rows of the table, in the form of the page.
fn rows() -> String {
    let row = |limit: super::Limit| {
        format!(
            "| `{}` | {} | {} | {} |\n",
            limit.name,
            limit.default_shown(),
            limit.most_shown(),
            limit.reason
        )
    };
    Limits::default().table().into_iter().map(row).collect()
}

#[test]
fn the_page_has_every_limit_as_it_is() {
    const BEGIN: &str = "<!-- limits -->\n";
    const END: &str = "<!-- end of limits -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/limits.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (there, after) = rest.split_once(END).unwrap();
    let expected = format!("| name | default | at most | what for |\n|---|---:|---:|---|\n{}", rows());
    if there != expected && std::env::var_os("ENTENTE_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(
        there, expected,
        "docs/limits.md is out of date; write it with: ENTENTE_WRITE_DOCS=1 cargo test -p entente-plugin --lib the_page"
    );
}
