//! vCards, in and out. The crate `calcard` reads and writes them; a card is a row with the columns of
//! [`Cards::HEADINGS`], which the import treats like that of any file.

use super::CsvError;
use super::export::{ExportOptions, Exported};
use super::rows::Line;
use crate::hub::Hub;
use crate::hub::error::HubError;
use crate::hub::list::write_list;
use crate::hub::people::stretch;
use crate::hub::records::{self, Record};
use crate::hub::schema::{ObjectSchema, Schema};
use calcard::common::PartialDateTime;
use calcard::vcard::{
    VCard, VCardEntry, VCardKind, VCardParameter, VCardParameterName, VCardParameterValue, VCardProperty,
    VCardType, VCardValue, VCardVersion,
};
use calcard::{Entry, Parser};
use csv::StringRecord;
use encoding_rs::WINDOWS_1252;
use entente_core::Value;
use rusqlite::Connection;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Write};

/// The length limit of a card, which may have a photograph.
const LONGEST_CARD: usize = 16 * 1024 * 1024;

/// The cards of a file, each as a row.
pub(super) struct Cards<R> {
    text: R,
    line: u64,
    /// Whether the first line of a card has been read, since the one before was not ended.
    begun: bool,
    /// Whether the cards are read as people, who have no name of one part.
    people: bool,
    /// What cards have that no column is for, with how many of them.
    unread: BTreeMap<String, u64>,
    /// Cards of groups, which are neither people nor companies.
    groups: u64,
    /// Cards of companies that were read as people.
    firms: u64,
}

const BEGIN: &[u8] = b"BEGIN:VCARD";
const END: &[u8] = b"END:VCARD";

impl<R> Cards<R> {
    /// The columns of the rows.
    pub(super) const HEADINGS: [&'static str; 15] = [
        "first_name",
        "last_name",
        "name",
        "email",
        "phone",
        "mobile",
        "company",
        "position",
        "address",
        "city",
        "region",
        "country",
        "website",
        "tags",
        "changed",
    ];

    pub(super) fn new(text: R, people: bool) -> Self {
        Self { text, line: 0, begun: false, people, unread: BTreeMap::new(), groups: 0, firms: 0 }
    }

    /// What cards have that was not read, with how many of them; how many are of groups; and how many of companies that
    /// were read as people.
    pub(super) fn left(&self) -> (&BTreeMap<String, u64>, u64, u64) {
        (&self.unread, self.groups, self.firms)
    }

    pub(super) fn source(&self) -> &R {
        &self.text
    }
}

impl<R: BufRead> Cards<R> {
    /// The next card that is of no group; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Line>, CsvError> {
        while let Some((text, line)) = self.next_text()? {
            let card = parsed(&text);
            if is_group(&card) {
                self.groups += 1;
                continue;
            }
            self.firms += u64::from(self.people && is_firm(&card));
            for what in unread(&card) {
                // The names of properties are those of whoever wrote the file.
                let room = self.unread.len() < MOST_UNREAD || self.unread.contains_key(&what);
                let what = if room { what } else { "and others".to_owned() };
                *self.unread.entry(what).or_default() += 1;
            }
            return Ok(Some(row(&card, line, self.people)));
        }
        Ok(None)
    }

    /// The text of the next card, and the line on which it begins.
    fn next_text(&mut self) -> Result<Option<(Vec<u8>, u64)>, CsvError> {
        let mut card = Vec::new();
        let (mut began, mut inside) = (self.line, std::mem::take(&mut self.begun));
        if inside {
            card.extend_from_slice(b"BEGIN:VCARD\r\n");
        }
        loop {
            let before = card.len();
            let limit = (LONGEST_CARD - before.min(LONGEST_CARD)) as u64 + 1;
            let read = std::io::Read::take(&mut self.text, limit)
                .read_until(b'\n', &mut card)
                .map_err(|why| CsvError::Read { line: self.line, why })?;
            if card.len() > LONGEST_CARD {
                return Err(CsvError::RowTooLong { line: began, limit: LONGEST_CARD });
            }
            let line = card[before..].trim_ascii();
            let (begins, ends) = (line.eq_ignore_ascii_case(BEGIN), line.eq_ignore_ascii_case(END));
            self.line += u64::from(read > 0);
            if !inside {
                if read == 0 {
                    return Ok(None);
                }
                if begins {
                    (began, inside) = (self.line, true);
                } else {
                    card.clear();
                }
            } else if ends {
                return Ok(Some((card, began)));
            } else if begins || read == 0 {
                // A card that was not ended is one nevertheless.
                self.begun = begins;
                card.truncate(before);
                card.extend_from_slice(b"\r\nEND:VCARD\r\n");
                return Ok(Some((card, began)));
            }
        }
    }
}

