//! Open creates: a create that was sent and not answered, and everything that may happen meanwhile. The table of
//! all combinations is the test: nothing is lost, nothing is made twice.

use crate::fake::Fault;
use crate::world::{World, text};
use entente_core::{Reference, Sides, Value};
use entente_sync::{
    ChangeTimes, Clock as _, Code, Condition, Counterpart, DeletePolicy, Feature, Ledger as _, NotLinked,
    Notice, Oddity, OperatorLedger as _, Prefer, Reading, Reason, RunOptions, Scope, Side, Status, Test,
};
use std::time::Duration;

/// How the remote system lets a create without an answer be settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remote {
    /// The same create, sent again, makes nothing new.
    Idempotent,
    /// Records are looked up by identifiers, and read by id.
    Found,
    /// Records are looked up by identifiers, and read by listing only.
    FoundUnread,
    /// Neither: records are matched when they are reported.
    Plain,
}

/// What happens to the source's record meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Same,
    Edited,
    Rekeyed,
    Deleted,
}

/// What happens to the record that was made meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Same,
    Edited,
    Rekeyed,
    Deleted,
    Merged,
}

#[derive(Debug, Clone, Copy)]
struct Case {
    remote: Remote,
    made: bool,
    /// The record has an identifier.
    keyed: bool,
    source: Source,
    target: Target,
    /// A dry run comes between.
    dry: bool,
    /// The answer is missing twice.
    twice: bool,
    deletes: DeletePolicy,
}

impl Case {
    /// Every combination that makes sense: only a record that was made can be changed.
    fn all() -> Vec<Case> {
        let mut all = Vec::new();
        for remote in [Remote::Idempotent, Remote::Found, Remote::FoundUnread, Remote::Plain] {
            for made in [true, false] {
                for keyed in [true, false] {
                    for source in [Source::Same, Source::Edited, Source::Rekeyed, Source::Deleted] {
                        for target in
                            [Target::Same, Target::Edited, Target::Rekeyed, Target::Deleted, Target::Merged]
                        {
                            for bits in 0..8 {
                                let deletes =
                                    if bits & 4 == 0 { DeletePolicy::Ignore } else { DeletePolicy::Delete };
                                let (dry, twice) = (bits & 1 != 0, bits & 2 != 0);
                                if made || target == Target::Same {
                                    all.push(Case {
                                        remote,
                                        made,
                                        keyed,
                                        source,
                                        target,
                                        dry,
                                        twice,
                                        deletes,
                                    });
                                }
                            }
                        }
                    }
                }
            }
        }
        all
    }

    /// Whether the fate of the create can be found out.
    fn can_be_settled(&self) -> bool {
        self.remote == Remote::Idempotent || self.keyed
    }

    /// Not to be told from a create that was never executed: the record that was made has other identifiers by
    /// now, or none is left, at a remote system that only finds records by them.
    fn cannot_be_known(&self) -> bool {
        // The same where the source is gone: the create must not be sent again to find out.
        let not_again = self.source == Source::Deleted && self.deletes == DeletePolicy::Ignore;
        (self.remote != Remote::Idempotent || (not_again && self.keyed))
            && self.made
            && matches!(self.target, Target::Rekeyed | Target::Deleted | Target::Merged)
    }
}

async fn play(case: Case) -> World {
    let mut world = World::new().await;
    let lacking: &[Feature] = match case.remote {
        Remote::Idempotent => &[],
        Remote::Found => &[Feature::IdempotentCreate],
        Remote::FoundUnread | Remote::Plain => {
            &[Feature::IdempotentCreate, Feature::ById, Feature::ConditionalUpdate]
        }
    };
    world.right.character.features.retain(|feature| !lacking.contains(feature));
    world.right.character.can_find = matches!(case.remote, Remote::Found | Remote::FoundUnread);
    world.right.character.normalise = |name, value| match value {
        Value::Text(text) if name == "tel" => Value::Text(text.to_uppercase()),
        value => value,
    };
    world.people().deletes = case.deletes;
    // The brake is not what is looked at.
    world.definition.brake.records = 1000;
    world.left.put("contact", &[("email", text("bea@example.org")), ("name", text("Bea"))], "2020-01-01");
    world.run().await;
    let bea = world.person("bea@example.org");
    let mut values = vec![("name", text("Ann")), ("phone", text("one"))];
    if case.keyed {
        values.push(("email", text("ann@example.org")));
    }
    let ann = world.left.put("contact", &values, "2020-01-01");
    for n in 1..=if case.twice { 2 } else { 1 } {
        world.right.fault("execute", n, Fault::NoAnswers { executed: case.made });
    }
    world.run().await;
    match case.source {
        Source::Same => {}
        Source::Edited => world.left.edit("contact", &ann, "phone", text("two"), "2026-01-02"),
        Source::Rekeyed => world.left.edit("contact", &ann, "email", text("left@example.org"), "2026-01-02"),
        Source::Deleted => world.left.delete("contact", &ann),
    }
    if let Some(made) = world.right.find_by("person", "full", "Ann") {
        match case.target {
            Target::Same => {}
            Target::Edited => {
                world.right.edit(
                    "person",
                    &made,
                    "labels",
                    Value::Texts(vec!["vip".to_owned()]),
                    "2026-01-02",
                );
            }
            Target::Rekeyed => {
                world.right.edit("person", &made, "mail", text("right@example.org"), "2026-01-02");
            }
            Target::Deleted => world.right.delete("person", &made),
            Target::Merged => world.right.merge("person", &made, &bea),
        }
    }
    if case.dry {
        world.run_with(RunOptions::plan(Reading::Changes)).await;
    }
    for _ in 0..3 {
        world.run().await;
    }
    world.clock.advance(Duration::from_secs(86_400));
    world.run().await;
    world.run_with(RunOptions::sync(Reading::Full)).await;
    world.run().await;
    world
}

