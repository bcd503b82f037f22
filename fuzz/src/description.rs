//! What plugins say of their systems: descriptions and proposed mappings.

use super::{is_clean, limits};
use arbitrary::{Result, Unstructured};
use entente_cli::fuzzing::plugin::{description, manual};
use std::collections::BTreeSet;

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() as u64 <= limits().id_bytes && is_clean(name)
}

fn look(u: &mut Unstructured<'_>) -> Result<()> {
    let limits = limits();
    if u.arbitrary()? {
        let Ok(described) = description(u, &limits)? else { return Ok(()) };
        assert!(described.objects.len() as u64 <= limits.objects);
        if let Some(account) = &described.account {
            for text in [&account.system, &account.id, &account.label] {
                assert!(is_clean(text) && text.len() < 300, "an account is named by {text:?}");
            }
            assert!(!account.system.is_empty() && !account.id.is_empty());
        }
        let names: BTreeSet<_> = described.objects.iter().map(|object| &object.name).collect();
        assert_eq!(names.len(), described.objects.len(), "each object once");
        for object in &described.objects {
            assert!(is_name(&object.name) && is_clean(&object.label) && object.label.len() < 300);
            assert!(object.fields.len() as u64 <= limits.fields && object.precision > 0);
            assert!(object.page_size != Some(0) && object.order_size != Some(0));
            assert!(object.features.iter().all(|feature| is_clean(feature.as_str())));
            let names: BTreeSet<_> = object.fields.iter().map(|field| &field.name).collect();
            assert_eq!(names.len(), object.fields.len(), "each field once");
            for field in &object.fields {
                assert!(is_name(&field.name) && is_clean(&field.label) && is_clean(field.kind.as_str()));
                assert!(
                    field.targets.iter().all(|name| is_name(name))
                        && field.choices.iter().all(|(_, label)| is_clean(label))
                );
            }
        }
    } else {
        let Ok(mappings) = manual(u, &limits)? else { return Ok(()) };
        assert!(mappings.len() as u64 <= limits.objects);
        for mapping in &mappings {
            assert!(
                is_name(&mapping.hub)
                    && is_name(&mapping.remote)
                    && mapping.identifiers.iter().all(|name| is_name(name))
            );
            assert!(mapping.fields.len() as u64 <= limits.fields);
            assert!(mapping.fields.iter().all(|field| is_name(&field.hub) && is_name(&field.remote)));
        }
    }
    Ok(())
}

/// Looks at one input.
pub fn run(bytes: &[u8]) {
    let _ = look(&mut Unstructured::new(bytes));
}
