//! Crash-point scenarios: short stories whose run is crashed after each of its effects in turn.

use crate::character::{Character, Manners, Shape, Ties};
use crate::dice::{Dice, lock};
use crate::history::finish;
use crate::rules::Rules;
use crate::schema::{CITY, COMPANY, IDENTIFIER, NAME, PERSON, PHONE};
use crate::system::{Live, System};
use crate::tape::drive;
use crate::verdict::{Verdict, Word};
use crate::world::{Ran, World};
use anyhow::{Context, Result};
use entente_core::Value;
use entente_sync::{
    Blanks, ChangeStatus, DeletePolicy, Drift, Ledger as _, MappingId, RunKind, RunOptions, Scope, Side,
    Sides, Unresolved,
};
use std::time::Duration;

/// What precedes the run that crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Story {
    /// Records on both sides that were never synced, some of them of the same people.
    FirstSync,
    /// Edits on both sides.
    Updates,
    /// Deletions on both sides.
    Deletions,
    /// A create without an answer, and edits on both sides since.
    OpenCreate,
    /// The undo of a run that wrote on both sides.
    Undo,
    /// The apply of a dry run.
    Apply,
    /// Records of the right that get another id, and edits on the left.
    Rename,
    /// People of the right that are merged: into one that is linked, and into one that was not met yet.
    Merge,
}

/// A story in a topology.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The story.
    pub story: Story,
    /// The topology.
    pub shape: Shape,
    /// The remote system on the right.
    pub manners: Manners,
    /// The deletion policy.
    pub deletes: DeletePolicy,
}

/// The number of effects of an uninterrupted run.
///
/// # Errors
/// Where the run fails.
pub fn count_effects(scenario: &Scenario) -> Result<u64> {
    let (world, options) = prepare(scenario, false)?;
    let before = world.tape.effects();
    match world.run(0, options, None)? {
        Ran::Ended(end) if end.error.is_none() => Ok(world.tape.effects() - before),
        _ => anyhow::bail!("the run of {scenario:?} does not come to its end"),
    }
}

/// Crashes the run of a scenario after `effects` effects, reopens everything, runs to convergence and checks
/// the invariants. `again`: what was asked for is asked for once more after the crash.
///
/// # Errors
/// Where the scenario itself cannot be set up.
pub fn crash_after(scenario: &Scenario, effects: u64, again: bool, trace: bool) -> Result<Verdict> {
    let (world, options) = prepare(scenario, trace)?;
    let mut verdict = Verdict::new(effects);
    match world.run(0, options.clone(), Some(effects))? {
        Ran::Stopped => verdict.crashes += 1,
        _ => {
            verdict.add(Word::Unaccounted, "I24", format!("the run was not stopped after {effects} effects"))
        }
    }
    world.outlive_lease();
    if again {
        match world.run(0, options, None)? {
            Ran::Ended(end) if end.error.is_none() => {}
            Ran::Ended(end) => verdict.add(
                Word::Unaccounted,
                "I1",
                format!("asked for once more, it fails: {:?}", end.error),
            ),
            _ => verdict.add(Word::Unaccounted, "I1", "asked for once more, it does not begin".to_owned()),
        }
    }
    finish(&world, &mut verdict)?;
    Ok(verdict)
}

