//! Three-way merge of sets of texts: the two sides against their agreed halves.

use super::side::{Side, Sides};
use crate::record::Value;

/// The elements of a set-like value in their order, without duplicates; `None` where the value is not a set
/// of texts.
pub fn elements(value: Option<&Value>) -> Option<Vec<&str>> {
    let texts = match value {
        None | Some(Value::Null) => return Some(Vec::new()),
        Some(Value::Texts(texts)) => texts,
        Some(_) => return None,
    };
    let mut once: Vec<&str> = Vec::with_capacity(texts.len());
    for text in texts {
        if !once.contains(&text.as_str()) {
            once.push(text);
        }
    }
    Some(once)
}

/// Three-way merge: each side keeps its elements, gains what the other side added since `agreed`, and loses
/// what the other side removed. Each side is compared with its own half of `agreed`, so that a remote that
/// rewrites elements produces no echo.
pub(super) fn merge<'a>(now: Sides<&[&'a str]>, agreed: Sides<&[&'a str]>) -> Sides<Vec<&'a str>> {
    let added = |side: Side| {
        now[side].iter().copied().filter(|text| !agreed[side].contains(text)).collect::<Vec<_>>()
    };
    let removed = |side: Side| {
        agreed[side].iter().copied().filter(|text| !now[side].contains(text)).collect::<Vec<_>>()
    };
    Sides::by(|side| {
        let gone = removed(side.other());
        let mut result: Vec<&str> = now[side].iter().copied().filter(|text| !gone.contains(text)).collect();
        for text in added(side.other()) {
            if !result.contains(&text) {
                result.push(text);
            }
        }
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn tags_on_both_sides() {
        // Example S18: left adds "vip", right adds "eu" and removes "old".
        let [left, right] =
            merge(Sides::new(&["old", "vip"], &["eu"]), Sides::new(&["old"], &["old"])).into_array();
        assert_eq!(left, ["vip", "eu"]);
        assert_eq!(right, ["eu", "vip"]);
    }

    #[test]
    fn a_first_meeting_unites() {
        let [left, right] = merge(Sides::new(&["a"], &["b"]), Sides::new(&[], &[])).into_array();
        assert_eq!(left, ["a", "b"]);
        assert_eq!(right, ["b", "a"]);
    }

    #[test]
    fn a_rewritten_element_is_no_change() {
        let [left, right] =
            merge(Sides::new(&["VIP"], &["vip"]), Sides::new(&["VIP"], &["vip"])).into_array();
        assert_eq!((left, right), (vec!["VIP"], vec!["vip"]));
    }

    fn set() -> impl Strategy<Value = Vec<&'static str>> {
        prop::sample::subsequence(vec!["a", "b", "c", "d"], 0..=4)
    }

    proptest! {
        #[test]
        fn both_end_with_the_same_set_and_then_rest(left in set(), right in set(), agreed in set()) {
            let [new_left, new_right] = merge(Sides::new(&left, &right), Sides::new(&agreed, &agreed)).into_array();
            let as_set = |list: &[&'static str]| list.iter().copied().collect::<BTreeSet<_>>();
            prop_assert_eq!(as_set(&new_left), as_set(&new_right));
            let again = merge(Sides::new(&new_left, &new_right), Sides::new(&new_left, &new_right));
            prop_assert_eq!(again, Sides::new(new_left, new_right));
        }

        #[test]
        fn an_element_is_there_exactly_when_somebody_wants_it(left in set(), right in set(), agreed in set()) {
            let [merged, _] = merge(Sides::new(&left, &right), Sides::new(&agreed, &agreed)).into_array();
            for element in ["a", "b", "c", "d"] {
                let (l, r, was) = (left.contains(&element), right.contains(&element), agreed.contains(&element));
                let wanted = if was { l && r } else { l || r };
                prop_assert_eq!(merged.contains(&element), wanted, "{}", element);
            }
        }
    }
}
