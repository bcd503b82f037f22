//! Field kinds, and every decision that depends on the kind of a field.
//!
//! To add a kind, add a line to [`Kind`]; the compiler then reports each `match` that must handle it, here
//! and where the hub parses and stores values.

use super::Value;

crate::open_words! {
    /// The kind of a field, by the words of `mapping-manual.wit`. Unknown kinds are handled as text.
    #[derive(Default)]
    pub enum Kind {
        /// True or false.
        Boolean = "boolean",
        /// A whole number (signed, 64 bits).
        Integer = "integer",
        /// A floating-point number (64 bits).
        Float = "float",
        /// A line of text.
        #[default]
        Text = "text",
        /// Text of several lines.
        LongText = "long-text",
        /// An e-mail address.
        Email = "email",
        /// A phone number.
        Phone = "phone",
        /// A web address.
        Url = "url",
        /// A calendar day.
        Date = "date",
        /// A moment in UTC.
        Timestamp = "timestamp",
        /// A list of texts.
        Texts = "texts",
        /// One of the field's choices.
        Choice = "choice",
        /// Several of the field's choices.
        Choices = "choices",
        /// A reference to another record.
        Reference = "reference",
        /// References to several records.
        References = "references",
        /// A number of any precision, kept as text.
        Decimal = "decimal",
        /// A time of day, kept as text.
        Time = "time",
        /// JSON, kept as text.
        Json = "json",
    }
}

/// The variant of [`Value`] that carries values of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier<'k> {
    /// [`Value::Boolean`].
    Boolean,
    /// [`Value::Integer`].
    Integer,
    /// [`Value::Float`].
    Float,
    /// [`Value::Text`].
    Text,
    /// [`Value::Date`].
    Date,
    /// [`Value::Timestamp`].
    Timestamp,
    /// [`Value::Texts`].
    Texts,
    /// [`Value::Reference`].
    Reference,
    /// [`Value::References`].
    References,
    /// [`Value::Other`] with this kind.
    Other(&'k str),
}

/// How the texts of a kind are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// As they are.
    Exact,
    /// As e-mail addresses: case and outer white space do not count.
    Address,
    /// As phone numbers: only their digits count.
    Digits,
}

/// Whether a field of one kind can be mapped to a field of another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compatibility {
    /// Values are copied as they are.
    Same,
    /// Integer and float: towards the integer, a fraction is lost or refused.
    Numbers,
    /// Only with a value map that lists which value corresponds to which.
    ByTable,
    /// The two kinds cannot be mapped.
    Never,
}