/// The world before the run that crashes, and what that run is asked for.
fn prepare(scenario: &Scenario, trace: bool) -> Result<(World, RunOptions)> {
    let character = Character {
        steps: false,
        shape: scenario.shape,
        remotes: vec![scenario.manners.clone(), scenario.manners.clone()],
        deletes: scenario.deletes,
        unresolved: Unresolved::Hold,
        blanks: Blanks::Overwrite,
        one_way_phone: false,
        drift: Drift::Keep,
        filtered: Sides::new(false, false),
        brake: 10,
        trusted: None,
        prefer: Ties::First,
        operations: 0,
        crashes: 0,
        edits_in_runs: 0,
        rules: Rules::default(),
        grouped: false,
    };
    let world = World::new(character, &mut Dice::new(7), trace, false)?;
    world.calm();
    drive(begin(&world, scenario.story)).context("a person waits for something")?;
    if scenario.story == Story::FirstSync {
        return Ok((world, RunOptions::default()));
    }
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(3600));
        let _ = world.run(0, RunOptions::default(), None)?;
    }
    world.clock.advance(Duration::from_secs(3600));
    if scenario.story == Story::OpenCreate {
        leave_open(&world)?;
    }
    drive(tell(&world, scenario.story)).context("a person waits for something")?;
    world.clock.advance(Duration::from_secs(60));
    let earlier = match scenario.story {
        Story::Undo => RunOptions::default(),
        Story::Apply => RunOptions::plan(Scope::default()),
        _ => return Ok((world, RunOptions::default())),
    };
    let Ran::Ended(end) = world.run(0, earlier, None)? else {
        anyhow::bail!("the run before that of {scenario:?} does not come to its end")
    };
    world.clock.advance(Duration::from_secs(60));
    let run = end.run.id;
    let kind = match scenario.story {
        Story::Undo => RunKind::Undo { run, deletes_agreed: 100 },
        _ => RunKind::Apply { plan: run, scope: Scope::default() },
    };
    Ok((world, kind.into()))
}

/// A person of the left is made on the right, without an answer.
fn leave_open(world: &World) -> Result<()> {
    let users = &world.users;
    let places = users.links[0].places;
    drive(users.create(places.left, PERSON, None)).context("a person waits for something")?;
    world.clock.advance(Duration::from_secs(60));
    if let System::Remote(remote) = &users.systems[places.right] {
        remote.fall_mute();
    }
    let _ = world.run(0, RunOptions::default(), None)?;
    world.clock.advance(Duration::from_secs(60));
    let mappings: Vec<MappingId> = world.syncs[0].mappings.iter().map(|mapping| mapping.id).collect();
    let sent = world.ledger.inner.open_changes(&mappings, ChangeStatus::Sent, 0, 10);
    let open = drive(sent).context("the ledger waits for something")??;
    anyhow::ensure!(open.len() == 1, "{} creates are open instead of one", open.len());
    Ok(())
}

/// What people do before the first sync.
async fn begin(world: &World, story: Story) {
    let users = &world.users;
    for place in [0, 1] {
        users.create(place, COMPANY, None).await;
        users.create(place, PERSON, None).await;
        users.create(place, PERSON, None).await;
    }
    users.create_on_both(0).await;
    if matches!(story, Story::Rename | Story::Merge) {
        users.create(1, PERSON, None).await;
    }
}

/// What people do before the run that crashes.
async fn tell(world: &World, story: Story) {
    let users = &world.users;
    for side in Side::BOTH {
        let place = users.links[0].places[side];
        let people = users.systems[place].records(PERSON).await;
        if side == Side::Right && story == Story::Rename {
            for person in people.iter().take(2) {
                users.rename(place, person).await;
            }
            continue;
        }
        if side == Side::Right && story == Story::Merge {
            users.join(place, &people[0], &people[1].id).await;
            users.create(place, PERSON, None).await;
            let known = |live: &Live| people.iter().all(|person| person.id != live.id);
            let after = users.systems[place].records(PERSON).await;
            if let Some(unknown) = after.iter().find(|live| known(live)) {
                users.join(place, &people[2], &unknown.id).await;
            }
            continue;
        }
        for (n, person) in people.iter().enumerate() {
            if story == Story::Deletions {
                // Each side deletes people of its own.
                if n % 4 == usize::from(side == Side::Right) {
                    users.remove(place, PERSON, &person.id).await;
                }
                continue;
            }
            let field = [NAME, PHONE, CITY, IDENTIFIER][(n + usize::from(side == Side::Right)) % 4];
            let value = lock(&users.book).next();
            let text =
                if field == IDENTIFIER { format!("v{value}@example.org") } else { format!("030{value:06}") };
            users.set(place, PERSON, &person.id, field, Value::text(text), None).await;
        }
    }
}
