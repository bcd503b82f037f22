//! Reasons in the words of the operator: the engine says «the left» and «the right», people know the names of
//! the exchanges.

use entente::HUB;
use entente_sync::Sides;

/// How an exchange is called within a sentence.
pub(super) fn called(exchange: &str) -> &str {
    if exchange == HUB { "the hub" } else { exchange }
}

/// What may follow a side where a reason speaks of one. Anything else may be a text of a remote system.
const AFTER: [&str; 13] =
    ["", ";", ",", ":", ".", ")", " side", " has ", " wins", " is ", " that ", " when ", " and "];

/// A reason with the names of the exchanges, left and right, in place of the sides.
pub(super) fn named(reason: &str, exchanges: &Sides<String>) -> String {
    let mut text = String::with_capacity(reason.len());
    let mut rest = reason;
    while let Some(at) = rest.find("the ") {
        let (before, found) = rest.split_at(at);
        text.push_str(before);
        let side = ["the left", "the right"]
            .iter()
            .zip(exchanges)
            .find_map(|(word, name)| Some((found.strip_prefix(word)?, name)));
        let whole = before.is_empty() || before.ends_with([' ', '(', ':']);
        match side {
            Some((after, name)) if whole && follows(after) => {
                // «edited on the left», but «edited in the hub».
                if text.ends_with(" on ") {
                    text.truncate(text.len() - "on ".len());
                    text.push_str("in ");
                }
                text.push_str(called(name));
                rest = after.strip_prefix(" side").unwrap_or(after);
            }
            _ => {
                text.push_str("the ");
                rest = &found["the ".len()..];
            }
        }
    }
    text.push_str(rest);
    text
}

fn follows(after: &str) -> bool {
    after.is_empty() || AFTER[1..].iter().any(|next| after.starts_with(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_become_names_and_other_texts_stay() {
        let exchanges = Sides::new("hub".to_owned(), "HelloWorld".to_owned());
        for (reason, said) in [
            ("only the left has changed", "only the hub has changed"),
            (
                "the right wins: its certain change time is later",
                "HelloWorld wins: its certain change time is later",
            ),
            ("the left side is trusted", "the hub is trusted"),
            ("the field flows one way, from the right", "the field flows one way, from HelloWorld"),
            (
                "drift: edited on the left, where nothing flows back from; kept",
                "drift: edited in the hub, where nothing flows back from; kept",
            ),
            ("deleted on the right; the policy is ignore", "deleted in HelloWorld; the policy is ignore"),
            ("outside the filter of the left", "outside the filter of the hub"),
            ("blank, but required on the right: not sent", "blank, but required in HelloWorld: not sent"),
            ("the left has a value, the other side has none", "the hub has a value, the other side has none"),
            // What a remote system says is left alone.
            (
                "failed: the key does not have the right permissions",
                "failed: the key does not have the right permissions",
            ),
            ("the leftmost of the rights", "the leftmost of the rights"),
            ("", ""),
        ] {
            assert_eq!(named(reason, &exchanges), said);
        }
    }
}
