//! Sample people and companies, each made from its index alone: the seed and the sample CSV share them.

use crate::clock::Stamp;
use crate::names::{JOBS, LOCALES, Locale, STEMS, TAGS, slug};

const DAY: u64 = 86_400;
/// 2019-01-01T00:00:00Z, in seconds since 1970.
pub(crate) const Y2019: u64 = 1_546_300_800;
/// 2020-01-01T00:00:00Z.
pub(crate) const Y2020: u64 = Y2019 + 365 * DAY;
/// 2021-01-01T00:00:00Z.
pub(crate) const Y2021: u64 = Y2020 + 366 * DAY;
/// 2022-01-01T00:00:00Z.
pub(crate) const Y2022: u64 = Y2021 + 365 * DAY;

/// A person of the samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SamplePerson {
    pub(crate) first_name: Option<String>,
    pub(crate) last_name: String,
    pub(crate) email: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) mobile: Option<String>,
    pub(crate) job_title: Option<String>,
    pub(crate) street: Option<String>,
    pub(crate) city: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) country: Option<String>,
    pub(crate) website: Option<String>,
    pub(crate) score: Option<u64>,
    /// The index of the organisation.
    pub(crate) organisation: Option<usize>,
    pub(crate) tags: Vec<&'static str>,
}

/// An organisation of the samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SampleOrganisation {
    pub(crate) name: String,
    pub(crate) email: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) website: Option<String>,
    pub(crate) street: Option<String>,
    pub(crate) city: String,
    pub(crate) region: Option<String>,
    pub(crate) country: String,
}

/// A number that looks random and is always the same for the same index and question (SplitMix64).
pub(crate) fn mix(index: usize, question: &str) -> u64 {
    let mut z = question.bytes().fold(index as u64 ^ 0x9e37_79b9_7f4a_7c15, |z, byte| {
        z.wrapping_mul(31).wrapping_add(u64::from(byte)).rotate_left(7)
    });
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One of `list`.
pub(crate) fn pick<T: Copy>(list: &[T], index: usize, question: &str) -> T {
    list[below(list.len() as u64, index, question) as usize]
}

/// A number below `end`.
pub(crate) fn below(end: u64, index: usize, question: &str) -> u64 {
    mix(index, question) % end
}

/// True once in `n` times.
pub(crate) fn once_in(n: u64, index: usize, question: &str) -> bool {
    below(n, index, question) == 0
}

/// The second with this number since 1970, and some microseconds more.
pub(crate) fn at(seconds: u64, micros: u64) -> Stamp {
    let all = i64::try_from(seconds * 1_000_000 + micros).unwrap_or(i64::MAX);
    Stamp::from_micros(all).unwrap_or_else(|| Stamp::from(chrono::DateTime::UNIX_EPOCH))
}

/// A phone number that looks like one of the locale.
pub(crate) fn phone(locale: &Locale, index: usize, question: &str) -> String {
    let area = 10 + below(89, index, question);
    let line = below(9_000_000, index, &format!("{question} line")) + 1_000_000;
    format!("{} {area} {line}", locale.dial)
}

fn street(locale: &Locale, index: usize) -> String {
    let name = pick(&locale.streets, index, "street");
    let number = 1 + below(180, index, "house");
    match (locale.number_first, once_in(9, index, "annex")) {
        (true, false) => format!("{number} {name}"),
        (true, true) => format!("{number} {name}, 2nd floor"),
        (false, false) => format!("{name} {number}"),
        (false, true) => format!("{name} {number}, Annex B"),
    }
}

/// The part of the world that an organisation is from.
pub(crate) fn organisation_locale(index: usize) -> &'static Locale {
    pick_locale(index * 5 + index / 40)
}

fn pick_locale(index: usize) -> &'static Locale {
    &LOCALES[index % LOCALES.len()]
}

