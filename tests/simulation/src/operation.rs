//! The operations of a history: what people, syncs and the passage of time do, and how often.

use crate::dice::Dice;
use crate::runs;
use crate::schema::{COMPANY, PERSON};
use crate::tally::Group;
use crate::tape::drive;
use crate::verdict::Verdict;
use crate::world::World;
use anyhow::{Result, anyhow};
use std::time::Duration;

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Edit,
    Contest,
    Blank,
    Tag,
    Employ,
    CreatePerson,
    CreateUnnamed,
    CreateBlank,
    CreateCompany,
    CreateOnBoth,
    Duplicate,
    Share,
    ClearAddress,
    Swap,
    Delete,
    Merge,
    Recreate,
    Wait,
    Step,
    Rule,
    Retry,
    Run,
}

/// Every operation, how often it is drawn among all of them, and its name for the counts.
const OPERATIONS: &[(usize, Operation, &str)] = &[
    (24, Operation::Edit, "edit a field"),
    (8, Operation::Contest, "edit one field on both sides"),
    (4, Operation::Blank, "clear a field"),
    (7, Operation::Tag, "put a tag on or take it off"),
    (5, Operation::Employ, "set a reference"),
    (7, Operation::CreatePerson, "make a person"),
    (2, Operation::CreateUnnamed, "make a person without an address"),
    (1, Operation::CreateBlank, "make a person with a blank address"),
    (2, Operation::CreateCompany, "make a company"),
    (4, Operation::CreateOnBoth, "make the same record on both sides"),
    (1, Operation::Duplicate, "make a duplicate"),
    (1, Operation::Share, "give a person the address of another"),
    (1, Operation::ClearAddress, "clear an address"),
    (1, Operation::Swap, "swap two addresses"),
    (3, Operation::Delete, "delete a record"),
    (1, Operation::Merge, "merge two people"),
    (2, Operation::Recreate, "make a deleted record again"),
    (3, Operation::Wait, "let time pass"),
    (3, Operation::Step, STEPPED),
    (2, Operation::Rule, "settle a conflict"),
    (2, Operation::Retry, "retry by hand"),
    (28, Operation::Run, "run a sync"),
];

/// The host clock stepped.
const STEPPED: &str = "step the host clock";
/// A conflict was there, and is settled.
const SETTLED: &str = "settled a conflict";
/// Something was there to be retried.
const RETRIED: &str = "retried something";

/// The names of all operations.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().map(|(_, _, name)| *name).chain([SETTLED, RETRIED])
}

fn draw(dice: &mut Dice) -> (Operation, &'static str) {
    let all = OPERATIONS.iter().map(|(weight, ..)| weight).sum();
    let mut drawn = dice.below(all);
    for (weight, operation, name) in OPERATIONS {
        if drawn < *weight {
            return (*operation, name);
        }
        drawn -= weight;
    }
    (Operation::Wait, "let time pass")
}

/// One operation: of a user, of a sync, or a passage of time.
pub(crate) fn operate(world: &World, dice: &mut Dice, verdict: &mut Verdict) -> Result<()> {
    let users = &world.users;
    let place = dice.below(users.systems.len());
    let sync = dice.below(world.syncs.len());
    let (operation, name) = draw(dice);
    // A step that is not drawn does nothing.
    let nothing = operation == Operation::Step && !world.character.steps;
    if !nothing {
        verdict.tally.count(Group::Operation, name);
    }
    let done = match operation {
        Operation::Edit => drive(users.edit(place)),
        Operation::Contest => drive(users.contest(sync)),
        Operation::Blank => drive(users.blank(place)),
        Operation::Tag => drive(users.tag(place)),
        Operation::Employ => drive(users.employ(place)),
        Operation::CreatePerson => drive(users.create(place, PERSON, None)),
        Operation::CreateUnnamed => drive(users.create_unnamed(place, false)),
        Operation::CreateBlank => drive(users.create_unnamed(place, true)),
        Operation::CreateCompany => drive(users.create(place, COMPANY, None)),
        Operation::CreateOnBoth => drive(users.create_on_both(sync)),
        Operation::Duplicate => drive(users.duplicate(place)),
        Operation::Share => drive(users.share(place)),
        Operation::ClearAddress => drive(users.clear_address(place)),
        Operation::Swap => drive(users.swap(place)),
        Operation::Delete => drive(users.delete(place)),
        Operation::Merge => drive(users.merge(place)),
        Operation::Recreate => drive(users.recreate()),
        Operation::Wait => {
            world.clock.advance(Duration::from_secs(dice.between(1, 100_000).unsigned_abs()));
            Some(())
        }
        Operation::Step => {
            if world.character.steps {
                world.step_clock(dice)?;
            }
            Some(())
        }
        Operation::Rule => {
            if world.settle(dice, sync)? {
                verdict.tally.count(Group::Operation, SETTLED);
            }
            Some(())
        }
        Operation::Retry => {
            if world.retry(dice, sync)? {
                verdict.tally.count(Group::Operation, RETRIED);
            }
            Some(())
        }
        Operation::Run => {
            runs::run(world, dice, sync, verdict)?;
            Some(())
        }
    };
    world.clock.advance(Duration::from_secs(dice.between(0, 600).unsigned_abs()));
    done.ok_or_else(|| anyhow!("a person waits for something that never comes"))
}
