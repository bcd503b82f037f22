//! Feature: a capability that an exchange declares for an object.

entente_core::open_words! {
    /// A capability of an exchange for an object, by the names of `mapping-manual.wit`. Unknown ones are
    /// ignored.
    pub enum Feature {
        /// Records can be created.
        Create = "create",
        /// Records can be updated.
        Update = "update",
        /// Records can be deleted.
        Delete = "delete",
        /// Reports contain deletions (tombstones).
        Deletions = "deletions",
        /// A report from the beginning is a complete listing.
        FullListing = "full-listing",
        /// Idempotent create: a create sent twice under the same idempotency key makes one record.
        IdempotentCreate = "idempotent-create",
        /// Conditional write: an update is refused if the record has another version by then.
        ConditionalUpdate = "conditional-update",
        /// Compare-and-set by the plugin: it compares the base values of an order with the record before it
        /// writes.
        BaseValues = "base-values",
        /// Records can be read by id.
        ById = "by-id",
        /// The side does not tell null, empty text and an empty list apart.
        OneBlank = "one-blank",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Object;

    #[test]
    fn an_object_stored_before_features_had_a_type_comes_back() {
        let old = r#"{"name":"person","label":"Person","fields":[],"change_times":"none","precision":1,"features":["update","create","fly"],"search_lag":null,"page_size":null,"order_size":null}"#;
        let object: Object = serde_json::from_str(old).unwrap();
        assert!(object.has(Feature::Create) && object.has(Feature::Update) && !object.has(Feature::ById));
        assert!(object.has("fly".into()));
        let new = serde_json::to_value(&object).unwrap();
        assert_eq!(new["features"], serde_json::json!(["create", "update", "fly"]));
    }

    #[test]
    fn every_word_of_the_interface_is_known() {
        let wit = include_str!("../../../wit/0.1.0-draft.2/mapping-manual.wit");
        let (_, object) = wit.split_once("record object {").unwrap();
        let (list, _) = object.split_once("features: list<string>").unwrap();
        let (_, list) = list.rsplit_once("unknown ones are ignored").unwrap();
        for feature in Feature::KNOWN {
            assert!(list.contains(&format!("`{feature}`")), "{feature} is not in the list of the interface");
        }
        let lines = list.lines().filter_map(|line| line.trim().strip_prefix("/// - ")?.split_once(": "));
        let words: Vec<&str> = lines.flat_map(|(words, _)| words.split(", ")).collect();
        assert_eq!(words.len(), Feature::KNOWN.len(), "{words:?}");
    }
}
