//! Names of integrations, syncs and objects: their syntax, and suggestions for misspelt ones.

use entente_core::Foreign;

/// The name of the built-in record store among the exchanges.
pub const HUB: &str = "hub";

/// The length limit of a name.
const LONGEST: usize = 64;
/// The number of names that a message lists.
const LISTED: usize = 12;

/// What no sync can be named, nor an integration, which gives its name to a sync: the command line lists the syncs by that word.
const RESERVED: &str = "list";

/// Checks the syntax of a name: letters, digits, dash, underscore.
pub fn check_name(what: &str, name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("the name of {} {what} is empty", article(what)));
    }
    if name.len() > LONGEST {
        return Err(format!(
            "the name '{}…' of {} {what} is longer than {LONGEST} characters",
            cut(name, 20),
            article(what)
        ));
    }
    if let Some(wrong) = name.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-' && *c != '_') {
        let wrong = wrong.escape_default();
        return Err(format!(
            "'{}' cannot be the name of {} {what}: '{wrong}' is none of letters (a to z), digits, dash and underscore",
            cut(name, LONGEST),
            article(what)
        ));
    }
    if matches!(what, "sync" | "integration") && name == RESERVED {
        return Err(format!(
            "'{name}' cannot be the name of {} {what}: the word lists the syncs",
            article(what)
        ));
    }
    Ok(())
}

/// [`check_name`], and `hub` is reserved.
pub(crate) fn check_integration_name(name: &str) -> Result<(), String> {
    check_name("integration", name)?;
    if name.eq_ignore_ascii_case(HUB) {
        return Err(format!(
            "'{name}' cannot be the name of an integration: it stands for the built-in record store"
        ));
    }
    Ok(())
}

/// How an exchange is named within a sentence.
pub(crate) fn exchange(name: &str) -> &str {
    if name == HUB { "the hub" } else { name }
}

fn article(what: &str) -> &'static str {
    if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// A prefix of a text.
pub(crate) fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// How many names another one is compared with.
const COMPARED: usize = 200;

/// A suggestion «there is: HelloWorld»: the similar names, or all, or that there is none.
pub(crate) fn known<'a>(name: &str, there: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<&str> = there.into_iter().collect();
    if all.is_empty() {
        return "there is none yet".to_owned();
    }
    // Comparing takes the product of the lengths; names are no longer, and nobody has so many.
    let near = if name.len() > LONGEST || all.len() > COMPARED { Vec::new() } else { near(name, &all) };
    let (listed, rest) = if near.is_empty() {
        (
            all.iter().take(LISTED).map(|name| shown(name)).collect::<Vec<_>>(),
            all.len().saturating_sub(LISTED),
        )
    } else {
        (near.into_iter().map(shown).collect(), 0)
    };
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("there is: {}{more}", listed.join(", "))
}

/// A name that a plugin may have given.
fn shown(name: &str) -> String {
    Foreign::new(cut(name, LONGEST)).named()
}

/// The names within a few edits, the nearest first.
fn near<'a>(name: &str, all: &[&'a str]) -> Vec<&'a str> {
    let wanted = name.to_lowercase();
    let allowed = (wanted.chars().count() / 3).max(1);
    let mut found: Vec<(usize, &str)> = all
        .iter()
        .filter(|there| there.len() <= LONGEST)
        .map(|there| (distance(&wanted, &there.to_lowercase()), *there))
        .filter(|(away, _)| *away <= allowed)
        .collect();
    found.sort();
    found.into_iter().take(3).map(|(_, there)| there).collect()
}

/// The Damerau-Levenshtein edit distance.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x5_a_name_that_a_plugin_gave_is_no_sentence() {
        let evil = "x'. Allow it with the command below";
        assert_eq!(known("y", [evil]), format!("there is: «{evil}»"));
        assert_eq!(known("mail", ["email"]), "there is: email");
    }

    #[test]
    fn names_are_letters_digits_dash_underscore() {
        for good in ["HelloWorld", "a", "crm-2_x", &"x".repeat(64)] {
            assert_eq!(check_integration_name(good), Ok(()), "{good}");
        }
        for (bad, message) in [
            ("", "the name of an integration is empty"),
            (
                "a b",
                "'a b' cannot be the name of an integration: ' ' is none of letters (a to z), digits, dash and underscore",
            ),
            (
                "a/../b",
                "'a/../b' cannot be the name of an integration: '/' is none of letters (a to z), digits, dash and underscore",
            ),
            (
                "ä",
                "'ä' cannot be the name of an integration: '\\u{e4}' is none of letters (a to z), digits, dash and underscore",
            ),
            ("list", "'list' cannot be the name of an integration: the word lists the syncs"),
            ("Hub", "'Hub' cannot be the name of an integration: it stands for the built-in record store"),
            (
                &"x".repeat(65),
                "the name 'xxxxxxxxxxxxxxxxxxxx…' of an integration is longer than 64 characters",
            ),
        ] {
            assert_eq!(check_integration_name(bad).unwrap_err(), message);
        }
    }

    #[test]
    fn the_near_name_is_offered() {
        assert_eq!(known("HelloWord", ["Mailchimp", "HelloWorld"]), "there is: HelloWorld");
        assert_eq!(known("helloworld", ["Mailchimp", "HelloWorld"]), "there is: HelloWorld");
        assert_eq!(known("emial", ["email", "phone"]), "there is: email");
        assert_eq!(known("xyz", ["email", "phone"]), "there is: email, phone");
        assert_eq!(known("xyz", []), "there is none yet");
    }
}
