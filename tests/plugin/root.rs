//! Plugin security tests: the real runtime with hostile plugins, and the operator's view of them.

#![allow(unreachable_pub, missing_docs, reason = "tests are nobody's library")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that meets what it does not expect shall fail"
)]

#[path = "../support/mod.rs"]
mod support;

mod hostile;

/// A3: what `cargo package` puts into the SDK is the interface that the host speaks.
#[test]
fn a3_the_sdk_has_the_interface_of_the_host() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files = |folder: &str| -> std::collections::BTreeMap<_, _> {
        let entries = std::fs::read_dir(root.join(folder)).unwrap().map(Result::unwrap);
        entries.map(|entry| (entry.file_name(), std::fs::read_to_string(entry.path()).unwrap())).collect()
    };
    let newest = files(&format!("wit/{}", entente_plugin::KNOWN_VERSIONS.last().unwrap()));
    assert!(newest.len() > 7);
    assert!(newest == files("sdk/rust/wit"), "sdk/rust/wit is not the newest version in wit/");
}
