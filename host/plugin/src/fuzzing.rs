//! Entry points for the fuzz targets, to code that is private otherwise.

use crate::egress::{self, Secret};

pub use crate::egress::fuzzing::{
    Call, Headers, Integration, Leaves, Made, PluginCall, Said, allows, suggested, target,
};
pub use crate::wire::v0_1::fuzzing::{Lifted, answers, collection, description, found, manual, page};

/// Sanitises a text as texts of plugins are.
pub fn clean(text: &str, most: u64) -> String {
    crate::text::clean(text, most)
}

/// Redacts a body in pieces, as a plugin gets it, and the same body at once; `None` where every secret is too
/// short to search for.
pub fn scrub(secrets: &[&str], pieces: &[&[u8]]) -> Option<(Vec<u8>, Vec<u8>)> {
    let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
    egress::fuzzing::scrub(&secrets, pieces)
}
