//! First and last name out of a full name.

/// Words that belong to the last name, with whatever follows.
const PARTICLES: [&str; 24] = [
    "von", "vom", "zu", "zum", "zur", "van", "vander", "ter", "ten", "de", "del", "della", "der", "den",
    "des", "di", "da", "do", "dos", "du", "la", "le", "al", "bin",
];

/// First and last name: what stands before a comma is the last name, otherwise the last word with particles before it.
/// A single word is a first name.
pub(super) fn split(full: &str) -> (String, String) {
    let joined = |words: &[&str]| words.join(" ");
    if let Some((last, first)) = full.split_once(',') {
        let words = |text: &str| joined(&text.split_whitespace().collect::<Vec<_>>());
        return (words(first), words(last));
    }
    let words: Vec<&str> = full.split_whitespace().collect();
    let Some(mut at) = words.len().checked_sub(1).filter(|last| *last > 0) else {
        return (joined(&words), String::new());
    };
    while at > 1 && PARTICLES.contains(&words[at - 1].to_lowercase().as_str()) {
        at -= 1;
    }
    (joined(&words[..at]), joined(&words[at..]))
}

/// Legal forms with which names of companies end, in English, German, Dutch, French, Italian, Scandinavian and Hungarian; not
/// those that are last names too.
const LEGAL_FORMS: [&str; 22] = [
    "ltd",
    "limited",
    "inc",
    "llc",
    "llp",
    "plc",
    "corp",
    "corporation",
    "pty",
    "gmbh",
    "mbh",
    "kg",
    "ohg",
    "ug",
    "bv",
    "nv",
    "sarl",
    "srl",
    "aps",
    "oy",
    "kft",
    "sro",
];

/// Whether a name ends as companies do.
pub(super) fn looks_like_firm(full: &str) -> bool {
    let last = full.split_whitespace().next_back().filter(|last| last.len() < full.trim().len());
    last.is_some_and(|last| {
        let plain: String = last.chars().filter(|c| c.is_alphanumeric()).collect();
        LEGAL_FORMS.contains(&plain.to_lowercase().as_str())
    })
}

/// Whether a full name has no word of the names that a row has besides: it is somebody else's, or that of a company.
pub(super) fn is_another(full: &str, names: &[String; 2]) -> bool {
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect()
    };
    let (full, named) = (words(full), words(&names.join(" ")));
    !full.is_empty() && !named.is_empty() && !full.iter().any(|word| named.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_companies_and_of_others_are_told_apart() {
        for firm in ["Kobe Ltd", "Müller & Söhne GmbH", "Marlow Constructions Pty Ltd.", "Acme, Inc."] {
            assert!(looks_like_firm(firm), "{firm}");
        }
        for person in ["Ada Lovelace", "Ltd", "", "Ng Oy Ling"] {
            assert!(!looks_like_firm(person), "{person}");
        }
        let names = ["Elena".to_owned(), "Reyes".to_owned()];
        assert!(is_another("Bexley Plastics", &names));
        assert!(!is_another("reyes, elena", &names));
        assert!(!is_another("", &names));
    }

    #[test]
    fn names_are_split_where_people_would() {
        for (full, first, last) in [
            ("Ada Lovelace", "Ada", "Lovelace"),
            ("  Ada   King  Lovelace ", "Ada King", "Lovelace"),
            ("Lovelace, Ada", "Ada", "Lovelace"),
            ("Ludwig van Beethoven", "Ludwig", "van Beethoven"),
            ("Ana María de la Cruz", "Ana María", "de la Cruz"),
            ("Van Morrison", "Van", "Morrison"),
            ("Cher", "Cher", ""),
            ("", "", ""),
        ] {
            assert_eq!(split(full), (first.to_owned(), last.to_owned()), "{full:?}");
        }
    }
}