/// What is wrong in the end.
async fn verdict(case: Case, world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut count = |what: &str, has: usize, range: std::ops::RangeInclusive<usize>| {
        if !range.contains(&has) {
            wrong.push(format!("{what}: {has}, not {range:?}"));
        }
    };
    let named = |records: Vec<(String, crate::fake::Record)>, field: &str, name: &str| {
        records.into_iter().filter(|(_, record)| record.values.get(field) == Some(&text(name))).count()
    };
    let lefts = named(world.left.records("contact"), "name", "Ann");
    let rights = named(world.right.records("person"), "full", "Ann");
    count("Bea on the left", named(world.left.records("contact"), "name", "Bea"), 1..=1);
    count("Bea on the right", named(world.right.records("person"), "full", "Bea"), 1..=1);
    let (source_gone, made_gone) = (
        case.source == Source::Deleted,
        case.made && matches!(case.target, Target::Deleted | Target::Merged),
    );
    match (source_gone, case.cannot_be_known()) {
        (true, _) => {
            count("Ann on the left", lefts, 0..=usize::from(case.cannot_be_known()));
            let stays = case.made && !made_gone;
            let deleted = case.deletes == DeletePolicy::Delete && case.can_be_settled();
            let most = usize::from(stays);
            let least = usize::from(stays && !deleted);
            count("Ann on the right", rights, least..=most);
        }
        (false, true) => {
            count("Ann on the left", lefts, 0..=2);
            count("Ann on the right", rights, 0..=2);
        }
        (false, false) if made_gone => {
            let deleted = case.deletes == DeletePolicy::Delete && case.target == Target::Deleted;
            let edited = case.source != Source::Same;
            count(
                "Ann on the left",
                lefts,
                usize::from(!deleted || edited)..=usize::from(!deleted || edited),
            );
            count("Ann on the right", rights, 0..=0);
        }
        (false, false) => {
            count("Ann on the left", lefts, 1..=1);
            count("Ann on the right", rights, 1..=1);
            if case.can_be_settled() || !case.made {
                let find = |records: Vec<(String, crate::fake::Record)>, field: &str| {
                    records
                        .into_iter()
                        .find(|(_, record)| record.values.get(field) == Some(&text("Ann")))
                        .map(|(_, record)| record.values)
                        .unwrap_or_default()
                };
                let left = find(world.left.records("contact"), "name");
                let right = find(world.right.records("person"), "full");
                let (phone, tel) =
                    if case.source == Source::Edited { ("two", "TWO") } else { ("one", "ONE") };
                if left.get("phone") != Some(&text(phone)) || right.get("tel") != Some(&text(tel)) {
                    wrong.push(format!("phone {:?}, tel {:?}", left.get("phone"), right.get("tel")));
                }
                let vip = Some(&Value::Texts(vec!["vip".to_owned()]));
                if case.target == Target::Edited && (left.get("tags") != vip || right.get("labels") != vip) {
                    wrong.push(format!("tags {:?}, labels {:?}", left.get("tags"), right.get("labels")));
                }
                if case.source == Source::Rekeyed
                    && case.target != Target::Rekeyed
                    && right.get("mail") != Some(&text("left@example.org"))
                {
                    wrong.push(format!("mail {:?}", right.get("mail")));
                }
            } else {
                let mut waiting = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
                waiting.extend(world.ledger.pairs_in(Status::Todo, None, 0, 10).await.unwrap());
                if !waiting.iter().any(|pair| pair.reason.is_some()) {
                    wrong.push("nothing says that the create waits".to_owned());
                }
            }
        }
    }
    wrong
}

