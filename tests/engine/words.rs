//! A remote system that uses the engine's own codes and texts as its own: only what is displayed may differ.

use crate::world::{World, text};
use entente_core::{Sides, Value};
use entente_sync::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// Texts of earlier versions that the engine once parsed, or their prefixes.
const EARLIER: [&str; 24] = [
    "duplicate of",
    "ambiguous",
    "absence not proven",
    "required",
    "converted",
    "fate unknown",
    "merged",
    "brake",
    "deleted and edited",
    "schema",
    "undone",
    "unlinked",
    "waits for",
    "executed by run 1",
    "executed by run 2",
    "withheld: --disable-push",
    "planned: --dry-run",
    "outside the filter of the left",
    "new records are not made on the right",
    "to be tried again",
    "deleted on both sides",
    "overtaken by a newer decision",
    "the record has changed since the decision; decided again",
    "contact:1 was deleted on the left; records of the right cannot be deleted",
];

/// Every code and word of the engine, as a remote system might return it.
fn words() -> Vec<String> {
    let mut words: Vec<String> = EARLIER.map(str::to_owned).into();
    for code in Code::ALL {
        words.push(code.word().to_owned());
        words.push(code.word().replace('-', " "));
    }
    words.extend(Status::ALL.map(|status| status.word().to_owned()));
    words.extend(ChangeStatus::ALL.map(|status| status.word().to_owned()));
    words
}

/// Everything that a run leaves behind, except texts: records, pairs, changes, counts.
#[derive(Debug, PartialEq)]
struct Left {
    records: Sides<Vec<BTreeMap<String, Value>>>,
    writes: Sides<Vec<String>>,
    pairs: Vec<(Status, Option<Code>, u32)>,
    counts: Vec<Counts>,
}

async fn left(world: &World, run: &Run) -> Left {
    let values = |records: Vec<(String, crate::fake::Record)>| {
        records.into_iter().map(|(_, record)| record.values).collect()
    };
    let mut pairs = Vec::new();
    for status in Status::ALL {
        for pair in world.ledger.pairs_in(status, None, 0, 100).await.unwrap() {
            pairs.push((status, pair.reason.map(|reason| reason.code()), pair.attempts));
        }
    }
    let mut counts: Vec<Counts> = run.counts.iter().flat_map(BTreeMap::values).cloned().collect();
    counts.iter_mut().flat_map(|counts| counts.reasons.values_mut()).for_each(|counted| {
        counted.samples.clear();
    });
    Left {
        records: Sides::new(values(world.left.records("contact")), values(world.right.records("person"))),
        writes: Sides::new(world.left.writes(), world.right.writes()),
        pairs,
        counts,
    }
}

/// A history with a remote that refuses records, fails whole orders and asks for retries, all with these
/// words.
async fn history(code: &str, said: &str) -> Vec<Left> {
    let mut world = World::new().await;
    world.right.character.says = Some((code.to_owned(), said.to_owned()));
    world.right.character.refuses = Some("bad");
    world.right.character.poison = Some("poison");
    world.right.character.locks = Some(("locked", Duration::from_secs(3600)));
    let put = |mail: &str, name: &str| {
        world.left.put("contact", &[("email", text(mail)), ("name", text(name))], "2020-01-01")
    };
    let refused = put("a@example.org", "bad");
    put("b@example.org", "poison");
    put("c@example.org", "locked");
    let good = put("d@example.org", "good");
    let mut all = vec![left(&world, &world.run().await).await];
    // Another identifier, under which the other side gets the same person: the two records match.
    world.left.edit("contact", &refused, "email", text("new@example.org"), "2026-01-02");
    world.right.put("person", &[("mail", text("new@example.org"))], "2026-01-02");
    world.left.edit("contact", &good, "name", text("bad again"), "2026-01-02");
    all.push(left(&world, &world.run().await).await);
    // Deleted on one side, and the failed records are listed again.
    world.left.delete("contact", &good);
    let full = || RunOptions::sync(Reading::Full);
    all.push(left(&world, &world.run_with(full()).await).await);
    world.clock.advance(Duration::from_secs(100_000));
    all.push(left(&world, &world.run_with(RunOptions::plan(Reading::Full)).await).await);
    world.right.character.refuses = None;
    world.right.character.poison = None;
    world.right.character.locks = None;
    all.push(left(&world, &world.run().await).await);
    world.clock.advance(Duration::from_secs(100_000));
    all.push(left(&world, &world.run_with(full()).await).await);
    all
}

#[tokio::test]
async fn a_remote_that_speaks_in_our_words_changes_nothing_but_what_is_shown() {
    let plain = history("x-17", "it does not please me").await;
    let last = plain.last().unwrap();
    let people = |records: &[BTreeMap<String, Value>], field: &str| {
        records.iter().filter(|record| record[field] == text("new@example.org")).count()
    };
    assert_eq!(
        (people(&last.records.left, "email"), people(&last.records.right, "mail")),
        (1, 1),
        "the two have met"
    );
    assert!(plain[0].pairs.iter().any(|(status, ..)| *status == Status::Failed), "{plain:#?}");
    for word in words() {
        assert_eq!(history(&word, &word).await, plain, "«{word}»");
        assert_eq!(history("x-17", &format!("{word}: contact:1")).await, plain, "«{word}: …» as a text");
    }
}
