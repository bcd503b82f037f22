//! What people call a record: its name, where its fields tell one, beside the id, which tells nobody anything.

use crate::config::HUB;
use crate::tenant::{Tenant, TenantError};
use entente_core::{Foreign, Side, Sides, Value};
use entente_sync::{ObjectMapping, Pair, PairId, SyncDefinition};
use std::collections::BTreeMap;

/// The most characters of a name.
const MOST: usize = 60;

/// Fields that are a name, in lower case with underscores; the first one that has a value counts.
const NAMES: [&str; 9] = [
    "name",
    "full_name",
    "fullname",
    "display_name",
    "contact_name",
    "company_name",
    "title",
    "subject",
    "label",
];
/// Given names, and family names.
const GIVEN: [&str; 6] = ["first_name", "firstname", "fname", "given_name", "givenname", "forename"];
const FAMILY: [&str; 6] = ["last_name", "lastname", "lname", "family_name", "familyname", "surname"];
/// Fields that tell who it is where there is no name.
const ADDRESSES: [&str; 6] = ["email", "e_mail", "mail", "email_address", "phone", "mobile"];

/// The name of a record by its fields, in their order: a given and a family name, else a name, else an address, else the first text.
pub(super) fn title<'a>(fields: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Option<String> {
    let texts: Vec<(String, &str)> = fields
        .into_iter()
        .filter_map(|(name, value)| match value {
            Value::Text(text) if !text.trim().is_empty() => {
                Some((name.to_lowercase().replace(['-', ' ', '.'], "_"), text.trim()))
            }
            _ => None,
        })
        .collect();
    let first = |names: &[&str]| {
        names.iter().find_map(|name| texts.iter().find(|(of, _)| of == name).map(|(_, text)| *text))
    };
    let person: Vec<&str> = [first(&GIVEN), first(&FAMILY)].into_iter().flatten().collect();
    let found = match person.is_empty() {
        false => person.join(" "),
        true => {
            first(&NAMES).or_else(|| first(&ADDRESSES)).or(texts.first().map(|(_, text)| *text))?.to_owned()
        }
    };
    let cut = found.chars().count() > MOST;
    let kept: String = found.chars().take(if cut { MOST - 1 } else { MOST }).collect();
    Some(Foreign::new(if cut { kept + "…" } else { kept }).to_string())
}

/// The side whose field names tell most: the hub's, where it is one of the two.
pub(super) fn named_by(exchanges: &Sides<String>, else_by: Side) -> Side {
    Side::BOTH.into_iter().find(|side| exchanges[*side] == HUB).unwrap_or(else_by)
}

/// What people call the record of a pair, by what is known of it on either side.
fn of_pair(mapping: &ObjectMapping, exchanges: &Sides<String>, pair: &Pair) -> Option<String> {
    let side = named_by(exchanges, Side::Left);
    title(mapping.fields.iter().filter(|field| field.constant.is_none()).filter_map(|field| {
        let of = |side: Side| pair.current(side, field.slot).filter(|value| !value.is_blank());
        Some((field.name(side), of(side).or_else(|| of(side.other()))?))
    }))
}

impl Tenant {
    /// What people call the records of these pairs, where their fields tell.
    pub(super) async fn titles(
        &self,
        definitions: &[&SyncDefinition],
        pairs: &[PairId],
    ) -> Result<BTreeMap<PairId, String>, TenantError> {
        let mut titles = BTreeMap::new();
        // Pairs are large: not those of a long list at a time.
        for some in pairs.chunks(500) {
            for pair in self.ledger().pairs(some).await? {
                let mapping = definitions.iter().find_map(|definition| {
                    let mapping = definition.mappings.iter().find(|mapping| mapping.id == pair.mapping)?;
                    Some((mapping, &definition.exchanges))
                });
                let called = mapping.and_then(|(mapping, exchanges)| of_pair(mapping, exchanges, &pair));
                titles.extend(called.map(|called| (pair.id, called)));
            }
        }
        Ok(titles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_called_by_its_name() {
        let called = |fields: &[(&'static str, &str)]| {
            let values: Vec<(&str, Value)> =
                fields.iter().map(|(name, text)| (*name, Value::Text((*text).into()))).collect();
            title(values.iter().map(|(name, value)| (*name, value)))
        };
        for (fields, name) in [
            (
                &[("email", "j@x.example"), ("Last Name", "Doe"), ("first-name", " Jane ")][..],
                Some("Jane Doe"),
            ),
            (&[("LNAME", "Doe"), ("email", "j@x.example")], Some("Doe")),
            (&[("city", "Ulm"), ("name", "Acme"), ("email", "a@x.example")], Some("Acme")),
            (&[("city", "Ulm"), ("name", "  "), ("mail", "a@x.example")], Some("a@x.example")),
            (&[("city", "Ulm")], Some("Ulm")),
            (&[("city", " ")], None),
            (&[("name", "a\nFORGED")], Some(r"a\nFORGED")),
        ] {
            assert_eq!(called(fields).as_deref(), name, "{fields:?}");
        }
        assert_eq!(called(&[("name", &"x".repeat(70))]).map(|name| name.chars().count()), Some(MOST));
        assert_eq!(title([("name", &Value::Null)]), None);
    }
}
