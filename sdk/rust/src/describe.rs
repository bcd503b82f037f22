//! Describing the remote system: objects, fields, features.

use std::time::Duration;

/// What can be done with an object. Words of one's own are allowed; the host ignores those it does not know.
pub mod features {
    /// Records can be made.
    pub const CREATE: &str = "create";
    /// Records can be changed.
    pub const UPDATE: &str = "update";
    /// Records can be deleted.
    pub const DELETE: &str = "delete";
    /// Reports name the deleted records.
    pub const DELETIONS: &str = "deletions";
    /// A report without `since` lists every record, so one that is missing from it is gone.
    pub const FULL_LISTING: &str = "full-listing";
    /// The same change id never makes a second record.
    pub const IDEMPOTENT_CREATE: &str = "idempotent-create";
    /// An update is refused when the record has changed meanwhile.
    pub const CONDITIONAL_UPDATE: &str = "conditional-update";
    /// Orders shall carry what the records had, for whole-record writes.
    pub const BASE_VALUES: &str = "base-values";
    /// A report of given ids is possible.
    pub const BY_ID: &str = "by-id";
    /// Null, empty text and an empty list are one and the same there.
    pub const ONE_BLANK: &str = "one-blank";
}

/// All objects of the remote system.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Description {
    /// The objects.
    pub objects: Vec<Object>,
    /// Which account of which system this is; `None`: the remote system does not tell.
    pub account: Option<Account>,
}

/// An account of a remote system. The host keeps it with the links between records, and does not sync them with
/// another account, whose ids mean other records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The installation: an address or a name that is the same for every account there.
    pub system: String,
    /// What the remote system calls this account. It stays the same when the account gets another name, address or
    /// credential.
    pub id: String,
    /// For people.
    pub label: String,
}

impl Description {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object.
    #[must_use]
    pub fn object(mut self, object: Object) -> Self {
        self.objects.push(object);
        self
    }

    /// Says which account this is, see [`Account`].
    #[must_use]
    pub fn account(
        mut self,
        system: impl Into<String>,
        id: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        self.account = Some(Account { system: system.into(), id: id.into(), label: label.into() });
        self
    }
}

impl FromIterator<Object> for Description {
    fn from_iter<I: IntoIterator<Item = Object>>(objects: I) -> Self {
        Self { objects: objects.into_iter().collect(), account: None }
    }
}

/// How exactly the remote system tells when something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChangeTimes {
    /// For each field.
    Field,
    /// For the record as a whole.
    Record,
    /// Not at all.
    #[default]
    None,
}

/// A kind of record.
///
/// ```
/// use entente_sdk::{ChangeTimes, Field, Object, features};
///
/// let person = Object::new("person", "Person")
///     .field(Field::text("first_name", "First name"))
///     .field(Field::text("last_name", "Last name").required())
///     .field(Field::email("email", "E-mail").identifier())
///     .field(Field::texts("tags", "Tags").set_like())
///     .change_times(ChangeTimes::Record)
///     .features([features::CREATE, features::UPDATE, features::BY_ID]);
/// assert_eq!(person.fields.len(), 4);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Object {
    /// The name that requests, batches and orders use.
    pub name: String,
    /// For people.
    pub label: String,
    /// Its fields.
    pub fields: Vec<Field>,
    /// How exactly changes are told.
    pub change_times: ChangeTimes,
    /// The step of those times; `None` for microseconds.
    pub precision: Option<Duration>,
    /// What can be done with it, see [`features`].
    pub features: Vec<String>,
    /// After how long a new record is sure to be found by a lookup; `None`: at once.
    pub search_lag: Option<Duration>,
    /// The most rows that a page may sensibly have.
    pub page_size: Option<u32>,
    /// The most changes that one order may have.
    pub order_size: Option<u32>,
}

impl Object {
    /// An object without fields, of which nothing is known yet.
    pub fn new(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            label: label.into(),
            fields: Vec::new(),
            change_times: ChangeTimes::None,
            precision: None,
            features: Vec::new(),
            search_lag: None,
            page_size: None,
            order_size: None,
        }
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// Adds several fields.
    #[must_use]
    pub fn fields(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.fields.extend(fields);
        self
    }

    /// Says how exactly changes are told.
    #[must_use]
    pub fn change_times(mut self, change_times: ChangeTimes) -> Self {
        self.change_times = change_times;
        self
    }

    /// Says in which steps times are given: `Duration::from_secs(1)` where the remote system has whole
    /// seconds.
    #[must_use]
    pub fn precision(mut self, step: Duration) -> Self {
        self.precision = Some(step);
        self
    }

    /// Adds what can be done with it, see [`features`].
    #[must_use]
    pub fn features<T: Into<String>>(mut self, features: impl IntoIterator<Item = T>) -> Self {
        self.features.extend(features.into_iter().map(Into::into));
        self
    }

    /// Says how far the search index of the remote system lags behind.
    #[must_use]
    pub fn search_lag(mut self, lag: Duration) -> Self {
        self.search_lag = Some(lag);
        self
    }