#[tokio::test]
async fn s22_an_open_create_loses_nothing_and_makes_nothing_twice() {
    let (mut wrong, mut unknowable) = (Vec::new(), 0);
    let cases = Case::all();
    for &case in &cases {
        let world = play(case).await;
        unknowable += usize::from(case.cannot_be_known());
        let mut found = verdict(case, &world).await;
        world.left.writes();
        world.right.writes();
        world.run().await;
        let writes = (world.left.writes(), world.right.writes());
        if writes != (vec![], vec![]) {
            found.push(format!("not quiet: {writes:?}"));
        }
        if !found.is_empty() {
            wrong.push(format!("{case:?}: {}", found.join("; ")));
        }
    }
    println!(
        "{} cases; in {unknowable} of them the record that was made has other identifiers or is gone at a remote system that finds records by identifiers only: there only quiet is asked for",
        cases.len()
    );
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

async fn is_right(case: Case) {
    let world = play(case).await;
    assert_eq!(verdict(case, &world).await, Vec::<String>::new(), "{case:?}");
    world.assert_quiet().await;
}

const ANN: Case = Case {
    remote: Remote::Idempotent,
    made: true,
    keyed: false,
    source: Source::Edited,
    target: Target::Edited,
    dry: false,
    twice: false,
    deletes: DeletePolicy::Ignore,
};

#[tokio::test]
async fn l2_edits_of_both_sides_during_an_open_create_arrive() {
    for (dry, twice) in [(true, false), (false, true), (true, true)] {
        is_right(Case { dry, twice, ..ANN }).await;
    }
    is_right(Case { dry: true, target: Target::Deleted, ..ANN }).await;
    is_right(Case { dry: true, target: Target::Merged, ..ANN }).await;
}

#[tokio::test]
async fn l3_the_normalised_form_of_what_was_sent_is_no_edit() {
    for source in [Source::Same, Source::Edited] {
        is_right(Case { source, target: Target::Same, ..ANN }).await;
        is_right(Case { source, target: Target::Same, remote: Remote::Found, keyed: true, ..ANN }).await;
        is_right(Case { source, target: Target::Same, remote: Remote::Plain, keyed: true, ..ANN }).await;
    }
}

#[tokio::test]
async fn m2_a_record_without_identifiers_waits_while_it_may_be_the_one_that_was_made() {
    is_right(Case { source: Source::Same, target: Target::Same, twice: true, ..ANN }).await;
    let case = Case { source: Source::Same, target: Target::Same, remote: Remote::Plain, ..ANN };
    let world = play(case).await;
    let waiting = world.ledger.pairs_in(Status::Todo, None, 0, 10).await.unwrap();
    let reasons: Vec<&str> =
        waiting.iter().filter_map(|pair| Some(pair.reason.as_ref()?.code().word())).collect();
    assert_eq!(reasons, ["may-be"]);
}

#[tokio::test]
async fn m6_a_record_deleted_while_its_create_was_open_is_not_made_afterwards() {
    for remote in [Remote::Idempotent, Remote::Found, Remote::FoundUnread, Remote::Plain] {
        for (made, keyed) in [(false, false), (false, true), (true, true)] {
            for deletes in [DeletePolicy::Ignore, DeletePolicy::Delete] {
                let (source, target) = (Source::Deleted, Target::Same);
                is_right(Case { remote, made, keyed, source, target, deletes, ..ANN }).await;
            }
        }
    }
}

/// The remote system makes the record, and then traps; the create is sent again under its key once the pause is over.
/// Meanwhile nothing but that key tells that the reported record is the one that was made.
#[tokio::test]
async fn p2_a_record_without_identifiers_waits_while_a_failed_create_may_have_made_it() {
    let world = World::new().await;
    world.left.put("contact", &[("name", text("Ann")), ("phone", text("one"))], "2020-01-01");
    world.right.fault("execute", 1, Fault::LostByTrap);
    world.run().await;
    world.run().await;
    // A new plan of the failed pair does not make it forgotten.
    world.clock.advance(Duration::from_secs(3600));
    world.run_with(RunOptions::plan(Reading::Changes)).await;
    world.run_with(RunOptions { disable_push: true, ..RunOptions::default() }).await;
    let anns = |world: &World| (world.left.records("contact").len(), world.right.records("person").len());
    assert_eq!(anns(&world), (1, 1), "while the pair waits for its next try");
    world.clock.advance(Duration::from_secs(86_400));
    world.run().await;
    assert_eq!(anns(&world), (1, 1));
    assert_eq!(world.ledger.pairs_in(Status::Ok, None, 0, 10).await.unwrap().len(), 1);
    world.assert_quiet().await;
}

/// The plugin traps after it made two records, and one of them is edited before both are sent again. The answer comes
/// with the version of now, and does not tell the field that was edited.
#[tokio::test]
async fn p1_a_version_protects_only_what_was_told_with_it() {
    let mut world = World::new().await;
    world.right.character.untold = Some("tel");
    // Else the record is read before it is written.
    world.right.character.features.retain(|feature| *feature != Feature::ById);
    for name in ["ann", "bea"] {
        let email = text(&format!("{name}@example.org"));
        world.left.put("contact", &[("email", email), ("phone", text("one"))], "2020-01-01");
    }
    world.right.fault("execute", 1, Fault::LostByTrap);
    let edit = |id: &str| Fault::Edit {
        object: "person".to_owned(),
        id: id.to_owned(),
        field: "tel".to_owned(),
        value: text("typed on the right"),
    };
    world.right.fault("execute", 2, edit("R1"));
    world.run().await;
    let made = world.right.records("person");
    let mail = |id: &str| world.right.value("person", id, "mail");
    assert_eq!((made.len(), world.right.value("person", "R1", "tel")), (2, text("typed on the right")));
    let Value::Text(mail) = mail("R1") else { panic!("{made:?}") };
    let left = world.contact(&mail);
    world.left.edit("contact", &left, "phone", text("typed on the left"), "2025-12-31");
    // Only the left is read: the record on the right is known by the answer alone.
    let ids = Sides::new(vec![("contact".to_owned(), left.clone())], vec![]);
    world.run_with(RunOptions::sync(Scope::Ids(ids))).await;
    assert_eq!(world.right.value("person", "R1", "tel"), text("typed on the right"));
    world.run().await;
    assert_eq!(world.left.value("contact", &left, "phone"), text("typed on the right"), "the later one");
    world.assert_quiet().await;
}

/// A create without an answer is not known yet when its source gets the address of another contact.
#[tokio::test]
async fn p1_a_record_whose_create_is_unanswered_is_no_duplicate_of_the_one_whose_address_it_gets() {
    for (by_trap, find) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut world = World::new().await;
        if !find {
            world.right.character.can_find = false;
        }
        world.left.put("contact", &[("email", text("bea@example.org"))], "2020-01-01");
        world.run().await;
        let ann = world.left.put("contact", &[("email", text("ann@example.org"))], "2020-01-01");
        world.right.fault("execute", 1, if by_trap { Fault::LostByTrap } else { Fault::Lost });
        let _ = world.try_run(RunOptions::default()).await;
        world.left.edit("contact", &ann, "email", text("bea@example.org"), "2026-01-02");
        world.run().await;
        world.clock.advance(Duration::from_secs(86_400));
        for _ in 0..3 {
            world.run().await;
        }
        world.run_with(RunOptions::sync(Reading::Full)).await;
        world.run().await;
        let counts = (world.left.records("contact").len(), world.right.records("person").len());
        assert_eq!(counts, (2, 2), "by a trap: {by_trap}, look-up: {find}");
        assert_eq!(world.ledger.pairs_in(Status::Ok, None, 0, 10).await.unwrap().len(), 2);
        world.assert_quiet().await;
    }
}

/// A record whose create is unanswered, and carried no address, gets one and is deleted: nothing was sent with that address.
#[tokio::test]
async fn p2_an_address_that_no_open_create_carried_is_free_once_its_record_is_deleted() {
    for late in [false, true] {
        let mut world = World::new().await;
        world.right.character.features.remove(&Feature::IdempotentCreate);
        world.right.character.can_find = false;
        let ann = world.left.put("contact", &[("name", text("Ann"))], "2020-01-01");
        world.right.fault("execute", 1, Fault::Lost);
        let _ = world.try_run(RunOptions::default()).await;
        let email = text("ann@example.org");
        world.left.edit("contact", &ann, "email", email.clone(), "2026-01-02");
        world.run().await;
        world.left.delete("contact", &ann);
        if !late {
            world.run().await;
        }
        world.left.put("contact", &[("email", email), ("name", text("Bea"))], "2026-01-03");
        for _ in 0..3 {
            world.clock.advance(Duration::from_secs(3600));
            world.run_with(RunOptions::sync(Reading::Full)).await;
        }
        let held = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
        let held: Vec<_> = held.iter().filter_map(|pair| pair.reason.as_ref().map(Reason::code)).collect();
        assert_eq!(held, [Code::FateUnknown], "late: {late}");
        assert!(world.right.find_by("person", "full", "Bea").is_some());
        world.assert_quiet().await;
    }
}

/// Retries the only record that is held.
async fn retry_held(world: &World) {
    let held = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
    assert_eq!(held.len(), 1, "{held:?}");
    let lease =
        world.ledger.acquire("r", "operator", world.clock.now(), Duration::from_secs(180)).await.unwrap();
    assert_eq!(world.ledger.retry(&lease, held[0].mapping, Some(held[0].id)).await.unwrap(), 1);
    world.ledger.release(&lease).await.unwrap();
}

/// The operator's word to try again says nothing about what became of a create.
#[tokio::test]
async fn p2_a_retry_by_hand_asks_again_what_became_of_a_create_and_makes_no_second_record() {
    for executed in [true, false] {
        let mut world = World::new().await;
        world.right.character.features.remove(&Feature::IdempotentCreate);
        world.right.character.can_find = false;
        // Without an address nobody can tell whether it is the one that is reported.
        let ann: &[_] = if executed { &[] } else { &[("email", text("ann@example.org"))] };
        let ann = [ann, &[("name", text("Ann"))]].concat();
        world.left.put("contact", &ann, "2020-01-01");
        world.right.fault("execute", 1, Fault::NoAnswers { executed });
        world.run().await;
        world.run().await;
        retry_held(&world).await;
        // By now a complete listing shows what was executed.
        world.clock.advance(Duration::from_secs(86_400));
        for _ in 0..2 {
            world.run().await;
            assert_eq!(world.right.records("person").len(), 1, "executed: {executed}");
        }
        assert_eq!(world.left.records("contact").len(), 1);
        world.assert_quiet().await;
    }
}

