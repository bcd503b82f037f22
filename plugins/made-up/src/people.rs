//! The generated remote system: its people and pages. It depends neither on the plugin interface nor on the
//! host, so that it can be used by both.

/// The one object that there is.
pub const OBJECT: &str = "person";

/// The most rows of a page.
pub const PAGE_ROWS: u32 = 1_000;
/// The page size that it tells: what the engine asks for where it is told none.
pub const TOLD_ROWS: u32 = 500;

/// The fields: name, name in the hub, kind.
pub const FIELDS: [(&str, &str, &str); 8] = [
    ("first_name", "first_name", "text"),
    ("last_name", "last_name", "text"),
    ("email", "email", "email"),
    ("phone", "phone", "phone"),
    ("city", "city", "text"),
    ("country", "country", "text"),
    ("job_title", "position", "text"),
    ("score", "points", "integer"),
];

/// The field that tells that two people are the same.
pub const IDENTIFIER: &str = "email";

/// 2025-01-01: when the first of them was made, in microseconds.
const EPOCH: i64 = 1_735_689_600_000_000;
const SECOND: i64 = 1_000_000;

const FIRST: [&str; 12] =
    ["Ana", "Bo", "Chloé", "Dmitri", "Elif", "Femi", "Grete", "Hana", "Iván", "Jún", "Kofi", "Lena"];
const LAST: [&str; 12] =
    ["Ng", "Okafor", "Pérez", "Quist", "Rossi", "Sato", "Tran", "Ueda", "Varga", "Weiß", "Xu", "Yıldız"];
const CITY: [&str; 8] = ["Accra", "Bergen", "Cusco", "Dakar", "Ghent", "Izmir", "Kyoto", "Porto"];
const COUNTRY: [&str; 8] = ["Ghana", "Norway", "Peru", "Senegal", "Belgium", "Turkey", "Japan", "Portugal"];
const TITLE: [&str; 6] = ["Accountant", "Buyer", "Chemist", "Director", "Engineer", "Florist"];

/// How ids look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ids {
    /// 1, 2, 3, …
    #[default]
    Sequential,
    /// Sixteen hexadecimal digits in no order.
    Random,
}

/// A made-up remote system. The same settings always make up the same people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct People {
    /// How many there are.
    pub records: u64,
    /// How their ids look.
    pub ids: Ids,
    /// How many are edited with every new edition, spread evenly.
    pub changed: u64,
    /// How often they were edited.
    pub edition: u64,
}

/// What a person has in a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
}

/// What a page holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// The people, by their numbers.
    pub numbers: Vec<u64>,
    /// The cursor of the next page.
    pub next: Option<String>,
    /// With the last page: the bookmark.
    pub bookmark: Option<String>,
    /// With the last page: everybody was listed.
    pub complete: bool,
    /// How many come after these.
    pub remaining: u64,
}

