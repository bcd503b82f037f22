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

#[cfg(test)]
mod tests {
    use super::*;

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
