//! Fixed work for instruction counts, which do not depend on the load of the machine. The script
//! `instructions` runs it.

use crate::bench::{Bench, Options};
use crate::count;
use crate::guests;
use crate::page::{PageCall, runtime};
use crate::world::Guest;
use anyhow::Result;
use entente_core::{FieldRules, FieldTerms, Kind, Sides, Timestamp, Value};
use made_up::people::Ids;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// Verdicts of the judge.
    Judge,
    /// Fields of a record settled as a reconcile does.
    Reconcile,
    /// Pages of 1,000 rows out of a component and into it.
    Page,
    /// Records taken in by a first sync, the plugin native.
    Sync,
    /// Lines read and taken apart as `entente judge` reads them.
    Lines,
}

impl Workload {
    /// Does it so many times.
    ///
    /// # Errors
    /// Where it cannot be done.
    pub fn run(self, times: u32) -> Result<()> {
        match self {
            Self::Judge => {
                let all = count::contents_of_judging();
                for _ in 0..times {
                    std::hint::black_box(count::verdicts(&all));
                }
            }
            Self::Reconcile => reconcile(times),
            Self::Page => {
                let folder = tempfile::tempdir()?;
                let call = PageCall::new(Guest::Component, &guests::made_up()?, folder.path())?;
                for _ in 0..times {
                    call.report()?;
                    call.execute()?;
                }
            }
            Self::Sync => {
                let mut bench = Bench::new(Options::default())?;
                runtime()?.block_on(async {
                    let world = bench.world(u64::from(times), Ids::Sequential).await?;
                    world.first_sync(Guest::Native).await
                })?;
            }
            Self::Lines => crate::rows::read_lines(std::io::stdin().lock())?,
        }
        Ok(())
    }
}

fn reconcile(times: u32) {
    let kinds = Sides::by(|_| Kind::Text);
    let terms = Sides::by(|_| FieldTerms::default());
    let rules = FieldRules {
        kinds: &kinds,
        terms: &terms,
        direction: Default::default(),
        required: Sides::new(false, false),
        writable: Sides::new(true, true),
        set_like: false,
        trust: None,
        unresolved: Default::default(),
        blanks: Default::default(),
        write: Default::default(),
        drift: Default::default(),
        values: &[],
        one_blank: false,
        precision: 1,
    };
    let values =
        ["Ada", "Lovelace", "ada@example.org", "+49 30 1234567", "London", "England", "Countess", ""]
            .map(Value::text);
    let changed = Value::text("Mathematician");
    for _ in 0..times {
        count::settle_record(&rules, &values, &changed, Timestamp::from_micros(0));
    }
}
