//! What a person should know about a host that is shown to them: how it reads where it is not in ASCII, in which scripts, and whether
//! it is a place of this machine or of a private network.

use crate::text::clean;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// The scripts of letters, as far as they are told apart; all others are one.
const SCRIPTS: &[(&str, &[RangeInclusive<u32>])] = &[
    (
        "Latin",
        &[
            0x41..=0x5a,
            0x61..=0x7a,
            0xaa..=0xaa,
            0xba..=0xba,
            0xc0..=0x2af,
            0x1d00..=0x1dbf,
            0x1e00..=0x1eff,
            0x2c60..=0x2c7f,
            0xa720..=0xa7ff,
            0xab30..=0xab6f,
        ],
    ),
    ("Greek", &[0x370..=0x3ff, 0x1f00..=0x1fff]),
    ("Cyrillic", &[0x400..=0x52f, 0x1c80..=0x1c8f, 0x2de0..=0x2dff, 0xa640..=0xa69f]),
    ("Armenian", &[0x530..=0x58f]),
    ("Hebrew", &[0x590..=0x5ff]),
    ("Arabic", &[0x600..=0x6ff, 0x750..=0x77f, 0x870..=0x8ff]),
    ("Devanagari", &[0x900..=0x97f]),
    ("Thai", &[0xe00..=0xe7f]),
    ("Georgian", &[0x10a0..=0x10ff, 0x1c90..=0x1cbf, 0x2d00..=0x2d2f]),
    ("Cherokee", &[0x13a0..=0x13ff, 0xab70..=0xabbf]),
    ("Korean", &[0x1100..=0x11ff, 0x3130..=0x318f, 0xac00..=0xd7af]),
    // Words are written in all of them together.
    (
        "Japanese or Chinese",
        &[
            0x2e80..=0x2fdf,
            0x3005..=0x3007,
            0x3040..=0x312f,
            0x31a0..=0x31ff,
            0x3400..=0x9fff,
            0xf900..=0xfaff,
            0x20000..=0x3ffff,
        ],
    ),
];

fn script(c: char) -> Option<&'static str> {
    if !c.is_alphabetic() {
        return None;
    }
    let code = u32::from(c);
    let known = SCRIPTS.iter().find(|(_, ranges)| ranges.iter().any(|range| range.contains(&code)));
    Some(known.map_or("another script", |(name, _)| *name))
}

/// How a name in ASCII reads, and in which letters; `None` where it reads as it is written.
pub(super) fn reads_as(name: &str) -> Option<String> {
    let (unicode, _) = idna::domain_to_unicode(name);
    if unicode == name {
        return None;
    }
    let read = clean(&unicode, 255);
    let scripts = |label: &str| label.chars().filter_map(script).collect::<BTreeSet<_>>();
    let mixed = unicode.split('.').map(scripts).find(|scripts| scripts.len() > 1);
    if let Some(mixed) = mixed {
        let mixed = mixed.into_iter().collect::<Vec<_>>().join(" and ");
        return Some(format!(
            "reads {read}, with letters of {mixed} in one word: it may pass for another name"
        ));
    }
    let other =
        unicode.split('.').flat_map(scripts).filter(|script| *script != "Latin").collect::<BTreeSet<_>>();
    match other.is_empty() {
        true => Some(format!("reads {read}")),
        false => {
            let other = other.into_iter().collect::<Vec<_>>().join(" and ");
            Some(format!("reads {read}, in letters of {other}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x10_a_name_that_is_not_ascii_is_told_as_it_reads() {
        let ascii = |name: &str| idna::domain_to_ascii(name).unwrap();
        let table = [
            ("api.mailchimp.com", None),
            ("bücher.example", Some("reads bücher.example")),
            (
                "аpi.mailchimp.com",
                Some(
                    "reads аpi.mailchimp.com, with letters of Cyrillic and Latin in one word: it may pass for another name",
                ),
            ),
            ("почта.example", Some("reads почта.example, in letters of Cyrillic")),
            ("日本語テスト.jp", Some("reads 日本語テスト.jp, in letters of Japanese or Chinese")),
            (
                "gοοgle.com",
                Some(
                    "reads gοοgle.com, with letters of Greek and Latin in one word: it may pass for another name",
                ),
            ),
        ];
        for (name, expected) in table {
            assert_eq!(reads_as(&ascii(name)).as_deref(), expected, "{name}");
        }
        assert!(
            reads_as("xn--a.example").is_some_and(|read| !read.contains('\u{1b}')),
            "what cannot be read"
        );
    }
}
