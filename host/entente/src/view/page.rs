//! Keyset pages: a cursor and a limit in; rows, and the cursor of the next page, out.

use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A place in a list: behind the last row of a page. In JSON a text, to be handed back as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(i64);

/// A text that is no cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no cursor; give back what stood in 'next'")]
pub struct CursorError(String);

impl Cursor {
    /// Behind the row of this number.
    pub(crate) const fn behind(number: i64) -> Self {
        Self(number)
    }

    /// The number of the row that it is behind.
    pub(crate) const fn number(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        match text.parse() {
            Ok(number) if number >= 0 => Ok(Self(number)),
            _ => Err(CursorError(text.to_owned())),
        }
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Which page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// Where it begins; `None`: at the first row.
    pub after: Option<Cursor>,
    /// How many rows it has at most; a page has at least room for one.
    pub limit: usize,
}

impl PageRequest {
    /// The first page.
    pub const fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }

    /// The number that the rows are above.
    pub(crate) fn above(self) -> i64 {
        self.after.map_or(0, Cursor::number)
    }

    /// How many rows to read: one more than are shown tells whether there is another page.
    pub(crate) fn to_read(self) -> usize {
        self.limit.max(1).saturating_add(1)
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Cursor>,
    /// How many rows the whole list has, where it was counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl<T> Page<T> {
    /// The page of [`PageRequest::to_read`] rows that were read.
    pub(crate) fn of(
        mut rows: Vec<T>,
        request: PageRequest,
        number: impl Fn(&T) -> i64,
        total: Option<u64>,
    ) -> Self {
        let more = rows.len() >= request.to_read();
        rows.truncate(request.limit.max(1));
        let next = if more { rows.last().map(|row| Cursor::behind(number(row))) } else { None };
        Self { rows, next, total }
    }

    /// The same page of other rows.
    pub(crate) fn with_rows<U>(self, rows: Vec<U>) -> Page<U> {
        Page { rows, next: self.next, total: self.total }
    }
}
