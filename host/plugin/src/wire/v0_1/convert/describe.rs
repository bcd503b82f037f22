//! Lifting descriptions and proposed mappings of a plugin.

use super::super::bindings::exports::entente::integration::mapping_manual as wit;
use super::Lift;
use crate::text::clean;
use crate::wire::Refused;
use entente_sync::{
    Account, ChangeTimes, Description, Feature, Field, Object, ProposedDirection, ProposedField,
    ProposedMapping,
};
use std::collections::BTreeSet;
use std::time::Duration;

/// The length limit of labels, which are shown in tables.
const LABEL: u64 = 256;
/// The limit of the search lag: more than a day would be a mistake.
const LONGEST_LAG: u32 = 86_400;

pub(crate) fn description(
    lift: &mut Lift<'_>,
    description: wit::Description,
) -> Result<Description, Refused> {
    if description.objects.len() as u64 > lift.limits.objects {
        return Err(lift.limits.objects(Some(description.objects.len() as u64)).into());
    }
    let mut names = BTreeSet::new();
    let mut objects = Vec::with_capacity(description.objects.len());
    for object in description.objects {
        let object = lift.object(object)?;
        if !names.insert(object.name.clone()) {
            return Err(Refused::Invalid(format!(
                "it describes the object {} twice",
                lift.named(&object.name)
            )));
        }
        objects.push(object);
    }
    let account = description.account.map(|account| lift.account(account)).transpose()?;
    Ok(Description { objects, account, ..Description::default() })
}

impl Lift<'_> {
    /// What names an account decides which records a link means: it is taken as it is, or the description is refused.
    fn account(&mut self, account: wit::Account) -> Result<Account, Refused> {
        let [system, id] = [account.system, account.id].map(|text| {
            if text.is_empty() || text.len() as u64 > LABEL || clean(&text, LABEL) != text {
                let wrong = "it names its account in a way that no account is named";
                return Err(Refused::Invalid(wrong.to_owned()));
            }
            // It is stored and shown, and masked it would name another account.
            if self.said(&text, LABEL) != text {
                return Err(Refused::Invalid("it names its account by one of its secrets".to_owned()));
            }
            Ok(text)
        });
        Ok(Account { system: system?, id: id?, label: self.said(&account.label, LABEL) })
    }

    fn object(&mut self, object: wit::Object) -> Result<Object, Refused> {
        let name = self.name(object.name, "an object")?;
        if object.fields.len() as u64 > self.limits.fields {
            return Err(self.limits.fields(Some(object.fields.len() as u64)).into());
        }
        let mut names = BTreeSet::new();
        let mut fields = Vec::with_capacity(object.fields.len());
        for field in object.fields {
            let field = self.field(field)?;
            if !names.insert(field.name.clone()) {
                return Err(Refused::Invalid(format!(
                    "it describes the field {} of {} twice",
                    self.named(&field.name),
                    self.named(&name)
                )));
            }
            fields.push(field);
        }
        Ok(Object {
            label: self.said(&object.label, LABEL),
            fields,
            change_times: match object.change_times.as_str() {
                "field" => ChangeTimes::Field,
                "record" => ChangeTimes::Record,
                _ => ChangeTimes::None,
            },
            precision: object.precision.unwrap_or(1).max(1),
            features: object
                .features
                .into_iter()
                .filter(|word| word.len() <= 100 && self.said(word, 100) == *word)
                .map(Feature::from)
                .collect(),
            search_lag: object.search_lag.map(|seconds| Duration::from_secs(seconds.min(LONGEST_LAG).into())),
            // A page size of 0 would never end.
            page_size: object.page_size.map(|rows| rows.max(1)),
            order_size: object.order_size.map(|changes| changes.max(1)),
            name,
        })
    }

    fn field(&mut self, field: wit::Field) -> Result<Field, Refused> {
        let has = |word: &str| field.features.iter().any(|feature| feature == word);
        Ok(Field {
            name: self.name(field.name, "a field")?,
            label: self.said(&field.label, LABEL),
            kind: self.said(&field.kind, 100).into(),
            required: has("required"),
            writable: !has("read-only"),
            set_like: has("set-like"),
            identifier: has("identifier"),
            required_on_update: has("required-on-update"),
            create_only: has("create-only"),
            write_only: has("write-only"),
            targets: field
                .targets
                .into_iter()
                .map(|target| self.name(target, "a target of a field"))
                .collect::<Result<_, _>>()?,
            reported_only: field
                .choices
                .iter()
                .filter(|choice| choice.features.iter().any(|feature| feature == "reported-only"))
                .map(|choice| choice.value.clone())
                .collect(),
            choices: field
                .choices
                .into_iter()
                .map(|choice| (choice.value, self.said(&choice.label, LABEL)))
                .collect(),
            max_length: field.max_length,
        })
    }
}