/// A plugin that works through creates side by side answers two of them with each other's records.
#[tokio::test]
async fn a_create_that_is_answered_with_the_record_of_another_one_links_nobody() {
    for (idempotent, finds) in [(false, true), (false, false), (true, true)] {
        let mut world = World::new().await;
        if !idempotent {
            world.right.character.features.remove(&Feature::IdempotentCreate);
        }
        world.right.character.can_find = finds;
        // As a remote system stores it, which is not as it was sent.
        world.right.character.normalise = |field, value| match value {
            Value::Text(email) if field == "mail" => Value::text(email.to_uppercase()),
            other => other,
        };
        let people = ["ann", "bea", "cid"].map(|name| {
            let email = text(&format!("{name}@example.org"));
            (name, world.left.put("contact", &[("email", email), ("name", text(name))], "2020-01-01"))
        });
        world.right.fault("execute", 1, Fault::SwapsAnswers);
        world.run().await;
        let mistaken = Notice::InvalidAnswers {
            side: Side::Right,
            object: "person".into(),
            what: Oddity::OfAnotherChange,
            count: 2,
        };
        assert!(world.ledger.runs(None, None, 1).await.unwrap()[0].notices.contains(&mistaken));
        for _ in 0..2 {
            world.clock.advance(Duration::from_secs(86_400));
            world.run().await;
        }
        assert_eq!(world.right.records("person").len(), 3);
        for (name, left) in people {
            world.left.edit("contact", &left, "name", text(&format!("{name} Lee")), "2026-02-01");
        }
        world.run().await;
        for (_, person) in world.right.records("person") {
            let Some(Value::Text(name)) = person.values.get("full") else { panic!("{person:?}") };
            let mail = name.split(' ').next().map(|first| format!("{first}@example.org").to_uppercase());
            assert_eq!(person.values.get("mail"), mail.as_deref().map(text).as_ref());
            assert!(name.ends_with(" Lee"), "{name}");
        }
        world.assert_quiet().await;
    }
}

/// The same of two people of whom one or both have no identifier: the values that are told are those of the other one.
#[tokio::test]
async fn a_create_without_identifiers_that_is_answered_with_another_one_links_nobody() {
    for named in [false, true] {
        let mut world = World::new().await;
        world.right.character.can_find = false;
        let people = ["ann", "bea"].map(|name| {
            let email = if named && name == "ann" { text("ann@example.org") } else { Value::Null };
            let values = [("email", email), ("name", text(name)), ("phone", text(&format!("of {name}")))];
            (name, world.left.put("contact", &values, "2020-01-01"))
        });
        world.right.fault("execute", 1, Fault::SwapsAnswers);
        world.run().await;
        for _ in 0..2 {
            world.clock.advance(Duration::from_secs(86_400));
            world.run().await;
        }
        assert_eq!(world.right.records("person").len(), 2, "named: {named}");
        for (name, left) in people {
            world.left.edit("contact", &left, "phone", text(&format!("new of {name}")), "2026-02-01");
        }
        world.run().await;
        for (_, person) in world.right.records("person") {
            let Some(Value::Text(name)) = person.values.get("full") else { panic!("{person:?}") };
            assert_eq!(person.values.get("tel"), Some(&text(&format!("new of {name}"))), "named: {named}");
        }
        world.assert_quiet().await;
    }
}

/// What the operator says of the counterpart of the only record that is held.
async fn tell(world: &World, counterpart: &Counterpart) -> Result<(), NotLinked> {
    let held = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
    assert_eq!(held.len(), 1, "{held:?}");
    let lease =
        world.ledger.acquire("r", "operator", world.clock.now(), Duration::from_secs(180)).await.unwrap();
    let told =
        world.ledger.set_counterpart(&lease, held[0].id, counterpart, world.clock.now()).await.unwrap();
    world.ledger.release(&lease).await.unwrap();
    told
}

/// A create of a record without identifiers is never answered: by the values alone nobody knows whether it made the
/// record that is there now, which somebody has edited. Only a person does.
#[tokio::test]
async fn p2_a_person_says_what_a_create_without_an_answer_has_made() {
    for executed in [true, false] {
        let mut world = World::new().await;
        world.right.character.features.remove(&Feature::IdempotentCreate);
        world.right.character.can_find = false;
        let ann = world.left.put("contact", &[("name", text("Ann"))], "2020-01-01");
        world.right.fault("execute", 1, Fault::NoAnswers { executed });
        world.run().await;
        let made = world.right.records("person").into_iter().next();
        if let Some((id, _)) = &made {
            world.right.edit("person", id, "full", text("Ann Lee"), "2026-01-02");
        }
        let bea = world.right.put("person", &[("full", text("Bea")), ("tel", text("7"))], "2026-01-02");
        for _ in 0..3 {
            world.clock.advance(Duration::from_secs(86_400));
            world.run_with(RunOptions::sync(Reading::Full)).await;
        }
        assert_eq!(world.left.records("contact").len(), 1, "nothing is made while it may be the one");
        assert_eq!(tell(&world, &Counterpart::Record("no".into())).await, Err(NotLinked::Unreported));
        let told = match made.clone() {
            Some((id, _)) => Counterpart::Record(id),
            None => Counterpart::NotMade,
        };
        assert_eq!(tell(&world, &told).await, Ok(()));
        world.run().await;
        world.run().await;
        assert_eq!((world.left.records("contact").len(), world.right.records("person").len()), (2, 2));
        let name = if executed { "Ann Lee" } else { "Ann" };
        assert_eq!(world.left.value("contact", &ann, "name"), text(name), "executed: {executed}");
        assert!(world.right.find_by("person", "full", name).is_some());
        assert_eq!(world.right.value("person", &bea, "full"), text("Bea"));
        assert!(world.left.find_by("contact", "name", "Bea").is_some());
        world.assert_quiet().await;
    }
}