impl People {
    /// Reads the settings `records`, `ids`, `changed` and `edition`.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn from_settings(setting: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let number = |name: &str| match setting(name) {
            None => Ok(0),
            Some(text) => text
                .trim()
                .parse::<u64>()
                .map_err(|_| format!("the setting '{name}' has to be a whole number, not '{text}'")),
        };
        let ids = match setting("ids").as_deref() {
            None | Some("sequential") => Ids::Sequential,
            Some("random") => Ids::Random,
            Some(other) => {
                return Err(format!("the setting 'ids' has to be sequential or random, not '{other}'"));
            }
        };
        Ok(Self {
            records: number("records")?,
            ids,
            changed: number("changed")?,
            edition: number("edition")?,
        })
    }

    /// Which people a page has. With a bookmark: those who were edited since; else, and with `full`,
    /// everybody.
    ///
    /// # Errors
    /// A cursor or bookmark that was not given here.
    pub fn page(
        &self,
        full: bool,
        bookmark: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Slice, String> {
        let number =
            |text: &str| text.parse::<u64>().map_err(|_| format!("'{text}' was not given by this plugin"));
        let since = bookmark.filter(|_| !full).map(number).transpose()?;
        let (listed, step) = match since {
            None => (self.records, 1),
            Some(edition) if edition < self.edition => (self.changed.min(self.records), self.step()),
            Some(_) => (0, 1),
        };
        let from = cursor.map(number).transpose()?.unwrap_or(0);
        let to = from.saturating_add(u64::from(limit.clamp(1, PAGE_ROWS))).min(listed);
        let last = to >= listed;
        Ok(Slice {
            numbers: (from..to).map(|place| place * step).collect(),
            next: (!last).then(|| to.to_string()),
            bookmark: last.then(|| self.edition.to_string()),
            complete: last && since.is_none(),
            remaining: listed.saturating_sub(to),
        })
    }

    /// The id of a person.
    pub fn id(&self, number: u64) -> String {
        match self.ids {
            Ids::Sequential => (number + 1).to_string(),
            Ids::Random => format!("{:016x}", scatter(number + 1)),
        }
    }

    /// When a person last changed, in microseconds since 1970.
    pub fn changed_at(&self, number: u64) -> i64 {
        let made = EPOCH + (number % 10_000_000) as i64 * SECOND;
        if self.is_edited(number) { made + (365 * 86_400 + self.edition as i64) * SECOND } else { made }
    }

    /// What a person has in a field, by its place in [`FIELDS`].
    pub fn content(&self, number: u64, field: usize) -> Content {
        let dice = scatter(number);
        let pick = |words: &[&str], shift: u32| words[(dice >> shift) as usize % words.len()].to_owned();
        Content::Text(match field {
            0 => pick(&FIRST, 0),
            1 => pick(&LAST, 8),
            2 => format!("person{number}@example{}.org", dice % 100),
            3 => format!("+49{:09}", dice % 1_000_000_000),
            4 => pick(&CITY, 16),
            5 => pick(&COUNTRY, 16),
            6 if self.is_edited(number) => format!("{} {}", pick(&TITLE, 24), self.edition),
            6 => pick(&TITLE, 24),
            _ => return Content::Number((dice >> 40) as i64 % 1_000),
        })
    }

    fn step(&self) -> u64 {
        (self.records / self.changed.max(1)).max(1)
    }

    fn is_edited(&self, number: u64) -> bool {
        let step = self.step();
        self.edition > 0 && number.is_multiple_of(step) && number / step < self.changed
    }
}

/// Mixes the bits of a number, one to one: no two numbers meet (the finaliser of SplitMix64).
fn scatter(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn pages(people: &People, full: bool, bookmark: Option<&str>) -> (Vec<u64>, Slice) {
        let (mut numbers, mut cursor) = (Vec::new(), None);
        loop {
            let slice =
                people.page(full, bookmark, cursor.as_deref(), 7).unwrap_or_else(|error| panic!("{error}"));
            numbers.extend(&slice.numbers);
            cursor = slice.next.clone();
            if cursor.is_none() {
                return (numbers, slice);
            }
        }
    }

    #[test]
    fn everybody_once_then_only_who_was_edited() {
        let mut people = People { records: 100, ids: Ids::Random, changed: 10, edition: 0 };
        let (numbers, last) = pages(&people, false, None);
        assert_eq!(numbers, (0..100).collect::<Vec<_>>());
        assert!(last.complete);
        assert_eq!(numbers.iter().map(|&number| people.id(number)).collect::<BTreeSet<_>>().len(), 100);

        let (numbers, last) = pages(&people, false, last.bookmark.as_deref());
        assert!(numbers.is_empty() && !last.complete);

        let before = people;
        people.edition = 1;
        let (numbers, last) = pages(&people, false, last.bookmark.as_deref());
        assert_eq!(numbers, (0..100).step_by(10).collect::<Vec<_>>());
        assert_eq!(last.bookmark.as_deref(), Some("1"));
        for number in 0..100 {
            let same =
                (0..FIELDS.len()).all(|field| before.content(number, field) == people.content(number, field));
            assert_eq!(same, !numbers.contains(&number), "{number}");
        }
        assert_eq!(pages(&people, true, Some("1")).0.len(), 100);
    }
}
