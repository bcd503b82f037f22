//! The kinds of field that the hub has.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a field holds. The words are those of `mapping-manual.wit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldKind {
    /// Yes or no.
    Boolean,
    /// A whole number.
    Integer,
    /// A number.
    Float,
    /// A line of text.
    Text,
    /// Text of several lines.
    LongText,
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
    /// A web address.
    Url,
    /// A day.
    Date,
    /// A moment.
    Timestamp,
    /// Several texts.
    Texts,
    /// One of the choices.
    Choice,
    /// Several of the choices.
    Choices,
    /// A link to another record.
    Reference,
    /// Links to several records.
    References,
    /// A number of any precision, kept as text.
    Decimal,
    /// A time of day, kept as text.
    Time,
    /// JSON, kept as text.
    Json,
}

impl FieldKind {
    /// Every kind.
    pub const ALL: [FieldKind; 18] = [
        FieldKind::Boolean,
        FieldKind::Integer,
        FieldKind::Float,
        FieldKind::Text,
        FieldKind::LongText,
        FieldKind::Email,
        FieldKind::Phone,
        FieldKind::Url,
        FieldKind::Date,
        FieldKind::Timestamp,
        FieldKind::Texts,
        FieldKind::Choice,
        FieldKind::Choices,
        FieldKind::Reference,
        FieldKind::References,
        FieldKind::Decimal,
        FieldKind::Time,
        FieldKind::Json,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            FieldKind::Boolean => "boolean",
            FieldKind::Integer => "integer",
            FieldKind::Float => "float",
            FieldKind::Text => "text",
            FieldKind::LongText => "long-text",
            FieldKind::Email => "email",
            FieldKind::Phone => "phone",
            FieldKind::Url => "url",
            FieldKind::Date => "date",
            FieldKind::Timestamp => "timestamp",
            FieldKind::Texts => "texts",
            FieldKind::Choice => "choice",
            FieldKind::Choices => "choices",
            FieldKind::Reference => "reference",
            FieldKind::References => "references",
            FieldKind::Decimal => "decimal",
            FieldKind::Time => "time",
            FieldKind::Json => "json",
        }
    }

    /// The kind of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Its values are one text.
    pub const fn is_text(self) -> bool {
        matches!(
            self,
            FieldKind::Text
                | FieldKind::LongText
                | FieldKind::Email
                | FieldKind::Phone
                | FieldKind::Url
                | FieldKind::Choice
        )
    }

    /// Its values are several texts.
    pub const fn is_list(self) -> bool {
        matches!(self, FieldKind::Texts | FieldKind::Choices)
    }

    /// Its values are links.
    pub const fn is_link(self) -> bool {
        matches!(self, FieldKind::Reference | FieldKind::References)
    }

    /// Its values are some of the choices.
    pub const fn is_choice(self) -> bool {
        matches!(self, FieldKind::Choice | FieldKind::Choices)
    }

    /// Whether values of the one kind are values of the other as they stand.
    pub(super) const fn same_shape(self, other: FieldKind) -> bool {
        self as u8 == other as u8
            || (self.is_text() && other.is_text())
            || (self.is_list() && other.is_list())
    }

    /// The most characters that a value has where the field sets no limit of its own.
    pub(super) const fn longest(self) -> u32 {
        match self {
            FieldKind::LongText | FieldKind::Json | FieldKind::Texts | FieldKind::Choices => 1 << 20,
            _ => 1 << 16,
        }
    }
}

impl fmt::Display for FieldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
