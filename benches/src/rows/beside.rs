//! Isolation: a healthy tenant's sync beside hostile tenants, and alone.

use super::{Row, thousands};
use crate::bench::Bench;
use crate::guests;
use crate::line::Line;
use crate::quantity::Quantity;
use crate::took::{Took, median};
use crate::world::Guest;
use anyhow::Result;
use async_trait::async_trait;
use entente_core::{Timestamp, Value};
use entente_plugin::{Limits, LoadedPlugin, PluginConfig, TenantAccount};
use entente_sync::{Exchange, ReportRequest, Wanted, Window};
use made_up::people::Ids;
use std::sync::Arc;
use tokio::task::JoinSet;

const RECORDS: u64 = 100_000;

/// Attacks that compute, take memory, crash, answer too much and flood; those over the network need a server.
const ATTACKS: [&str; 16] = [
    "loop",
    "memory",
    "trap",
    "recursion",
    "huge-error",
    "log-flood",
    "handles",
    "sleep",
    "print",
    "state-quota",
    "leave-marks",
    "huge-page",
    "huge-row",
    "huge-values",
    "bad-rows",
    "http",
];

/// The first sync.
#[derive(Debug)]
pub(super) struct Beside;

/// All attacks, again and again, until the set is dropped: those of one tenant, or each as a tenant of its
/// own.
fn hostile_tenants(plugin: &LoadedPlugin, one: bool) -> JoinSet<()> {
    let mut tenants = JoinSet::new();
    let shared = Arc::new(TenantAccount::new("hostile", &Limits::default()));
    for attack in ATTACKS {
        let config = PluginConfig {
            integration: attack.to_owned(),
            settings: [("attack", attack), ("url", "https://not-granted.example.com")]
                .map(|(name, value)| (name.to_owned(), Value::text(value)))
                .into(),
            account: if one {
                Arc::clone(&shared)
            } else {
                Arc::new(TenantAccount::new(attack, &Limits::default()))
            },
            ..PluginConfig::default()
        };
        let exchange = plugin.exchange(config);
        tenants.spawn(async move {
            let request = ReportRequest {
                cursor: None,
                iteration: 0,
                objects: vec![Wanted {
                    object: "thing".to_owned(),
                    fields: vec!["name".to_owned(), "score".to_owned()],
                    ids: Vec::new(),
                    window: Window { since: None, until: Timestamp::from_micros(1) },
                    bookmark: None,
                    full: false,
                }],
                first_time: false,
                limit: 1000,
                options: Vec::new(),
                sync: attack.to_owned(),
            };
            loop {
                // How it ends is of no interest here.
                drop(exchange.report(&request).await);
                tokio::task::yield_now().await;
            }
        });
    }
    tenants
}

#[async_trait(?Send)]
impl Row for Beside {
    fn name(&self) -> &'static str {
        "beside"
    }

    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>> {
        let component = guests::hostile()?;
        let (mut alone, mut one, mut many): (Vec<Took>, Vec<Took>, Vec<Took>) = Default::default();
        // In turn, so that a slow minute of the machine falls on all.
        for _ in 0..3 {
            alone.push(bench.world(RECORDS, Ids::Sequential).await?.first_sync(Guest::Component).await?);
            for (beside, is_one) in [(&mut one, true), (&mut many, false)] {
                let world = bench.world(RECORDS, Ids::Sequential).await?;
                let hostile = world.tenant().plugins().await?.load_file(&component).await?;
                let mut tenants = hostile_tenants(&hostile, is_one);
                beside.push(world.first_sync(Guest::Component).await?);
                tenants.shutdown().await;
            }
        }
        let (alone, one, many) = (median(alone), median(one), median(many));
        let line = |beside: Took, tenants: String| {
            let what = format!("first sync of {} beside {tenants}", thousands(RECORDS));
            let note =
                format!("processor {:.2} s, all tenants together, beside {:.2} s", beside.cpu, alone.cpu);
            Line::took(what, beside).beside("the same alone", Quantity::Seconds(alone.wall)).note(note)
        };
        let attacks = ATTACKS.len();
        Ok(vec![
            line(one, format!("{attacks} plugins of one tenant that attack without a pause")).at_most(2.0),
            line(many, format!("{attacks} tenants that attack without a pause")).at_most(2.0),
        ])
    }
}
