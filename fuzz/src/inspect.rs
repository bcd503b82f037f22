//! What a stranger's file is: no is said with a reason, yes only to a whole component, and never beyond the
//! limits.

use super::{is_clean, limits};
use entente_plugin::{KNOWN_VERSIONS, inspect};

/// Where a component may end: after its header and after each of its sections.
fn ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = vec![8];
    let mut at = 8;
    while at < bytes.len() {
        at += 1;
        let (mut size, mut shift) = (0u64, 0);
        loop {
            let Some(byte) = bytes.get(at) else { return ends };
            at += 1;
            size |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 || shift > 35 {
                break;
            }
        }
        at = at.saturating_add(size as usize);
        ends.push(at);
    }
    ends
}

/// Looks at one input.
pub fn run(bytes: &[u8]) {
    let limits = limits();
    match inspect(bytes, &limits) {
        Ok(found) => {
            assert_eq!((found.size, found.digest.len()), (bytes.len() as u64, 64));
            assert!(KNOWN_VERSIONS.contains(&found.version.as_str()));
            assert!(found.functions <= limits.functions && found.imports.len() as u64 <= limits.imports);
            let names =
                found.imports.iter().chain(found.producers.keys()).chain(found.producers.values().flatten());
            names.for_each(|name| assert!(is_clean(name), "{name:?}"));
            assert!(found.producers.values().flatten().count() <= 100);
            let ends = ends(bytes);
            assert!(ends.contains(&bytes.len()));
            // Cut off anywhere else, it is no plugin.
            for cut in (0..bytes.len()).rev().take(64) {
                assert!(ends.contains(&cut) || inspect(&bytes[..cut], &limits).is_err(), "cut off at {cut}");
            }
        }
        Err(error) => {
            let text = error.to_string();
            assert!(is_clean(&text), "{text:?}");
            assert!(text.len() < 8192, "{} bytes", text.len());
        }
    }
}