impl Kind {
    /// The variant of [`Value`] that carries values of this kind.
    pub const fn carrier(&self) -> Carrier<'_> {
        match self {
            Kind::Boolean => Carrier::Boolean,
            Kind::Integer => Carrier::Integer,
            Kind::Float => Carrier::Float,
            Kind::Text
            | Kind::LongText
            | Kind::Email
            | Kind::Phone
            | Kind::Url
            | Kind::Choice
            | Kind::Other(_) => Carrier::Text,
            Kind::Date => Carrier::Date,
            Kind::Timestamp => Carrier::Timestamp,
            Kind::Texts | Kind::Choices => Carrier::Texts,
            Kind::Reference => Carrier::Reference,
            Kind::References => Carrier::References,
            Kind::Decimal | Kind::Time | Kind::Json => Carrier::Other(self.as_str()),
        }
    }

    /// How texts of this kind are compared.
    pub const fn comparison(&self) -> Comparison {
        match self {
            Kind::Email => Comparison::Address,
            Kind::Phone => Comparison::Digits,
            Kind::Boolean
            | Kind::Integer
            | Kind::Float
            | Kind::Text
            | Kind::LongText
            | Kind::Url
            | Kind::Date
            | Kind::Timestamp
            | Kind::Texts
            | Kind::Choice
            | Kind::Choices
            | Kind::Reference
            | Kind::References
            | Kind::Decimal
            | Kind::Time
            | Kind::Json
            | Kind::Other(_) => Comparison::Exact,
        }
    }

    /// Whether a field of this kind can be mapped to a field of the other kind.
    pub fn compatibility(&self, other: &Kind) -> Compatibility {
        match (self.carrier(), other.carrier()) {
            (a, b) if a == b => Compatibility::Same,
            (Carrier::Integer, Carrier::Float) | (Carrier::Float, Carrier::Integer) => Compatibility::Numbers,
            (Carrier::Texts | Carrier::Reference | Carrier::References, _)
            | (_, Carrier::Texts | Carrier::Reference | Carrier::References) => Compatibility::Never,
            _ => Compatibility::ByTable,
        }
    }

    /// Whether the value has the variant that carries this kind. False for null, which belongs to no kind.
    pub fn carries(&self, value: &Value) -> bool {
        match value {
            Value::Null => false,
            Value::Boolean(_) => self.carrier() == Carrier::Boolean,
            Value::Integer(_) => self.carrier() == Carrier::Integer,
            Value::Float(_) => self.carrier() == Carrier::Float,
            Value::Text(_) => self.carrier() == Carrier::Text,
            Value::Date(_) => self.carrier() == Carrier::Date,
            Value::Timestamp(_) => self.carrier() == Carrier::Timestamp,
            Value::Texts(_) => self.carrier() == Carrier::Texts,
            Value::Reference(_) => self.carrier() == Carrier::Reference,
            Value::References(_) => self.carrier() == Carrier::References,
            Value::Other { kind, .. } => self.carrier() == Carrier::Other(kind),
        }
    }

    /// Whether its values are references to other records.
    pub const fn is_link(&self) -> bool {
        matches!(self.carrier(), Carrier::Reference | Carrier::References)
    }

    /// Whether its values may be sets: lists whose order does not matter.
    pub const fn is_list(&self) -> bool {
        matches!(self.carrier(), Carrier::Texts | Carrier::References)
    }

    /// Whether its values must be among the choices of the field.
    pub const fn is_choice(&self) -> bool {
        matches!(self, Kind::Choice | Kind::Choices)
    }

    /// Whether a value can identify a record; booleans and lists cannot.
    pub const fn is_distinctive(&self) -> bool {
        !matches!(self.carrier(), Carrier::Boolean | Carrier::Texts | Carrier::References)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_stored_as_they_were_before_they_had_a_type() {
        let old = r#"["boolean","integer","float","text","long-text","email","phone","url","date","timestamp","texts","choice","choices","reference","references","decimal","time","json"]"#;
        let kinds: Vec<Kind> = serde_json::from_str(old).unwrap();
        assert_eq!(kinds, Kind::KNOWN);
        assert_eq!(serde_json::to_string(&kinds).unwrap(), old);
        for unknown in ["", "geo", "Text", "long_text"] {
            let kind: Kind = serde_json::from_value(unknown.into()).unwrap();
            assert_eq!(kind, Kind::Other(unknown.to_owned()));
            assert_eq!(kind.carrier(), Carrier::Text);
            assert_eq!(serde_json::to_value(&kind).unwrap(), unknown);
        }
    }

    #[test]
    fn every_word_of_the_interface_is_known() {
        let wit = include_str!("../../../../wit/0.1.0-draft.2/mapping-manual.wit");
        let (_, list) = wit.split_once("/// For people, in the language").unwrap();
        let (list, _) = list.split_once("kind: string").unwrap();
        let words: Vec<&str> = list.split('`').skip(1).step_by(2).filter(|word| *word != "other").collect();
        assert!(words.len() > 15, "{words:?}");
        for word in words {
            assert!(Kind::KNOWN.iter().any(|kind| kind.as_str() == word), "{word}");
        }
        for kind in Kind::KNOWN {
            assert!(list.contains(&format!("`{kind}`")), "{kind} is not in the list of the interface");
        }
    }

    #[test]
    fn kinds_go_together_both_ways_alike() {
        for left in Kind::KNOWN {
            assert_eq!(left.compatibility(left), Compatibility::Same);
            for right in Kind::KNOWN {
                assert_eq!(left.compatibility(right), right.compatibility(left), "{left} {right}");
            }
        }
        let cases = [
            (Kind::Email, Kind::Other("geo".to_owned()), Compatibility::Same),
            (Kind::Texts, Kind::Choices, Compatibility::Same),
            (Kind::Integer, Kind::Float, Compatibility::Numbers),
            (Kind::Boolean, Kind::Choice, Compatibility::ByTable),
            (Kind::Decimal, Kind::Time, Compatibility::ByTable),
            (Kind::Texts, Kind::Text, Compatibility::Never),
            (Kind::Reference, Kind::References, Compatibility::Never),
        ];
        for (left, right, expected) in cases {
            assert_eq!(left.compatibility(&right), expected, "{left} {right}");
        }
    }

    #[test]
    fn a_value_belongs_to_the_kinds_of_its_carrier() {
        assert!(Kind::Url.carries(&Value::text("x")));
        assert!(Kind::Other("geo".to_owned()).carries(&Value::text("x")));
        assert!(!Kind::Texts.carries(&Value::text("x")));
        assert!(!Kind::Float.carries(&Value::Integer(1)));
        let price = Value::Other { kind: "decimal".to_owned(), text: "12.50".to_owned() };
        assert!(Kind::Decimal.carries(&price) && !Kind::Time.carries(&price) && !Kind::Text.carries(&price));
        assert!(Kind::KNOWN.iter().all(|kind| !kind.carries(&Value::Null)));
    }
}
