//! Values and moments as text: what is read, is written so that it is read as the same.

use entente_core::{Timestamp, Value};

/// Looks at one input.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        let written = serde_json::to_string(&value).expect("every value can be written");
        assert_eq!(
            serde_json::from_str::<Value>(&written).expect("what is written can be read"),
            value,
            "{written}"
        );
        let _ = value.to_string();
    }
    if let Ok(moment) = Timestamp::parse(text) {
        assert_eq!(Timestamp::parse(&moment.to_string()), Ok(moment));
        assert!((Timestamp::MIN..=Timestamp::MAX).contains(&moment));
    }
}
