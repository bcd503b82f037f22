//! Ways in for the fuzz targets: what is checked here is checked in private otherwise.

use crate::egress::{self, Secret};

pub use crate::egress::fuzzing::{allows, suggested, target};
pub use crate::wire::v0_1::fuzzing::{Lifted, answers, collection, description, found, manual, page};

/// A text for people or a terminal, as texts of plugins become one.
pub fn clean(text: &str, most: u64) -> String {
    crate::text::clean(text, most)
}

/// A body in pieces, as a plugin gets it, and the same body masked at once; `None` where no secret is long
/// enough to be looked for.
pub fn scrub(secrets: &[&str], pieces: &[&[u8]]) -> Option<(Vec<u8>, Vec<u8>)> {
    let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
    egress::fuzzing::scrub(&secrets, pieces)
}