/// How many different kinds of what was not read are told.
const MOST_UNREAD: usize = 30;

/// A text as a card; one that is none has no properties.
fn parsed(card: &[u8]) -> VCard {
    let text = match std::str::from_utf8(card) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(card).0,
    };
    let mut parser = Parser::new(&text);
    match parser.entry() {
        Entry::VCard(card) => card,
        _ => VCard::default(),
    }
}

/// Whether a card is that of a group (RFC 6350, 6.1.4; `X-ADDRESSBOOKSERVER-KIND` in version 3).
fn is_group(card: &VCard) -> bool {
    let group = |value: &VCardValue| match value {
        VCardValue::Kind(kind) => *kind == VCardKind::Group,
        value => text(value).eq_ignore_ascii_case("group"),
    };
    let kind = |entry: &&VCardEntry| match &entry.name {
        VCardProperty::Kind => true,
        VCardProperty::Other(name) => name.eq_ignore_ascii_case("X-ADDRESSBOOKSERVER-KIND"),
        _ => false,
    };
    card.entries.iter().filter(kind).flat_map(|entry| &entry.values).any(group)
}

/// Whether a card says that it is that of a company (RFC 6350, 6.1.4; `X-ABShowAs` in cards of Apple).
fn is_firm(card: &VCard) -> bool {
    let firm = |entry: &VCardEntry| match &entry.name {
        VCardProperty::Kind => entry.values.iter().any(|value| match value {
            VCardValue::Kind(kind) => *kind == VCardKind::Org,
            value => text(value).eq_ignore_ascii_case("org"),
        }),
        VCardProperty::Other(name) if name.eq_ignore_ascii_case("X-ABShowAs") => {
            entry.values.iter().any(|value| text(value).eq_ignore_ascii_case("company"))
        }
        _ => false,
    };
    card.entries.iter().any(firm)
}

/// Whether a value is one; only a text may be empty.
fn has_something(value: &VCardValue) -> bool {
    !matches!(value, VCardValue::Text(_) | VCardValue::Component(_)) || !text(value).is_empty()
}

/// What a card has that no column is for, each once: properties, further ones of those that are read once, and parts of
/// them.
fn unread(card: &VCard) -> BTreeSet<String> {
    use VCardProperty as Property;
    let mut unread = BTreeSet::new();
    for entry in card.entries.iter().filter(|entry| entry.values.iter().any(has_something)) {
        match &entry.name {
            Property::Begin | Property::End | Property::Version | Property::Prodid | Property::Kind => {}
            Property::N | Property::Fn | Property::Adr | Property::Org | Property::Tel => {}
            // Of these all are read, or it is told elsewhere that the first is.
            Property::Email | Property::Categories | Property::Rev => {}
            Property::Title | Property::Url => {}
            other => _ = unread.insert(other.as_str().to_uppercase()),
        }
    }
    for property in [Property::Adr, Property::Org, Property::Title, Property::Url] {
        if card.properties(&property).count() > 1 {
            unread.insert(format!("a further {}", property.as_str()));
        }
    }
    let (mobile, phone) = phones(card);
    let numbers = card.properties(&Property::Tel).count();
    if numbers > [mobile, phone].iter().filter(|number| !number.is_empty()).count() {
        unread.insert("a further TEL, or one of a telefax".to_owned());
    }
    let parts_of = |property: &Property, places: &[usize]| {
        let parts = parts(card, property);
        places.iter().any(|place| parts.get(*place).is_some_and(|part| !part.is_empty()))
    };
    for (property, places, what) in [
        (Property::N, &[2, 3, 4][..], "further names and titles in N"),
        (Property::Org, &[1, 2, 3], "units in ORG"),
        (Property::Adr, &[0, 1], "a post box or an extended address in ADR"),
        (Property::Adr, &[5], "the postal code in ADR"),
    ] {
        if parts_of(&property, places) {
            unread.insert(what.to_owned());
        }
    }
    unread
}