/// A create is executed, its answer is lost, and the remote system refuses the record when it comes again: that says
/// nothing about the first time.
#[tokio::test]
async fn p1_a_create_that_is_refused_when_it_is_sent_again_is_not_made_twice() {
    let mut world = World::new().await;
    world.left.put("contact", &[("name", text("Ann"))], "2020-01-01");
    world.right.fault("execute", 1, Fault::NoAnswers { executed: true });
    world.run().await;
    world.right.character.refuses = Some("Ann");
    world.run().await;
    assert_eq!(world.ledger.pairs_in(Status::Failed, None, 0, 10).await.unwrap().len(), 1);
    world.right.character.refuses = None;
    world.clock.advance(Duration::from_secs(86_400));
    world.run().await;
    assert_eq!((world.left.records("contact").len(), world.right.records("person").len()), (1, 1));
    assert_eq!(world.ledger.pairs_in(Status::Ok, None, 0, 10).await.unwrap().len(), 1);
    world.assert_quiet().await;
}

/// A refused create is open, since nobody knows what became of it when it was sent first. A record with another address
/// that has the same value of a pick-list, or the default, is somebody else.
#[tokio::test]
async fn p2_what_many_records_have_makes_no_record_the_one_of_an_open_create() {
    for by_default in [true, false] {
        let mut world = World::new().await;
        let phone = &mut world.people().fields[2];
        if by_default {
            phone.default.right = Some(text("won"));
        } else {
            phone.values = vec![(text("closed"), text("won"))];
        }
        let stage = if by_default { Value::Null } else { text("closed") };
        let ann = [("email", text("ann@example.org")), ("name", text("Ann")), ("phone", stage)];
        world.left.put("contact", &ann, "2020-01-01");
        world.right.fault("execute", 1, Fault::NoAnswers { executed: false });
        world.run().await;
        world.right.character.refuses = Some("Ann");
        let bea = [("mail", text("bea@example.org")), ("full", text("Bea")), ("tel", text("won"))];
        world.right.put("person", &bea, "2020-01-02");
        world.run().await;
        assert_eq!(world.ledger.pairs_in(Status::Failed, None, 0, 10).await.unwrap().len(), 1);
        assert!(world.left.find_by("contact", "name", "Bea").is_some(), "by default: {by_default}");
        world.assert_quiet().await;
    }
}

/// Somebody clears a required field while nobody knows what became of the create: it is not decided any more, but sent
/// again as it was, since its answer alone tells. Until then a newcomer without an identifier could be what it has made.
#[tokio::test]
async fn i26_an_open_create_is_sent_again_as_it_was_where_its_record_lacks_a_required_value_by_now() {
    for executed in [true, false] {
        let mut world = World::new().await;
        world.people().fields[2].required.right = true;
        let ann = [("name", text("Ann")), ("phone", text("one")), ("email", text("ann@example.org"))];
        let ann = world.left.put("contact", &ann, "2020-01-01");
        world.right.fault("execute", 1, Fault::NoAnswers { executed });
        world.run().await;
        world.right.character.refuses = Some("Ann");
        world.run().await;
        world.right.character.refuses = None;
        world.left.edit("contact", &ann, "phone", Value::Null, "2026-01-02");
        world.right.put("person", &[("full", text("Zoe")), ("tel", text("two"))], "2026-01-02");
        for _ in 0..3 {
            world.clock.advance(Duration::from_secs(86_400));
            world.run().await;
        }
        let counts = (world.left.records("contact").len(), world.right.records("person").len());
        assert_eq!(counts, (2, 2), "executed: {executed}");
        assert_eq!(world.ledger.pairs_in(Status::Ok, None, 0, 10).await.unwrap().len(), 2);
        let made = world.person("ann@example.org");
        assert_eq!(world.right.value("person", &made, "tel"), text("one"), "required there");
        world.assert_quiet().await;
    }
}

/// A create without an identifier has no answer, and its record gets the address of somebody else: a search by that address
/// says nothing about the create.
#[tokio::test]
async fn i3_an_address_that_came_later_does_not_tell_what_became_of_a_create_without_one() {
    let mut world = World::new().await;
    world.right.character.features.remove(&Feature::IdempotentCreate);
    let bea =
        world.left.put("contact", &[("email", text("bea@example.org")), ("name", text("Bea"))], "2020-01-01");
    world.run().await;
    let ann = world.left.put("contact", &[("name", text("Ann"))], "2020-01-01");
    world.right.fault("execute", 1, Fault::NoAnswers { executed: true });
    world.run().await;
    world.left.edit("contact", &bea, "email", Value::Null, "2026-01-02");
    world.left.edit("contact", &ann, "email", text("bea@example.org"), "2026-01-02");
    for _ in 0..4 {
        world.clock.advance(Duration::from_secs(86_400));
        world.run_with(RunOptions::sync(Reading::Full)).await;
        assert_eq!(world.right.records("person").len(), 2, "{:?}", world.right.records("person"));
    }
    assert_eq!(world.left.records("contact").len(), 2);
    let held = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
    let held: Vec<_> = held.iter().filter_map(|pair| pair.reason.as_ref().map(Reason::code)).collect();
    assert_eq!(held, [Code::FateUnknown]);
    world.assert_quiet().await;
}

/// A record that may be what a create has made waits for its answer, and is deleted meanwhile by a system that tells no deletion.
/// When the answer says that what was made is gone, it is read again before another one is made of it.
#[tokio::test]
async fn i3_a_record_that_has_waited_for_a_create_is_read_again_before_another_is_made_of_it() {
    for deleted in [true, false] {
        let mut world = World::new().await;
        (world.right.character.can_find, world.right.character.tells_gone) = (false, true);
        world.right.character.features.remove(&Feature::Deletions);
        world.left.put("contact", &[("name", text("Ann"))], "2020-01-01");
        world.right.fault("execute", 1, Fault::LostByTrap);
        world.run().await;
        let bea = world.right.put("person", &[("full", text("Bea"))], "2026-01-02");
        world.run_with(RunOptions::plan(Scope::default())).await;
        let made = world.right.records("person").into_iter().find(|(id, _)| *id != bea).unwrap();
        world.right.delete("person", &made.0);
        if deleted {
            world.right.delete("person", &bea);
        }
        world.right.expire_deletions();
        for _ in 0..4 {
            world.clock.advance(Duration::from_secs(86_400));
            world.run().await;
        }
        let mut names: Vec<_> = world
            .left
            .records("contact")
            .iter()
            .map(|(_, record)| record.values["name"].to_string())
            .collect();
        names.sort();
        assert_eq!(names, if deleted { vec!["Ann"] } else { vec!["Ann", "Bea"] });
        world.assert_quiet().await;
    }
}

