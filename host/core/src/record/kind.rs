//! The kinds of field, and everything that is decided by them.
//!
//! A new kind is a new line of [`Kind`]; the compiler then names each `match` that has to place it, here and in
//! what the hub reads and stores.

use super::Value;

crate::open_words! {
    /// What a field holds, by the words of `mapping-manual.wit`. An unknown kind is handled as text.
    #[derive(Default)]
    pub enum Kind {
        /// Yes or no.
        Boolean = "boolean",
        /// A whole number.
        Integer = "integer",
        /// A number.
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
        /// A day.
        Date = "date",
        /// A moment.
        Timestamp = "timestamp",
        /// Several texts.
        Texts = "texts",
        /// One of the choices.
        Choice = "choice",
        /// Several of the choices.
        Choices = "choices",
        /// A link to another record.
        Reference = "reference",
        /// Links to several records.
        References = "references",
        /// A number of any precision, kept as text.
        Decimal = "decimal",
        /// A time of day, kept as text.
        Time = "time",
        /// JSON, kept as text.
        Json = "json",
    }
}

/// The case of [`Value`] that carries the values of a kind.
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
    /// [`Value::Other`] with this word.
    Other(&'k str),
}

/// How the texts of a kind are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// As they are.
    Exact,
    /// As e-mail addresses: without case and outer space.
    Address,
    /// As phone numbers: by their digits.
    Digits,
}

/// How values of two kinds stand for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compatibility {
    /// They go over as they are.
    Same,
    /// Whole numbers and others: towards the whole ones, decimals are lost or refused.
    Numbers,
    /// Only where a table says which value stands for which.
    ByTable,
    /// Not at all.
    Never,
}

impl Kind {
    /// What carries its values.
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

    /// How its texts are compared.
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

    /// How its values and those of another kind stand for each other.
    pub fn compatibility(&self, other: &Kind) -> Compatibility {
        match (self.carrier(), other.carrier()) {
            (a, b) if a == b => Compatibility::Same,
            (Carrier::Integer, Carrier::Float) | (Carrier::Float, Carrier::Integer) => Compatibility::Numbers,
            (Carrier::Texts | Carrier::Reference | Carrier::References, _)
            | (_, Carrier::Texts | Carrier::Reference | Carrier::References) => Compatibility::Never,
            _ => Compatibility::ByTable,
        }
    }

    /// Whether the value is carried as those of this kind are. Null is of no kind.
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

    /// Whether its values are links to other records.
    pub const fn is_link(&self) -> bool {
        matches!(self.carrier(), Carrier::Reference | Carrier::References)
    }

    /// Whether its values may be sets: several elements whose order means nothing.
    pub const fn is_list(&self) -> bool {
        matches!(self.carrier(), Carrier::Texts | Carrier::References)
    }

    /// Whether its values are among the choices of the field.
    pub const fn is_choice(&self) -> bool {
        matches!(self, Kind::Choice | Kind::Choices)
    }

    /// Whether a single value can tell a record apart from others; lists and yes/no cannot.
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
        let wit = include_str!("../../../../wit/0.1.0-draft/mapping-manual.wit");
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
