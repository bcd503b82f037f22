//! The proposed mapping: how the plugin's objects and fields correspond to the hub's.

/// Which way data may flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the remote system to the hub only.
    ToHub,
    /// From the hub to the remote system only.
    ToIntegration,
    /// Both ways.
    Both,
}

/// A pair of fields.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldMapping {
    /// The field of the hub.
    pub hub: String,
    /// The field of the remote system.
    pub remote: String,
    /// Which way data may flow.
    pub direction: Direction,
    /// Always delivered with a change, changed or not.
    pub required: bool,
}

/// How an object of the hub and one of the remote system correspond.
///
/// ```
/// use entente_sdk::Mapping;
///
/// let people = Mapping::of("contact", "person")
///     .both("last_name", "surname")
///     .required()
///     .both("email", "email")
///     .to_hub("points", "score")
///     .identify_by(["email"]);
/// assert_eq!(people.fields.len(), 3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mapping {
    /// The object of the hub: `contact`, `company`, or one that the operator has defined.
    pub hub: String,
    /// The object of the remote system.
    pub remote: String,
    /// The pairs of fields.
    pub fields: Vec<FieldMapping>,
    /// Hub fields that tell that two unlinked records are the same, the best one first.
    pub identifiers: Vec<String>,
    /// Whether every identifier has to agree, or one.
    pub identify_by_all: bool,
}

impl Mapping {
    /// A mapping of an object of the hub and one of the remote system, without fields yet.
    pub fn of(hub: impl Into<String>, remote: impl Into<String>) -> Self {
        Self {
            hub: hub.into(),
            remote: remote.into(),
            fields: Vec::new(),
            identifiers: Vec::new(),
            identify_by_all: false,
        }
    }

    /// Adds a pair of fields, hub first.
    #[must_use]
    pub fn field(mut self, hub: impl Into<String>, remote: impl Into<String>, direction: Direction) -> Self {
        self.fields.push(FieldMapping { hub: hub.into(), remote: remote.into(), direction, required: false });
        self
    }

    /// Adds a pair whose data flow both ways.
    #[must_use]
    pub fn both(self, hub: impl Into<String>, remote: impl Into<String>) -> Self {
        self.field(hub, remote, Direction::Both)
    }

    /// Adds a pair whose data flow to the hub only.
    #[must_use]
    pub fn to_hub(self, hub: impl Into<String>, remote: impl Into<String>) -> Self {
        self.field(hub, remote, Direction::ToHub)
    }

    /// Adds a pair whose data flow to the remote system only.
    #[must_use]
    pub fn to_integration(self, hub: impl Into<String>, remote: impl Into<String>) -> Self {
        self.field(hub, remote, Direction::ToIntegration)
    }

    /// Has the pair added last delivered with every change.
    #[must_use]
    pub fn required(mut self) -> Self {
        if let Some(field) = self.fields.last_mut() {
            field.required = true;
        }
        self
    }

    /// Two unlinked records are the same when one of these hub fields is set and equal.
    #[must_use]
    pub fn identify_by<T: Into<String>>(mut self, hub_fields: impl IntoIterator<Item = T>) -> Self {
        self.identifiers = hub_fields.into_iter().map(Into::into).collect();
        self.identify_by_all = false;
        self
    }

    /// Two unlinked records are the same when all of these hub fields are set and equal.
    #[must_use]
    pub fn identify_by_all<T: Into<String>>(self, hub_fields: impl IntoIterator<Item = T>) -> Self {
        Self { identify_by_all: true, ..self.identify_by(hub_fields) }
    }
}
