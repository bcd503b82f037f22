//! Plugin start-up: instantiation, a first call with cached code, and compilation.

use super::Row;
use crate::bench::Bench;
use crate::guests;
use crate::line::Line;
use crate::quantity::Quantity;
use crate::took::{Took, Watch, median};
use anyhow::Result;
use async_trait::async_trait;
use entente_core::Value;
use entente_plugin::{CacheMacKey, Compiler, Limits, LoadedPlugin, PluginConfig, PluginRuntime};
use entente_sync::Exchange;
use std::path::Path;

/// Instantiate, first call, compile; all of HelloWorld.
#[derive(Debug)]
pub(super) struct PluginStart;

fn config() -> PluginConfig {
    let url = Value::text("https://crm.example.com");
    PluginConfig {
        integration: "speed".to_owned(),
        settings: [("url".to_owned(), url)].into(),
        ..PluginConfig::default()
    }
}

/// Loads the plugin into a new runtime and calls it once.
async fn first_call(cache: &Path, component: &Path) -> Result<(Took, LoadedPlugin)> {
    let watch = Watch::start();
    let runtime =
        PluginRuntime::new(cache, CacheMacKey::new([7; 32]), Limits::default(), Compiler::InThisProcess)?;
    let plugin = runtime.load_file(component).await?;
    plugin.exchange(config()).manual().await?;
    Ok((watch.took(), plugin))
}

#[async_trait(?Send)]
impl Row for PluginStart {
    fn name(&self) -> &'static str {
        "plugin-start"
    }

    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>> {
        let component = guests::hello_world()?;
        let mut compiled = Vec::new();
        let mut cached = Vec::new();
        let mut loaded = None;
        for _ in 0..3 {
            let cache = tempfile::tempdir_in(bench.folder.path())?;
            compiled.push(first_call(cache.path(), &component).await?.0);
            for _ in 0..7 {
                let (took, plugin) = first_call(cache.path(), &component).await?;
                cached.push(took);
                loaded = Some(plugin);
            }
        }
        let mut lines = Vec::new();
        if let Some(plugin) = loaded {
            let (mut first, mut again) = (Vec::new(), Vec::new());
            for _ in 0..301 {
                let exchange = plugin.exchange(config());
                let watch = Watch::start();
                exchange.manual().await?;
                first.push(watch.took());
                let watch = Watch::start();
                exchange.manual().await?;
                again.push(watch.took());
            }
            let (first, again) = (median(first), median(again));
            let line = Line::new("instantiate", Quantity::Seconds((first.wall - again.wall).max(0.0)));
            let note = format!(
                "a first call {}, less a later one {}",
                Quantity::Seconds(first.wall),
                Quantity::Seconds(again.wall)
            );
            lines.push(line.under(Quantity::Seconds(20e-6)).note(note));
        }
        let line = Line::took("first call of HelloWorld from a cold cache on disk", median(cached));
        lines.push(line.under(Quantity::Seconds(5e-3)).note("with the runtime and the linker made anew"));
        lines.push(Line::took("compile HelloWorld and call it", median(compiled)));
        Ok(lines)
    }
}