/// A card as a row.
fn row(card: &VCard, number: u64, people: bool) -> Line {
    let name = parts(card, &VCardProperty::N);
    let address = parts(card, &VCardProperty::Adr);
    let part = |parts: &[String], n: usize| parts.get(n).cloned().unwrap_or_default();
    let (mobile, phone) = phones(card);
    let list = |property| texts(card, property).join(", ");
    let tags = texts(card, &VCardProperty::Categories);
    let called = first(card, &VCardProperty::Fn);
    let cells = [
        part(&name, 1),
        part(&name, 0),
        if people && name.iter().all(String::is_empty) && stands_in(card, &called) {
            String::new()
        } else {
            called
        },
        list(&VCardProperty::Email),
        phone,
        mobile,
        part(&parts(card, &VCardProperty::Org), 0),
        first(card, &VCardProperty::Title),
        part(&address, 2),
        part(&address, 3),
        part(&address, 4),
        part(&address, 6),
        first(card, &VCardProperty::Url),
        write_list(tags.iter().map(String::as_str), ';'),
        changed(card),
    ];
    Line { number, cells: StringRecord::from(cells.to_vec()), open_quote: false, after_blank: false }
}

/// What a card that names nobody is called by in the place of a name, since every card must have one (RFC 6350, 6.2.1).
const NOBODY: &str = "?";

/// Whether what a card is called by is no name of a person, but stands in for one: its company, one of its addresses, or nothing.
fn stands_in(card: &VCard, called: &str) -> bool {
    let others = [VCardProperty::Org, VCardProperty::Email];
    called == NOBODY || others.iter().any(|other| texts(card, other).iter().any(|text| text == called))
}

/// The entries of a property, the preferred one first.
fn entries<'c>(card: &'c VCard, property: &'c VCardProperty) -> Vec<&'c VCardEntry> {
    let mut entries: Vec<&VCardEntry> = card.properties(property).collect();
    entries.sort_by_key(|entry| !preferred(entry));
    entries
}

/// Whether an entry is preferred: by its own parameter, or by its type as version 3 has it.
fn preferred(entry: &VCardEntry) -> bool {
    let first = |value: &VCardParameterValue| {
        matches!(value, VCardParameterValue::Integer(1) | VCardParameterValue::Null)
    };
    entry.parameters(&VCardParameterName::Pref).any(first) || has_type(entry, "pref")
}

fn has_type(entry: &VCardEntry, word: &str) -> bool {
    let named = |value: &VCardParameterValue| {
        value.as_text().is_some_and(|text| text.split(',').any(|text| text.eq_ignore_ascii_case(word)))
    };
    entry.parameters(&VCardParameterName::Type).any(named)
}

fn text(value: &VCardValue) -> String {
    match value {
        VCardValue::Component(parts) => parts.join(" "),
        value => value.as_text().unwrap_or_default().trim().to_owned(),
    }
}

fn texts(card: &VCard, property: &VCardProperty) -> Vec<String> {
    let values = entries(card, property).into_iter().flat_map(|entry| &entry.values);
    values.map(text).filter(|text| !text.is_empty()).collect()
}

