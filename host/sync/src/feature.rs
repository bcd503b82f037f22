//! What an exchange can do with an object.

entente_core::open_words! {
    /// What an exchange can do with an object, by the words of `mapping-manual.wit`. An unknown one is ignored.
    pub enum Feature {
        /// Records can be made.
        Create = "create",
        /// Records can be changed.
        Update = "update",
        /// Records can be deleted.
        Delete = "delete",
        /// Reports name deleted records.
        Deletions = "deletions",
        /// A report from the beginning lists everything.
        FullListing = "full-listing",
        /// The same change id never makes a second record.
        IdempotentCreate = "idempotent-create",
        /// A change of a record that has changed meanwhile is refused.
        ConditionalUpdate = "conditional-update",
        /// Orders carry the values that the record had.
        BaseValues = "base-values",
        /// A report of given ids is possible.
        ById = "by-id",
        /// Null, empty text and an empty list are one thing there.
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
        let wit = include_str!("../../../wit/0.1.0-draft/mapping-manual.wit");
        let (list, _) = wit.split_once("features: list<string>").unwrap();
        let (_, list) = list.rsplit_once("unknown ones are ignored").unwrap();
        for feature in Feature::KNOWN {
            assert!(list.contains(&format!("`{feature}`")), "{feature} is not in the list of the interface");
        }
        let lines = list.lines().filter_map(|line| line.trim().strip_prefix("/// - ")?.split_once(": "));
        let words: Vec<&str> = lines.flat_map(|(words, _)| words.split(", ")).collect();
        assert_eq!(words.len(), Feature::KNOWN.len(), "{words:?}");
    }
}