/// While a create has no answer, somebody types the same person once more, and the rules prefer the new record: what was
/// made of the first one is not linked with the second one, which would get its name.
#[tokio::test]
async fn i3_a_preferred_newcomer_does_not_take_the_place_of_a_record_whose_create_has_no_answer() {
    let mut world = World::new().await;
    let tagged = Condition { field: "phone".into(), test: Test::Contains("preferred".into()) };
    world.people().prefer = Sides::new(vec![Prefer::Where(tagged)], vec![]);
    let email = || ("email", text("ann@example.org"));
    let ann = world.left.put("contact", &[email(), ("name", text("Ann"))], "2020-01-01");
    world.right.fault("execute", 1, Fault::LostByTrap);
    world.run().await;
    let preferred = ("phone", text("preferred"));
    let other = world.left.put("contact", &[email(), ("name", text("Anna")), preferred], "2026-01-02");
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(86_400));
        world.run().await;
    }
    let name = |id: &str| world.left.value("contact", id, "name");
    assert_eq!((name(&ann), name(&other)), (text("Ann"), text("Anna")));
    let made = world.right.records("person");
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].1.values.get("full"), Some(&text("Ann")));
    world.assert_quiet().await;
}

/// A person edits a record just before it is written. The remote system refuses the write as stale, and tells the record
/// anew, but only the fields of the order: the new version protects nothing else.
#[tokio::test]
async fn i4_the_version_of_a_stale_answer_protects_only_the_fields_that_it_tells() {
    for by_id in [true, false] {
        let mut world = World::new().await;
        if !by_id {
            world.right.character.features.remove(&Feature::ById);
        }
        let values = [("email", text("ann@example.org")), ("name", text("Ann")), ("phone", text("one"))];
        let ann = world.left.put("contact", &values, "2020-01-01");
        world.run().await;
        let made = world.person("ann@example.org");
        world.run().await;
        let (object, id) = ("person".to_owned(), made.clone());
        let field = "full".to_owned();
        world.right.fault("execute", 1, Fault::Edit { object, id, field, value: text("typed on the right") });
        world.right.fault("execute", 2, Fault::PutsOff);
        world.left.edit("contact", &ann, "phone", text("two"), "2025-12-31");
        let ids = || Scope::Ids(Sides::new(vec![("contact".to_owned(), ann.clone())], vec![]));
        world.run_with(RunOptions::sync(ids())).await;
        if by_id {
            assert_eq!(world.left.value("contact", &ann, "name"), text("typed on the right"), "read anew");
        } else {
            world.left.edit("contact", &ann, "name", text("typed on the left"), "2025-12-31");
        }
        world.clock.advance(Duration::from_secs(7200));
        world.run_with(RunOptions::sync(ids())).await;
        assert_eq!(world.right.value("person", &made, "full"), text("typed on the right"), "by id: {by_id}");
        for _ in 0..2 {
            world.clock.advance(Duration::from_secs(86_400));
            world.run().await;
        }
        assert_eq!(world.left.value("contact", &ann, "name"), text("typed on the right"), "the later one");
        assert_eq!(world.right.value("person", &made, "tel"), text("two"));
        world.assert_quiet().await;
    }
}

/// A complete listing proves that a create without an answer has made nothing. What is said to the next one is the whole
/// truth: it is refused, and no newcomer could be what it has made.
#[tokio::test]
async fn i26_a_create_that_is_proven_to_have_made_nothing_is_not_open_any_more() {
    let mut world = World::new().await;
    world.right.character.features.remove(&Feature::IdempotentCreate);
    world.right.character.can_find = false;
    world.left.put("contact", &[("email", text("ann@example.org")), ("name", text("Ann"))], "2020-01-01");
    world.right.fault("execute", 1, Fault::NoAnswers { executed: false });
    world.run().await;
    world.right.character.refuses = Some("Ann");
    for _ in 0..2 {
        world.clock.advance(Duration::from_secs(86_400));
        world.run_with(RunOptions::sync(Reading::Full)).await;
    }
    assert_eq!(world.ledger.pairs_in(Status::Failed, None, 0, 10).await.unwrap().len(), 1);
    world.right.put("person", &[("full", text("Zoe"))], "2026-01-02");
    world.run().await;
    assert_eq!(world.left.records("contact").len(), 2);
}

/// A search finds the counterpart of a record, and no report tells its values: they are not known, whatever the operator
/// asks for.
#[tokio::test]
async fn i1_a_retry_by_hand_settles_no_record_that_was_found_and_never_read() {
    let mut world = World::new().await;
    for feature in [Feature::ById, Feature::FullListing] {
        world.right.character.features.remove(&feature);
    }
    world.run().await;
    let ann = |name: &str, field: &'static str| [(field, text("ann@example.org")), ("full", text(name))];
    let made = world.right.put("person", &ann("Anna", "mail"), "2020-01-02");
    world.right.age("person", &made);
    world.left.put("contact", &[("email", text("ann@example.org")), ("name", text("Ann"))], "2020-01-01");
    let waits = async |world: &World| {
        let held = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
        held.iter().filter_map(|pair| pair.reason.as_ref().map(Reason::code)).collect::<Vec<_>>()
    };
    world.run().await;
    assert_eq!(waits(&world).await, [Code::NotReadYet]);
    retry_held(&world).await;
    world.run().await;
    assert_eq!(waits(&world).await, [Code::NotReadYet]);
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(world.ledger.pairs_in(Status::Ok, None, 0, 10).await.unwrap().len(), 1);
    assert_eq!(world.left.records("contact")[0].1.values.get("name"), Some(&text("Anna")));
    world.assert_quiet().await;
}

/// The same where its identifier is cleared, and the remote system has no complete listing that proves its absence.
#[tokio::test]
async fn i26_an_open_create_is_sent_again_as_it_was_where_its_record_has_no_identifier_by_now() {
    for executed in [true, false] {
        let mut world = World::new().await;
        world.right.character.features.remove(&Feature::FullListing);
        let ann = world.left.put(
            "contact",
            &[("name", text("Ann")), ("email", text("ann@example.org"))],
            "2020-01-01",
        );
        world.right.fault("execute", 1, Fault::NoAnswers { executed });
        world.run().await;
        world.right.character.refuses = Some("Ann");
        world.run().await;
        world.right.character.refuses = None;
        world.left.edit("contact", &ann, "email", Value::Null, "2026-01-02");
        world.right.put("person", &[("full", text("Zoe"))], "2026-01-02");
        for _ in 0..3 {
            world.clock.advance(Duration::from_secs(86_400));
            world.run().await;
        }
        let counts = (world.left.records("contact").len(), world.right.records("person").len());
        assert_eq!(counts, (2, 2), "executed: {executed}");
        assert_eq!(world.ledger.pairs_in(Status::Ok, None, 0, 10).await.unwrap().len(), 2);
        world.assert_quiet().await;
    }
}