fn first(card: &VCard, property: &VCardProperty) -> String {
    texts(card, property).into_iter().next().unwrap_or_default()
}

/// The parts of a property that has parts, such as a name.
fn parts(card: &VCard, property: &VCardProperty) -> Vec<String> {
    entries(card, property).first().map(|entry| entry.values.iter().map(text).collect()).unwrap_or_default()
}

/// The number of the mobile and that of another telephone; no telefax and no pager.
fn phones(card: &VCard) -> (String, String) {
    let (mut mobile, mut phone) = (String::new(), String::new());
    for entry in entries(card, &VCardProperty::Tel) {
        let Some(number) = entry.values.first().map(text) else { continue };
        let number = of_uri(&number);
        let place = if has_type(entry, "cell") { &mut mobile } else { &mut phone };
        if place.is_empty() && !has_type(entry, "fax") && !has_type(entry, "pager") {
            *place = number;
        }
    }
    (mobile, phone)
}

/// A telephone number out of a `tel:` URI, whose parameters follow semicolons (RFC 3966); of these an extension belongs to it.
fn of_uri(number: &str) -> String {
    let Some((_, uri)) = number.split_once(':').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("tel"))
    else {
        return number.to_owned();
    };
    let mut parts = uri.split(';');
    let number = parts.next().unwrap_or_default();
    match parts.find_map(|part| part.strip_prefix("ext=")) {
        Some(extension) => format!("{number} ext. {extension}"),
        None => number.to_owned(),
    }
}

/// When the card was changed last, where it says so to the day.
fn changed(card: &VCard) -> String {
    let value = card.property(&VCardProperty::Rev).and_then(|entry| entry.values.first());
    let time = match value {
        Some(VCardValue::PartialDateTime(time)) => time,
        Some(value) => return text(value),
        None => return String::new(),
    };
    let PartialDateTime { year: Some(year), month: Some(month), day: Some(day), .. } = time else {
        return String::new();
    };
    let part = |part: Option<u8>| part.unwrap_or(0);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}{}{:02}:{:02}",
        part(time.hour),
        part(time.minute),
        part(time.second),
        if time.tz_minus { '-' } else { '+' },
        part(time.tz_hour),
        part(time.tz_minute)
    )
}

/// The version of a vCard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CardVersion {
    /// 3.0, which every program reads.
    #[default]
    V3,
    /// 4.0.
    V4,
}

/// Exports records as vCards, of the fields that a card has a place for. Of the options, object, query and the fields count.
///
/// # Errors
/// [`CsvError::Write`], [`CsvError::Hub`] for unknown objects and fields or a failing database.
pub async fn export_cards(
    hub: &Hub,
    mut writer: impl Write + Send,
    options: &ExportOptions,
    version: CardVersion,
) -> Result<Exported, CsvError> {
    let schema = hub.read(|connection| hub.schema(connection)).await?;
    let object = schema.require(&options.object)?;
    for name in &options.fields {
        object.require(name)?;
    }
    let wanted = |name: &String| options.fields.is_empty() || options.fields.contains(name);
    let fields = object.definition.fields.iter().enumerate();
    // Fields that no card has a place for, and of which no value has been met yet.
    let mut without: Vec<usize> = fields
        .filter(|(_, field)| wanted(&field.name) && !Cards::<()>::HEADINGS.contains(&field.name.as_str()))
        .map(|(index, _)| index)
        .collect();
    let mut exported = Exported::default();
    let mut after = 0;
    loop {
        let (cards, filled, end) = hub
            .read(|connection| {
                let (records, end) = stretch(connection, object, &options.query, after, usize::MAX)?;
                let filled: Vec<usize> = (0..without.len())
                    .filter(|n| records.iter().any(|record| !record.value(without[*n]).is_blank()))
                    .collect();
                let cards: Result<Vec<_>, HubError> =
                    records.iter().map(|record| card(connection, &schema, object, options, record)).collect();
                Ok((cards?, filled, end))
            })
            .await?;
        exported.rows += cards.len() as u64;
        for n in filled.into_iter().rev() {
            exported.left_out.push(object.definition.fields[without.remove(n)].name.clone());
        }
        for card in cards {
            let mut text = String::new();
            let version = match version {
                CardVersion::V3 => VCardVersion::V3_0,
                CardVersion::V4 => VCardVersion::V4_0,
            };
            card.write_to(&mut text, version)
                .map_err(|error| CsvError::Write(std::io::Error::other(error)))?;
            writer.write_all(text.as_bytes()).map_err(CsvError::Write)?;
        }
        match end {
            Some(end) => after = end,
            None => break,
        }
    }
    writer.flush().map_err(CsvError::Write)?;
    Ok(exported)
}