/// The organisation with this index. No two of the first 1200 share a name.
pub(crate) fn organisation(index: usize) -> SampleOrganisation {
    let locale = organisation_locale(index);
    // Other answers than the person with this index gets.
    let salt = index + 1_000_000;
    let stem = STEMS[(index * 7) % STEMS.len()];
    let trade = locale.trades[(index / STEMS.len() + index) % locale.trades.len()];
    let form = pick(&locale.forms, salt, "form");
    let partner = pick(&locale.last, salt, "partner");
    let name = match index % 9 {
        3 => format!("{stem} {trade}, {partner} & Co. {form}"),
        5 if locale.number_first => format!("{stem}'s {trade} {form}"),
        7 => format!("{stem} {trade} International Trading, Consulting and Development {form}"),
        _ => format!("{stem} {trade} {form}"),
    };
    let domain = organisation_domain(index);
    let (city, region) = pick(&locale.cities, salt, "city");
    SampleOrganisation {
        name,
        email: (!once_in(6, salt, "email")).then(|| format!("info@{domain}")),
        phone: (!once_in(5, salt, "phone")).then(|| phone(locale, salt, "phone")),
        website: (index % 5 != 2).then(|| format!("https://www.{domain}/")),
        street: (!once_in(6, salt, "no street")).then(|| street(locale, salt)),
        city: city.to_owned(),
        region: (!once_in(4, salt, "region")).then(|| region.to_owned()),
        country: locale.country.to_owned(),
    }
}

fn organisation_domain(index: usize) -> String {
    let stem = STEMS[(index * 7) % STEMS.len()];
    let number = index / STEMS.len();
    let suffix = if number == 0 { String::new() } else { format!("-{number}") };
    format!("{}{suffix}.example", slug(stem))
}

/// How many pairs of names there are; beyond, names repeat and addresses get a number.
const PAIRS: usize = 6 * 20 * 20;

/// The part of the world that a person is from.
pub(crate) fn person_locale(index: usize) -> &'static Locale {
    pick_locale(index * 1009 % PAIRS)
}

/// The person with this index, who works there. No two share an address.
pub(crate) fn person(index: usize, organisation: Option<usize>) -> SamplePerson {
    let pair = index * 1009 % PAIRS;
    let locale = pick_locale(pair);
    let first = locale.first[pair / 6 % 20];
    let last = locale.last[pair / 120];
    let domain = match organisation {
        Some(organisation) if !once_in(3, index, "private") => organisation_domain(organisation),
        _ => pick(&["example.com", "example.org", "example.net", "mail.example"], index, "domain").to_owned(),
    };
    let number = index / PAIRS;
    let suffix = if number == 0 { String::new() } else { number.to_string() };
    let (city, region) = pick(&locale.cities, index, "city");
    let has = |n: u64, question: &str| !once_in(n, index, question);
    let tags = TAGS
        .into_iter()
        .enumerate()
        .filter(|(place, _)| once_in(5, index * 8 + place, "tag"))
        .map(|(_, tag)| tag)
        .collect();
    SamplePerson {
        first_name: has(40, "has first").then(|| first.to_owned()),
        last_name: last.to_owned(),
        email: has(25, "has email").then(|| format!("{}.{}{suffix}@{domain}", slug(first), slug(last))),
        phone: has(5, "has phone").then(|| phone(locale, index, "phone")),
        mobile: once_in(2, index, "has mobile").then(|| phone(locale, index, "mobile")),
        job_title: has(3, "has job").then(|| pick(&JOBS, index, "job").to_owned()),
        street: has(5, "has street").then(|| street(locale, index)),
        city: has(12, "has city").then(|| city.to_owned()),
        region: match below(6, index, "has region") {
            0 => None,
            1 => Some(String::new()),
            _ => Some(region.to_owned()),
        },
        country: has(10, "has country").then(|| locale.country.to_owned()),
        website: once_in(6, index, "has website")
            .then(|| format!("https://{}.example/~{}", slug(last), slug(first))),
        score: has(3, "has score").then(|| below(500, index, "score")),
        organisation,
        tags,
    }
}