    /// Says how many rows a page may sensibly have.
    #[must_use]
    pub fn page_size(mut self, rows: u32) -> Self {
        self.page_size = Some(rows);
        self
    }

    /// Says how many changes one order may have.
    #[must_use]
    pub fn order_size(mut self, changes: u32) -> Self {
        self.order_size = Some(changes);
        self
    }
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// The name that requests, batches and orders use. A new label is no new name.
    pub name: String,
    /// For people.
    pub label: String,
    /// The kind of its value, a word of `mapping-manual.wit`.
    pub kind: String,
    /// What is special about it, in the words of `mapping-manual.wit`.
    pub features: Vec<String>,
    /// The objects that a reference may point to.
    pub targets: Vec<String>,
    /// What a choice may be. Empty: anything, or not known.
    pub choices: Vec<Choice>,
    /// The longest text in characters.
    pub max_length: Option<u32>,
}

/// One of the values that a choice may be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Choice {
    /// The value.
    pub value: String,
    /// For people.
    pub label: String,
    /// Records have it, orders never set it.
    pub reported_only: bool,
}

impl Choice {
    fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into(), reported_only: false }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])+ $name:ident = $kind:literal;)+) => {$(
        $(#[$doc])+
        pub fn $name(name: impl Into<String>, label: impl Into<String>) -> Self {
            Self::new(name, label, $kind)
        }
    )+};
}

impl Field {
    /// A field of any kind, for schemas that are read from the remote system. A kind that the host does not
    /// know is handled as text.
    pub fn new(name: impl Into<String>, label: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            label: label.into(),
            kind: kind.into(),
            features: Vec::new(),
            targets: Vec::new(),
            choices: Vec::new(),
            max_length: None,
        }
    }

    kinds! {
        /// A line of text.
        text = "text";
        /// Text of several lines.
        long_text = "long-text";
        /// An e-mail address.
        email = "email";
        /// A phone number.
        phone = "phone";
        /// The address of a page.
        url = "url";
        /// Yes or no.
        boolean = "boolean";
        /// A whole number.
        integer = "integer";
        /// A number with a fraction.
        float = "float";
        /// An exact number with decimals, such as money.
        decimal = "decimal";
        /// A day.
        date = "date";
        /// A moment.
        timestamp = "timestamp";
        /// Several texts.
        texts = "texts";
        /// One of [`Field::choices`].
        choice = "choice";
        /// Several of [`Field::choices`].
        multiple_choice = "choices";
        /// Structured data, carried as it is.
        json = "json";
    }

    /// A link to a record of one of these objects.
    pub fn reference<T: Into<String>>(
        name: impl Into<String>,
        label: impl Into<String>,
        targets: impl IntoIterator<Item = T>,
    ) -> Self {
        Self::new(name, label, "reference").targets(targets)
    }

    /// A new record cannot be made without it.
    #[must_use]
    pub fn required(self) -> Self {
        self.feature("required")
    }

    /// Every update carries it, changed or not.
    #[must_use]
    pub fn required_on_update(self) -> Self {
        self.feature("required-on-update")
    }

    /// It is reported, never written.
    #[must_use]
    pub fn read_only(self) -> Self {
        self.feature("read-only")
    }

    /// It is written when the record is made, and never after that.
    #[must_use]
    pub fn create_only(self) -> Self {
        self.feature("create-only")
    }

    /// It is written, never reported.
    #[must_use]
    pub fn write_only(self) -> Self {
        self.feature("write-only")
    }

    /// Its value is a set: two sides that each add or remove an element are merged element by element.
    #[must_use]
    pub fn set_like(self) -> Self {
        self.feature("set-like")
    }

    /// Records can be recognised by it.
    #[must_use]
    pub fn identifier(self) -> Self {
        self.feature("identifier")
    }

    /// Something that is special about it: a word of `mapping-manual.wit`. The host ignores those that it does not know.
    #[must_use]
    pub fn feature(mut self, word: impl Into<String>) -> Self {
        self.features.push(word.into());
        self
    }

    /// Adds objects that a reference may point to.
    #[must_use]
    pub fn targets<T: Into<String>>(mut self, objects: impl IntoIterator<Item = T>) -> Self {
        self.targets.extend(objects.into_iter().map(Into::into));
        self
    }

    /// Adds values that a choice may be, each with its label.
    #[must_use]
    pub fn choices<V: Into<String>, L: Into<String>>(
        mut self,
        choices: impl IntoIterator<Item = (V, L)>,
    ) -> Self {
        self.choices.extend(choices.into_iter().map(|(value, label)| Choice::new(value, label)));
        self
    }

    /// Adds values that records have and orders never set, each with its label.
    #[must_use]
    pub fn reported_choices<V: Into<String>, L: Into<String>>(
        mut self,
        choices: impl IntoIterator<Item = (V, L)>,
    ) -> Self {
        let reported = |(value, label)| Choice { reported_only: true, ..Choice::new(value, label) };
        self.choices.extend(choices.into_iter().map(reported));
        self
    }

    /// Says how many characters a text may have.
    #[must_use]
    pub fn max_length(mut self, characters: u32) -> Self {
        self.max_length = Some(characters);
        self
    }
}
