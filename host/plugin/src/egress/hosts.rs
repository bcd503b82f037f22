//! The egress allow list of an integration: a request leaves only where the manifest *and* a grant allow it.

use crate::address::grant::{HttpGrant, Target};
use crate::component::manifest::AskedHost;

/// The intersection of the manifest's hosts and the operator's grants.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts {
    pub(crate) asked: Vec<AskedHost>,
    pub(crate) granted: Vec<HttpGrant>,
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
