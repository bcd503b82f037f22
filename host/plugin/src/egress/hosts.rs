//! The egress allow list of an integration: a request leaves only where the manifest *and* a grant allow it, with headers
//! that the manifest lists.

use crate::address::grant::{HttpGrant, Target};
use crate::component::manifest::{AskedHost, USUAL_HEADERS};
use http::HeaderName;

/// The intersection of the manifest's hosts and the operator's grants.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts {
    pub(crate) asked: Vec<AskedHost>,
    pub(crate) granted: Vec<HttpGrant>,
    /// The headers that the manifest lists, in lower case.
    pub(crate) headers: Vec<String>,
}

impl Hosts {
    pub(super) fn asks_for(&self, target: &Target) -> bool {
        self.asked.iter().any(|asked| match asked {
            AskedHost::Any => true,
            AskedHost::Only(asked) => asked.allows(target),
        })
    }

    pub(super) fn grants(&self, target: &Target) -> bool {
        self.granted.iter().any(|grant| grant.allows(target))
    }

    /// Whether the plugin may send a header, those of its secrets apart. A list of what is allowed: the names under which
    /// services take a key, or another address or method than the request's own, cannot all be known.
    pub(super) fn sends(&self, header: &HeaderName) -> bool {
        USUAL_HEADERS.contains(&header.as_str()) || self.headers.iter().any(|name| name == header.as_str())
    }

    pub(super) fn allows(&self, target: &Target) -> bool {
        self.asks_for(target) && self.grants(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::Url;

    #[test]
    fn both_the_plugin_and_the_operator_must_name_a_host() {
        let hosts = |asked: &[&str], granted: &[&str]| Hosts {
            asked: asked
                .iter()
                .filter_map(|text| AskedHost::of(text, &std::collections::BTreeMap::new()))
                .collect(),
            granted: granted.iter().map(|text| text.parse().unwrap()).collect(),
            headers: Vec::new(),
        };
        let table: [(&[&str], &[&str], bool); 7] = [
            (&["https://api.example.com"], &["https://api.example.com"], true),
            (&["https://api.example.com"], &["https://*.example.com"], true),
            (&["https://*.example.com"], &["https://api.example.com"], true),
            (&["*"], &["https://api.example.com"], true),
            (&["*"], &["https://other.example.com"], false),
            (&["https://other.example.com"], &["https://api.example.com", "https://*.example.com"], false),
            (&[], &["https://api.example.com"], false),
        ];
        let target = Target::of(&Url::parse("https://api.example.com/v1").unwrap()).unwrap();
        for (asked, granted, expected) in table {
            assert_eq!(hosts(asked, granted).allows(&target), expected, "{asked:?} {granted:?}");
        }
    }
}
