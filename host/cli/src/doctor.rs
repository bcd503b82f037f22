//! `entente doctor`: whether everything that is needed is there and works.

use super::Context;
use super::output::{Done, table};
use entente::Tenant;
use serde::Serialize;

/// Options of `entente doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    /// Do not ask the remote systems
    #[arg(long)]
    offline: bool,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    what: String,
    well: bool,
    finding: String,
}

fn check(what: impl Into<String>, result: Result<String, String>) -> Check {
    let (well, finding) = match result {
        Ok(finding) => (true, finding),
        Err(finding) => (false, finding),
    };
    Check { what: what.into(), well, finding }
}

/// Runs the command.
pub(super) async fn run(args: DoctorArgs, context: &Context) -> anyhow::Result<Done> {
    let mut checks = Vec::new();
    let home = context.home();
    checks.push(check(
        "home folder",
        home.as_ref().map(|home| home.display().to_string()).map_err(ToString::to_string),
    ));
    match context.tenant() {
        Ok(tenant) => look_at(&tenant, args.offline, &mut checks).await,
        Err(error) => checks.push(check("database", Err(error.to_string()))),
    }
    checks.push(check("compiler for plugins", Ok(compiler())));
    let well = checks.iter().all(|check| check.well);
    context.output.show(&checks, |checks| {
        let mut rows = table(["", "what", "finding"]);
        for check in checks {
            rows.add_row(vec![
                if check.well { "ok" } else { "wrong" }.to_owned(),
                check.what.clone(),
                check.finding.clone(),
            ]);
        }
        rows.to_string()
    })?;
    if !well {
        anyhow::bail!("something needs a look; the lines marked «wrong» say what");
    }
    Ok(Done::Well)
}

async fn look_at(tenant: &Tenant, offline: bool, checks: &mut Vec<Check>) {
    checks.push(check("database", tenant.check_database().await.map_err(|error| error.to_string())));
    let variable = std::env::var("ENTENTE_KEY").ok();
    let key = match tenant.key(variable.as_deref()) {
        Ok(Some(key)) => Ok(format!("from {}", key.origin())),
        Ok(None) if has_secrets(tenant).await => {
            Err("the key that secrets are sealed with is gone; put secret.key back into the home folder or set ENTENTE_KEY, or set each secret again".to_owned())
        }
        Ok(None) => Ok("none yet; it is made with the first secret".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    checks.push(check("key for secrets", key));
    match tenant.plugins().await {
        Ok(plugins) => {
            checks.push(check("sandbox", Ok("plugins can run".to_owned())));
            let compiled = plugins.try_compiler().await;
            let compiled = compiled.map(|()| "plugins can be compiled, in a process of its own".to_owned());
            checks.push(check("compiling", compiled.map_err(|error| error.to_string())));
        }
        Err(error) => checks.push(check("sandbox", Err(error.to_string()))),
    }
    let integrations = match tenant.configuration().integrations().await {
        Ok(integrations) => integrations,
        Err(error) => {
            checks.push(check("configuration", Err(error.to_string())));
            return;
        }
    };
    for integration in integrations.iter().filter(|integration| integration.enabled) {
        let what = format!("integration {}", integration.name);
        let health = tenant.configuration().health(&integration.name).await;
        if let Err(held_back) =
            health.and_then(|health| health.check(&integration.name, tenant.clock().now()))
        {
            checks.push(check(what, Err(held_back.to_string())));
            continue;
        }
        let result = match tenant.exchange(&integration.name).await {
            Err(error) => Err(error.to_string()),
            Ok(_) if offline => Ok("its plugin loads".to_owned()),
            Ok(exchange) => match exchange.describe().await {
                Ok(description) => {
                    let objects: Vec<&str> =
                        description.objects.iter().map(|object| object.name.as_str()).collect();
                    Ok(format!("answers, and has {}", objects.join(", ")))
                }
                Err(error) => Err(error.to_string()),
            },
        };
        checks.push(check(what, result));
    }
}

/// Whether any integration has a secret stored.
async fn has_secrets(tenant: &Tenant) -> bool {
    for integration in tenant.configuration().integrations().await.unwrap_or_default() {
        if tenant.configuration().secrets(&integration.name).await.is_ok_and(|secrets| !secrets.is_empty()) {
            return true;
        }
    }
    false
}

/// How a plugin would be compiled; that there is no way matters to authors only.
fn compiler() -> String {
    let output = std::process::Command::new("rustc").args(["--print", "sysroot"]).output();
    let sysroot = output
        .ok()
        .filter(|output| output.status.success())
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    match sysroot {
        Some(sysroot)
            if std::path::Path::new(&sysroot).join("lib/rustlib").join(crate::toolchain::TARGET).is_dir() =>
        {
            format!("rustc with {}", crate::toolchain::TARGET)
        }
        Some(_) => format!(
            "rustc without {}; building a plugin adds it, or sets up another compiler",
            crate::toolchain::TARGET
        ),
        None => "no rustc; only needed to build plugins".to_owned(),
    }
}