pub(crate) fn manual(lift: &mut Lift<'_>, proposal: wit::Proposal) -> Result<Vec<ProposedMapping>, Refused> {
    let mappings = proposal.mappings;
    if mappings.len() as u64 > lift.limits.objects {
        return Err(lift.limits.objects(Some(mappings.len() as u64)).into());
    }
    mappings
        .into_iter()
        .map(|mapping| {
            if mapping.fields.len() as u64 > lift.limits.fields {
                return Err(lift.limits.fields(Some(mapping.fields.len() as u64)).into());
            }
            let fields = mapping.fields.into_iter().map(|field| {
                Ok(ProposedField {
                    hub: lift.name(field.hub, "a hub field of the proposed mapping")?,
                    remote: lift.name(field.remote, "a remote field of the proposed mapping")?,
                    direction: match field.direction {
                        wit::Direction::ToHub => ProposedDirection::ToHub,
                        wit::Direction::ToIntegration => ProposedDirection::ToIntegration,
                        wit::Direction::Both => ProposedDirection::Both,
                    },
                    required: field.required,
                })
            });
            Ok(ProposedMapping {
                fields: fields.collect::<Result<_, Refused>>()?,
                hub: lift.name(mapping.hub, "a hub object of the proposed mapping")?,
                remote: lift.name(mapping.remote, "a remote object of the proposed mapping")?,
                identifiers: mapping
                    .identifiers
                    .into_iter()
                    .map(|field| lift.name(field, "an identifier of the proposed mapping"))
                    .collect::<Result<_, _>>()?,
                identify_by_all: mapping.identify_by_all,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::tests::knowing;
    use crate::limits::Limits;
    use crate::wire::Speaker;

    fn field(name: &str) -> wit::Field {
        wit::Field {
            name: name.to_owned(),
            label: name.to_owned(),
            kind: "text".to_owned(),
            features: vec![],
            targets: vec![],
            choices: vec![],
            max_length: None,
            extra: vec![],
        }
    }

    fn object(name: &str) -> wit::Object {
        wit::Object {
            name: name.to_owned(),
            label: name.to_owned(),
            fields: vec![field("name"), field("score")],
            change_times: "none".to_owned(),
            precision: None,
            features: vec![],
            search_lag: None,
            page_size: None,
            order_size: None,
            extra: vec![],
        }
    }

    fn mapping() -> wit::ObjectMapping {
        let pair = |name: &str| wit::FieldMapping {
            hub: name.to_owned(),
            remote: name.to_owned(),
            direction: wit::Direction::Both,
            required: false,
            extra: vec![],
        };
        wit::ObjectMapping {
            hub: "thing".to_owned(),
            remote: "thing".to_owned(),
            fields: vec![pair("name"), pair("score")],
            identifiers: vec![],
            identify_by_all: false,
            extra: vec![],
        }
    }

    #[test]
    fn x7_what_a_plugin_describes_has_no_secret_in_it_where_operators_read_it() {
        const FOUND: &str = "correcthorsebattery";
        let (channel, _) = knowing(FOUND);
        let limits = Limits::default();
        let lifted = |system: &str, id: &str| {
            let label = format!("the account {FOUND}");
            let account = wit::Account { system: system.to_owned(), id: id.to_owned(), label, extra: vec![] };
            let choice = wit::Choice {
                value: "a".to_owned(),
                label: FOUND.to_uppercase(),
                features: vec![],
                extra: vec![],
            };
            let field = wit::Field { label: hex::encode(FOUND), choices: vec![choice], ..field("name") };
            // Masked before it is cut.
            let label = format!("{}{FOUND}", "x".repeat(LABEL as usize - 8));
            let object = wit::Object { label, fields: vec![field], ..object("thing") };
            let described = wit::Description { objects: vec![object], account: Some(account), extra: vec![] };
            description(
                &mut Lift::of(&limits, Speaker { integration: "shop", channel: Some(&channel) }),
                described,
            )
        };
        let shown = format!("{:?}", lifted("shop", "4711").unwrap());
        assert!(shown.contains("the account ***") && shown.contains("4711"), "{shown}");
        let shown = shown.to_lowercase();
        assert!(!shown.contains(&FOUND[..6]) && !shown.contains(&hex::encode(FOUND)[..12]), "{shown}");
        for (system, id) in [(FOUND, "4711"), ("shop", FOUND)] {
            let Err(Refused::Invalid(why)) = lifted(system, id) else {
                panic!("an account of {system} {id}")
            };
            assert!(!why.contains(FOUND), "{why}");
        }
    }

    #[test]
    fn a_description_and_a_proposal_have_an_end() {
        let reached = |objects, fields| {
            let limits = Limits { objects, fields, ..Limits::default() };
            let described =
                wit::Description { objects: vec![object("a"), object("b")], account: None, extra: vec![] };
            let proposed = wit::Proposal { mappings: vec![mapping(), mapping()], extra: vec![] };
            let ends = [
                description(&mut Lift::new(&limits, "describe"), described).err(),
                manual(&mut Lift::new(&limits, "manual"), proposed).err(),
            ];
            ends.map(|refused| match refused {
                Some(Refused::Limit(limit)) => Some((limit.name, limit.asked)),
                None => None,
                Some(Refused::Invalid(why)) => panic!("{why}"),
            })
        };
        assert_eq!(reached(1, 2), [Some(("objects", Some(2))); 2]);
        assert_eq!(reached(2, 1), [Some(("fields", Some(2))); 2]);
        assert_eq!(reached(2, 2), [None; 2]);
    }
}
