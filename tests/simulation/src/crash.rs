//! Crash-point scenarios: short stories whose run is crashed after each of its effects in turn.

use crate::character::{Character, Manners, Shape, Ties};
use crate::dice::{Dice, lock};
use crate::history::finish;
use crate::schema::{CITY, COMPANY, IDENTIFIER, NAME, PERSON, PHONE};
use crate::tape::drive;
use crate::verdict::{Verdict, Word};
use crate::world::{Ran, World};
use anyhow::{Context, Result};
use entente_core::Value;
use entente_sync::{Blanks, DeletePolicy, Drift, RunOptions, Side, Sides, Unresolved};
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
    let world = prepare(scenario)?;
    let before = world.tape.effects();
    match world.run(0, RunOptions::default(), None)? {
        Ran::Ended(end) if end.error.is_none() => Ok(world.tape.effects() - before),
        _ => anyhow::bail!("the run of {scenario:?} does not come to its end"),
    }
}

/// Crashes the run of a scenario after `effects` effects, reopens everything, runs to convergence and checks
/// the invariants.
///
/// # Errors
/// Where the scenario itself cannot be set up.
pub fn crash_after(scenario: &Scenario, effects: u64, trace: bool) -> Result<Verdict> {
    let world = prepare_with(scenario, trace)?;
    let mut verdict = Verdict::new(effects);
    match world.run(0, RunOptions::default(), Some(effects))? {
        Ran::Stopped => verdict.crashes += 1,
        _ => {
            verdict.add(Word::Unaccounted, "I24", format!("the run was not stopped after {effects} effects"))
        }
    }
    world.outlive_lease();
    finish(&world, &mut verdict)?;
    Ok(verdict)
}

fn prepare(scenario: &Scenario) -> Result<World> {
    prepare_with(scenario, false)
}

fn prepare_with(scenario: &Scenario, trace: bool) -> Result<World> {
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
    };
    let world = World::new(character, &mut Dice::new(7), trace, false)?;
    world.calm();
    drive(tell(&world, scenario.story)).context("a person waits for something")??;
    Ok(world)
}

async fn tell(world: &World, story: Story) -> Result<()> {
    let users = &world.users;
    for place in [0, 1] {
        users.create(place, COMPANY, None).await;
        users.create(place, PERSON, None).await;
        users.create(place, PERSON, None).await;
    }
    users.create_on_both(0).await;
    if story == Story::FirstSync {
        return Ok(());
    }
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(3600));
        let _ = world.run(0, RunOptions::default(), None)?;
    }
    world.clock.advance(Duration::from_secs(3600));
    for side in Side::BOTH {
        let place = users.links[0].places[side];
        let people = users.systems[place].records(PERSON).await;
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
    world.clock.advance(Duration::from_secs(60));
    Ok(())
}
