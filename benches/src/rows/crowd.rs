//! Isolation: a healthy tenant beside others whose plugins only wait, and one whose plugins are hard to compile.

use super::{Row, thousands};
use crate::bench::Bench;
use crate::guests;
use crate::line::Line;
use crate::quantity::Quantity;
use crate::took::{Took, Watch, median};
use crate::world::{Guest, NAME};
use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use entente::Tenant;
use entente_core::{Timestamp, Value};
use entente_plugin::{
    CacheMacKey, Compiler, Limits, LoadedPlugin, PluginConfig, PluginRuntime, TenantAccount,
};
use entente_sync::{Exchange, ReportRequest, Wanted, Window};
use made_up::people::Ids;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use wasm_encoder::{
    CodeSection, Component, ComponentExportKind, ComponentExportSection, ComponentInstanceSection, Function,
    FunctionSection, Module, ModuleSection, TypeSection, ValType,
};

const RECORDS: u64 = 100_000;
const TENANTS: usize = 16;
const GUESTS: usize = 4;
const BOMBS: u32 = 6;

/// A sync and the installation of a plugin.
#[derive(Debug)]
pub(super) struct Crowd;

/// A component that takes minutes to compile. Each step depends on the ones before, so that none can be optimised
/// away; `number` makes it another one.
fn bomb(number: u32) -> Vec<u8> {
    const LOCALS: u32 = 32;
    const FUNCTIONS: u32 = 400;
    const STEPS: u32 = 10_000;
    let (mut types, mut declared, mut code) =
        (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([ValType::I64; LOCALS as usize], [ValType::I64]);
    for _ in 0..FUNCTIONS {
        declared.function(0);
        let mut body = Function::new([]);
        for step in 0..STEPS + number {
            let mut body = body.instructions();
            body.local_get(step % LOCALS).local_get((step * 7 + 3) % LOCALS);
            if step % 2 == 0 { body.i64_add() } else { body.i64_rotl() }.local_set((step * 5 + 1) % LOCALS);
        }
        body.instructions().local_get(0).end();
        code.function(&body);
    }
    let mut module = Module::new();
    module.section(&types).section(&declared).section(&code);
    let mut instances = ComponentInstanceSection::new();
    instances.export_items(std::iter::empty::<(&str, ComponentExportKind, u32)>());
    let mut exports = ComponentExportSection::new();
    for name in ["mapping-manual", "sync-report", "order-execution"] {
        let name = format!("entente:integration/{name}@0.1.0-draft.2");
        exports.export(name.as_str(), ComponentExportKind::Instance, 0, None);
    }
    let mut component = Component::new();
    component.section(&ModuleSection(&module)).section(&instances).section(&exports);
    component.finish()
}

/// A call that waits for a clock until its time is over, and is made again.
async fn waits(plugin: LoadedPlugin, account: Arc<TenantAccount>) {
    let config = PluginConfig {
        settings: [("attack".to_owned(), Value::text("sleep"))].into(),
        account,
        ..PluginConfig::default()
    };
    let exchange = plugin.exchange(config);
    let request = ReportRequest {
        cursor: None,
        iteration: 0,
        objects: vec![Wanted {
            object: "thing".to_owned(),
            fields: vec!["name".to_owned()],
            ids: Vec::new(),
            window: Window { since: None, until: Timestamp::from_micros(1) },
            bookmark: None,
            full: false,
        }],
        first_time: false,
        limit: 1000,
        options: Vec::new(),
        sync: "waits".to_owned(),
    };
    loop {
        // How it ends is of no interest here.
        drop(exchange.report(&request).await);
        tokio::task::yield_now().await;
    }
}

/// This program, which is the compiler too.
fn compiler() -> Result<Compiler> {
    Compiler::this_program().context("the path of this program is not known")
}

/// The tenants that wait, and the one with bombs, until this is dropped.
async fn crowd(hostile: &LoadedPlugin, runtime: &PluginRuntime, folder: &Path) -> Result<JoinSet<()>> {
    let mut tenants = JoinSet::new();
    for number in 0..TENANTS {
        let account = Arc::new(TenantAccount::new(&format!("waits-{number}"), &Limits::default()));
        for _ in 0..GUESTS {
            tenants.spawn(waits(hostile.clone(), Arc::clone(&account)));
        }
    }
    for _ in 0..1000 {
        if runtime.used().slots >= TENANTS * GUESTS {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ensure!(runtime.used().slots >= TENANTS * GUESTS, "they do not wait");
    let key = CacheMacKey::new([7; 32]);
    let bombs = PluginRuntime::new(&folder.join("bombs"), key, Limits::default(), compiler()?)?
        .on_account(Arc::new(TenantAccount::new("bombs", &Limits::default())));
    for number in 0..BOMBS {
        let bombs = bombs.clone();
        tenants.spawn(async move { drop(bombs.load(bomb(number)).await) });
    }
    // The first of them is inspected and handed to a compiler meanwhile.
    tokio::time::sleep(Duration::from_secs(3)).await;
    Ok(tenants)
}

/// A plugin installed in a home of its own, where nothing is compiled yet.
async fn installed(component: &[u8], parent: &Path) -> Result<Took> {
    let folder = tempfile::tempdir_in(parent)?;
    let tenant = Tenant::open(folder.path(), None, compiler()?)?;
    let watch = Watch::start();
    tenant.install_plugin(NAME, component).await?;
    Ok(watch.took())
}

#[async_trait(?Send)]
impl Row for Crowd {
    fn name(&self) -> &'static str {
        "crowd"
    }

    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>> {
        let hostile = guests::hostile()?;
        let component = std::fs::read(guests::hello_world()?)?;
        let mut syncs: [Vec<Took>; 2] = Default::default();
        let mut installs: [Vec<Took>; 2] = Default::default();
        // In turn, so that a slow minute of the machine falls on all.
        for _ in 0..3 {
            let folder = bench.folder.path().to_owned();
            installs[0].push(installed(&component, &folder).await?);
            syncs[0].push(bench.world(RECORDS, Ids::Sequential).await?.first_sync(Guest::Component).await?);
            let world = bench.world(RECORDS, Ids::Sequential).await?;
            let runtime = world.tenant().plugins().await?;
            let hostile = runtime.load_file(&hostile).await?;
            let bombs = tempfile::tempdir_in(&folder)?;
            let mut tenants = crowd(&hostile, &runtime, bombs.path()).await?;
            installs[1].push(installed(&component, &folder).await?);
            syncs[1].push(world.first_sync(Guest::Component).await?);
            tenants.shutdown().await;
        }
        let crowd = format!(
            "{TENANTS} tenants with {GUESTS} plugins each that wait, and one with {BOMBS} that are hard to compile"
        );
        let line = |what: String, [alone, beside]: [Vec<Took>; 2]| {
            let (alone, beside) = (median(alone), median(beside));
            Line::took(format!("{what} beside {crowd}"), beside)
                .beside("the same alone", Quantity::Seconds(alone.wall))
        };
        Ok(vec![
            line(format!("first sync of {}", thousands(RECORDS)), syncs).at_most(2.0),
            line("HelloWorld installed, compiled in a process of its own,".to_owned(), installs).at_most(3.0),
        ])
    }
}