/// A record without an answer has another address by now, and somebody else has got the one that was sent: that one is
/// taken for it, until the create is sent again and its answer names the right one. Both stay in a pair.
#[tokio::test]
async fn i26_a_record_that_was_taken_for_what_a_create_had_made_stays_in_a_pair() {
    let world = World::new().await;
    let ann = [("email", text("ann@example.org")), ("name", text("Ann"))];
    let left = world.left.put("contact", &ann, "2020-01-01");
    world.right.fault("execute", 1, Fault::NoAnswers { executed: true });
    world.run().await;
    let made = world.person("ann@example.org");
    world.right.edit("person", &made, "mail", text("new@example.org"), "2026-01-02");
    let other = [("mail", text("ann@example.org")), ("full", text("Bea")), ("tel", text("one"))];
    let other = world.right.put("person", &other, "2026-01-02");
    world.run_with(RunOptions::plan(Reading::Changes)).await;
    let taken = world.ledger.pairs(&[1]).await.unwrap().remove(0);
    assert_eq!(taken.halves.right.id.as_ref(), Some(&other), "it is taken for what was made");
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(86_400));
        world.run().await;
    }
    let pairs = world.ledger.pairs(&[1, 2, 3, 4]).await.unwrap();
    let with = |id: &str| pairs.iter().filter(|pair| pair.halves.right.id.as_deref() == Some(id)).count();
    assert_eq!((with(&made), with(&other)), (1, 1), "{pairs:#?}");
    assert_eq!(world.left.value("contact", &left, "email"), text("new@example.org"));
    assert_eq!(world.left.value("contact", &left, "phone"), Value::Null);
    assert_eq!(world.left.value("contact", &world.contact("ann@example.org"), "name"), text("Bea"));
    world.assert_quiet().await;
}

/// A create that failed after it was executed is as open as one without an answer: when its record is deleted, what it
/// has made is no new record.
#[tokio::test]
async fn i3_what_a_failed_create_had_made_is_no_new_record_once_its_source_is_deleted() {
    for deletes in [DeletePolicy::Ignore, DeletePolicy::Unlink, DeletePolicy::Delete, DeletePolicy::Recreate]
    {
        for (keyed, twice) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut world = World::new().await;
            world.people().deletes = deletes;
            world.definition.brake.records = 1000;
            let keys: &[_] = if keyed { &[("email", text("ann@example.org"))] } else { &[] };
            let ann = [keys, &[("name", text("Ann"))]].concat();
            let left = world.left.put("contact", &ann, "2020-01-01");
            world.right.fault("execute", 1, Fault::LostByTrap);
            world.run().await;
            assert_eq!(world.ledger.pairs_in(Status::Failed, None, 0, 10).await.unwrap().len(), 1);
            if twice {
                // It is sent once more, and the order is refused as a whole.
                world.right.character.poison = Some("Ann");
                world.clock.advance(Duration::from_secs(86_400));
                world.run().await;
                world.right.character.poison = None;
            }
            world.left.delete("contact", &left);
            for _ in 0..3 {
                world.clock.advance(Duration::from_secs(86_400));
                world.run_with(RunOptions::plan(Reading::Changes)).await;
                world.run().await;
            }
            let again = deletes == DeletePolicy::Recreate;
            let stands = world.left.records("contact").iter().filter(|(_, record)| !record.deleted).count();
            assert_eq!(stands, usize::from(again && keyed), "{deletes:?}, {keyed}, {twice}");
            world.assert_quiet().await;
        }
    }
}

/// A create is sent, without an answer, and sent again with what its record has got meanwhile, which is never carried
/// out. What the first one made has none of that: nobody has taken it off.
#[tokio::test]
async fn i4_what_a_record_got_after_its_create_was_sent_is_not_taken_off_by_the_answer() {
    for edited in [false, true] {
        let mut world = World::new().await;
        world.right.character.tells_now = true;
        let ann = world.left.put("contact", &[("name", text("Ann"))], "2020-01-01");
        let org = world.left.put("company", &[("name", text("Company"))], "2020-01-01");
        world.right.fault("execute", 2, Fault::LostByTrap);
        world.run().await;
        let made = world.right.records("person")[0].0.clone();
        let tags = |texts: &[&str]| Value::Texts(texts.iter().map(|text| (*text).to_owned()).collect());
        world.left.edit("contact", &ann, "tags", tags(&["new"]), "2026-01-02");
        let refers = Value::Reference(Reference { object: "company".to_owned(), id: org.clone() });
        world.left.edit("contact", &ann, "company", refers.clone(), "2026-01-02");
        // It is sent once more, and refused as a whole.
        world.right.character.poison = Some("Ann");
        world.clock.advance(Duration::from_secs(86_400));
        world.run().await;
        world.right.character.poison = None;
        if edited {
            world.right.edit("person", &made, "labels", tags(&["theirs"]), "2026-01-03");
        }
        for _ in 0..2 {
            world.clock.advance(Duration::from_secs(86_400));
            world.run().await;
        }
        for set in [world.left.value("contact", &ann, "tags"), world.right.value("person", &made, "labels")] {
            let Value::Texts(mut texts) = set else { panic!("{set:?}") };
            texts.sort_unstable();
            assert_eq!(texts, if edited { vec!["new", "theirs"] } else { vec!["new"] });
        }
        assert_eq!(world.left.value("contact", &ann, "company"), refers);
        assert_ne!(world.right.value("person", &made, "org"), Value::Null);
        assert_eq!(world.right.records("person").len(), 1);
        world.assert_quiet().await;
    }
}

