//! Doctor: whether everything that a tenant needs is there and works.

use super::reason::{Names, called};
use crate::tenant::Tenant;
use entente_plugin::{CompilerSandbox, LoadError};
use entente_sync::{Notice, Remedy};
use serde::Serialize;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckView {
    /// What: `database`, `integration HelloWorld`, …
    pub what: String,
    /// Whether nothing is wrong with it.
    pub well: bool,
    /// How it stands, or what is wrong.
    pub finding: String,
    /// What can be done about that, the best first.
    pub remedies: Vec<Remedy>,
}

/// Something that is wrong, with what can be done about it.
type Wrong = (String, Vec<Remedy>);

impl CheckView {
    /// Something that was looked at, and what was found.
    pub fn new(what: impl Into<String>, found: Result<String, Wrong>) -> Self {
        let (well, (finding, remedies)) = match found {
            Ok(finding) => (true, (finding, Vec::new())),
            Err(wrong) => (false, wrong),
        };
        Self { what: what.into(), well, finding, remedies }
    }
}

/// How plugins are compiled, and what the compiler is shut off from.
fn compiling(sandbox: Result<Option<CompilerSandbox>, LoadError>) -> String {
    match sandbox {
        Ok(Some(sandbox)) => format!("plugins can be compiled, in a process of its own, {sandbox}"),
        Ok(None) => "plugins can be compiled, in this process".to_owned(),
        Err(error) => {
            format!(
                "plugins can be compiled, in a process of its own; what that can do is not known: {error}"
            )
        }
    }
}

/// An error without remedies of its own.
fn plain(error: impl std::fmt::Display) -> Wrong {
    (error.to_string(), Vec::new())
}

impl Tenant {
    /// Looks at the database, the key for secrets, the sandbox and every integration that is enabled. Nothing is
    /// changed. `offline`: no remote system is asked; `key`: the value of `ENTENTE_KEY`.
    pub async fn examine(&self, offline: bool, key: Option<&str>) -> Vec<CheckView> {
        let mut checks = vec![
            CheckView::new("database", self.check_database().await.map_err(plain)),
            CheckView::new("key for secrets", self.examine_key(key).await),
        ];
        match self.plugins().await {
            Ok(plugins) => {
                let sandbox = plugins.compiler_sandbox().await;
                checks.push(CheckView::new("sandbox", Ok("plugins can run".to_owned())));
                let compiled = plugins.try_compiler().await;
                checks
                    .push(CheckView::new("compiling", compiled.map_err(plain).map(|()| compiling(sandbox))));
            }
            Err(error) => checks.push(CheckView::new("sandbox", Err(plain(error)))),
        }
        match self.configuration().integrations().await {
            Ok(integrations) => {
                for integration in integrations.iter().filter(|integration| integration.enabled) {
                    let found = self.examine_integration(&integration.name, offline).await;
                    checks.push(CheckView::new(format!("integration {}", integration.name), found));
                }
            }
            Err(error) => {
                checks.push(CheckView::new("configuration", Err((error.to_string(), error.remedies()))))
            }
        }
        checks.extend(self.examine_clocks().await);
        checks
    }

    /// Clocks that are ahead, as the runs of the last day found: one finding for each exchange.
    async fn examine_clocks(&self) -> Vec<CheckView> {
        /// How many runs are looked through.
        const RUNS: usize = 50;
        const DAY: i64 = 24 * 3_600_000_000;
        let mut checks: Vec<CheckView> = Vec::new();
        let (runs, syncs) = (self.ledger().runs(None, None, RUNS).await, self.configuration().syncs().await);
        let since = self.clock().now().earlier_by(DAY);
        for run in runs.unwrap_or_default().iter().filter(|run| run.started >= since) {
            let stored = syncs.iter().flatten().find(|sync| sync.name == run.sync);
            let Some(exchanges) = stored.map(|sync| &sync.exchanges) else { continue };
            for notice in &run.notices {
                let Notice::ClockAhead { side, .. } = notice else { continue };
                let what = format!("clock of {}", called(&exchanges[*side]));
                if !checks.iter().any(|check| check.what == what) {
                    let found = format!("run {}: {}", run.id, Names(exchanges).notice(notice));
                    checks.push(CheckView::new(what, Err(plain(found))));
                }
            }
        }
        checks
    }

    async fn examine_key(&self, variable: Option<&str>) -> Result<String, Wrong> {
        match self.key(variable).map_err(plain)? {
            Some(key) => Ok(format!("from {}", key.origin())),
            None if self.has_secrets().await => Err(plain(
                "the key that secrets are sealed with is gone; put secret.key back into the home folder or set ENTENTE_KEY, or set each secret again",
            )),
            None => Ok("none yet; it is made with the first secret".to_owned()),
        }
    }

    async fn examine_integration(&self, name: &str, offline: bool) -> Result<String, Wrong> {
        let health = self.configuration().health(name).await;
        health
            .and_then(|health| health.check(name, self.clock().now()))
            .map_err(|error| (error.to_string(), error.remedies()))?;
        let exchange = self.exchange(name).await.map_err(|error| (error.to_string(), error.remedies()))?;
        if offline {
            return Ok("its plugin loads".to_owned());
        }
        let description =
            exchange.describe().await.map_err(|error| (error.to_string(), error.remedies.clone()))?;
        let objects: Vec<&str> = description.objects.iter().map(|object| object.name.as_str()).collect();
        Ok(format!("answers, and has {}", objects.join(", ")))
    }

    /// Whether any integration has a secret stored.
    async fn has_secrets(&self) -> bool {
        for integration in self.configuration().integrations().await.unwrap_or_default() {
            let secrets = self.configuration().secrets(&integration.name).await;
            if secrets.is_ok_and(|secrets| !secrets.is_empty()) {
                return true;
            }
        }
        false
    }
}