/// A record as a card.
fn card(
    connection: &Connection,
    schema: &Schema,
    object: &ObjectSchema,
    options: &ExportOptions,
    record: &Record,
) -> Result<VCard, HubError> {
    let wanted = |name: &str| options.fields.is_empty() || options.fields.iter().any(|field| field == name);
    let value = |name: &str| object.index(name).filter(|_| wanted(name)).map(|index| record.value(index));
    let text = |name: &str| match value(name) {
        Some(Value::Text(text)) => text.trim().to_owned(),
        _ => String::new(),
    };
    let company = match value("company") {
        Some(Value::Reference(link)) => title(connection, schema, link)?,
        _ => text("company"),
    };
    let (given, family, name) = (text("first_name"), text("last_name"), text("name"));
    let full = [given.as_str(), family.as_str()].join(" ");
    let email = text("email");
    // A card must have a name.
    let called = [full.trim(), &name, &company, &email].into_iter().find(|name| !name.is_empty());
    let mut entries = vec![entry(VCardProperty::Fn, [called.unwrap_or(NOBODY).to_owned()])];
    let mut add = |property: VCardProperty, values: Vec<String>, kind: Option<VCardType>| {
        if values.iter().any(|value| !value.is_empty()) {
            entries.push(entry(property, values).with_param_opt(kind.map(VCardParameter::typ)));
        }
    };
    let organisation = if name.is_empty() { company } else { name };
    add(VCardProperty::N, vec![family, given, String::new(), String::new(), String::new()], None);
    add(VCardProperty::Org, vec![organisation], None);
    add(VCardProperty::Title, vec![text("position")], None);
    add(VCardProperty::Email, vec![email], None);
    add(VCardProperty::Tel, vec![text("phone")], Some(VCardType::Work));
    add(VCardProperty::Tel, vec![text("mobile")], Some(VCardType::Cell));
    let empty = String::new;
    let address =
        vec![empty(), empty(), text("address"), text("city"), text("region"), empty(), text("country")];
    add(VCardProperty::Adr, address, Some(VCardType::Work));
    add(VCardProperty::Url, vec![text("website")], None);
    if let Some(Value::Texts(tags)) = value("tags") {
        add(VCardProperty::Categories, tags.clone(), None);
    }
    let changed = record.changed.to_datetime().format("%Y%m%dT%H%M%SZ").to_string();
    entries.push(entry(VCardProperty::Rev, [changed]));
    Ok(VCard { entries })
}

fn entry(property: VCardProperty, values: impl IntoIterator<Item = String>) -> VCardEntry {
    VCardEntry::new(property).with_values(values.into_iter().map(VCardValue::Text).collect())
}

/// The name of a record that another refers to.
fn title(
    connection: &Connection,
    schema: &Schema,
    link: &entente_core::Reference,
) -> Result<String, HubError> {
    let (Some(target), Some(number)) = (schema.object(&link.object), records::number(&link.id)) else {
        return Ok(String::new());
    };
    let Some(index) = target.identifiers().next() else { return Ok(String::new()) };
    let record = records::load(connection, target, number)?;
    Ok(record.map(|record| record.value(index).to_data()).unwrap_or_default())
}