/// Somebody gives a record the address that a create without an answer has carried, and the page that tells of it also has
/// the record that was made: one of them is the counterpart, and the other one its duplicate.
#[tokio::test]
async fn i1_a_record_that_got_the_address_of_an_open_create_comes_before_the_one_that_was_made() {
    let mut world = World::new().await;
    world.right.character.features.remove(&Feature::IdempotentCreate);
    world.people().create.left = false;
    let bea = world.right.put("person", &[("mail", text("bea@example.org"))], "2020-01-01");
    world.run().await;
    world.left.put("contact", &[("email", text("ann@example.org"))], "2026-01-01");
    world.right.fault("execute", 1, Fault::NoAnswers { executed: true });
    world.run().await;
    let made = world.person("ann@example.org");
    world.right.edit("person", &bea, "mail", text("ann@example.org"), "2026-01-02");
    world.right.edit("person", &made, "tel", text("1"), "2026-01-02");
    world.run().await;
    world.run().await;
    let linked = world.ledger.pairs_in(Status::Ok, None, 0, 10).await.unwrap();
    let held = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
    assert_eq!((linked.len(), held.len()), (1, 1));
    assert_eq!(world.right.records("person").len(), 2);
    world.assert_quiet().await;
}

/// Two contacts with the address of two people wait, and an operator has both made all the same. The order is executed and
/// not answered, and a search finds two records for each create. Another address of one contact tells nothing of its create.
#[tokio::test]
async fn i3_a_create_for_which_several_were_found_is_not_forgotten_when_its_source_gets_another_address() {
    let mut world = World::new().await;
    world.right.character.features.remove(&Feature::IdempotentCreate);
    world.twins("x@example.org").await;
    let contacts = ["Ann", "Zoe"].map(|name| {
        let values = [("email", text("x@example.org")), ("name", text(name))];
        world.left.put("contact", &values, "2026-01-03")
    });
    world.run().await;
    assert_eq!(held(&world).await, [Code::Ambiguous; 2]);
    let lease =
        world.ledger.acquire("r", "operator", world.clock.now(), Duration::from_secs(180)).await.unwrap();
    for pair in world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap() {
        world.ledger.retry(&lease, pair.mapping, Some(pair.id)).await.unwrap();
    }
    world.ledger.release(&lease).await.unwrap();
    world.right.fault("execute", 1, Fault::LostByTrap);
    world.run().await;
    assert_eq!(held(&world).await, [Code::FateUnknown; 2]);
    world.left.edit("contact", &contacts[0], "email", text("ann@example.org"), "2026-01-04");
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(86_400));
        world.run().await;
        world.run_with(RunOptions::sync(Reading::Full)).await;
        assert_eq!((world.left.records("contact").len(), world.right.records("person").len()), (4, 4));
    }
    world.assert_quiet().await;
    // Only one of the two is left, so that it is found.
    let ann = world.right.find_by("person", "full", "Ann").unwrap();
    world.right.delete("person", &ann);
    world.run().await;
    let zoe = world.right.find_by("person", "full", "Zoe").unwrap();
    let of = world.ledger.pairs_of(world.definition.mappings[0].id, Side::Right, &[zoe]).await.unwrap();
    assert!(of[0].is_linked(), "{of:?}");
    assert_eq!(world.right.records("person").len(), 3);
    world.assert_quiet().await;
}

/// A search finds what a create without an answer has made, and a report tells it. Then its source is deleted, and nobody
/// knows whether that was made again. The create is not asked about again, which would find the survivor itself, nor is what
/// it carried settled with the next counterpart: that is met for the first time.
#[tokio::test]
async fn i26_a_create_whose_record_was_found_and_read_is_not_open_any_more_once_its_link_has_ended() {
    let mut world = World::new().await;
    world.people().deletes = DeletePolicy::Recreate;
    let lacking = [Feature::IdempotentCreate, Feature::ById, Feature::ConditionalUpdate];
    world.right.character.features.retain(|feature| !lacking.contains(feature));
    world.left.character.features.remove(&Feature::IdempotentCreate);
    world.left.character.can_find = false;
    // Else the later of two values wins.
    (world.left.character.times, world.right.character.times) = (ChangeTimes::None, ChangeTimes::None);
    let email = || ("email", text("ann@example.org"));
    let ann = world.left.put("contact", &[email(), ("name", text("Ann"))], "2020-01-01");
    world.right.fault("execute", 1, Fault::NoAnswers { executed: true });
    world.run().await;
    world.run().await;
    let linked = world.ledger.pairs(&[1]).await.unwrap().remove(0);
    assert!(linked.is_linked() && linked.status == Status::Ok, "{linked:?}");
    let made = world.person("ann@example.org");
    world.left.delete("contact", &ann);
    world.left.fault("execute", 1, Fault::NoAnswers { executed: false });
    world.run().await;
    world.right.edit("person", &made, "tel", text("one"), "2026-01-02");
    world.run().await;
    assert_eq!(held(&world).await, [Code::FateUnknown]);
    let survivor = world.ledger.pairs(&[1]).await.unwrap().remove(0);
    assert!(survivor.agreed.iter().all(Option::is_none), "settled with a record that is gone: {survivor:?}");
    let open = world.ledger.unanswered(&[1]).await.unwrap();
    assert_eq!(open.iter().map(|change| change.target).collect::<Vec<_>>(), [Side::Left]);
    let other = world.left.put("contact", &[email(), ("name", text("Anna"))], "2026-01-03");
    world.run().await;
    assert_eq!(world.right.value("person", &made, "full"), text("Ann"), "neither name is the newer one");
    assert_eq!(world.left.value("contact", &other, "name"), text("Anna"));
    assert_eq!(world.left.value("contact", &other, "phone"), text("one"));
    world.assert_quiet().await;
}

/// A create fails after it was executed, and a report tells its record, which is deleted later and made again. That is
/// another record: under the key of the first create the remote system would answer with the one that is gone.
#[tokio::test]
async fn i26_what_is_made_again_is_not_answered_with_what_a_failed_create_had_made() {
    let mut world = World::new().await;
    world.people().deletes = DeletePolicy::Recreate;
    let ann = [("email", text("ann@example.org")), ("name", text("Ann"))];
    world.left.put("contact", &ann, "2020-01-01");
    world.right.fault("execute", 1, Fault::LostByTrap);
    world.run().await;
    assert_eq!(world.ledger.pairs_in(Status::Failed, None, 0, 10).await.unwrap().len(), 1);
    world.run().await;
    assert_eq!(world.ledger.pairs_in(Status::Ok, None, 0, 10).await.unwrap().len(), 1);
    let made = world.person("ann@example.org");
    world.right.delete("person", &made);
    world.run().await;
    assert_eq!(world.right.records("person").len(), 1);
    assert_eq!(world.left.records("contact").len(), 1);
    world.assert_quiet().await;
}

/// The codes of the reasons of what is held.
async fn held(world: &World) -> Vec<Code> {
    let held = world.ledger.pairs_in(Status::Held, None, 0, 100).await.unwrap();
    held.iter().filter_map(|pair| pair.reason.as_ref().map(Reason::code)).collect()
}
