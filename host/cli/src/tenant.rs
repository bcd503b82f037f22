//! `entente tenant`: isolated sets of everything, for a platform that works for many customers.

use super::output::{Done, Usage, table};
use super::remedy;
use super::remedy::Advised;
use super::{Context, door, key_variable};
use anyhow::Context as _;
use entente::view::TenantView;
use entente::{DEFAULT_TENANT, Host, HostOptions, RestoreOptions};
use entente_core::Foreign;
use entente_plugin::{Compiler, LimitUnit};
use entente_sync::Remedy;
use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

/// The commands below `entente tenant`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum TenantCommand {
    /// Add a tenant: empty, or from an export
    Add {
        /// Its name: letters (a to z), digits, dash, underscore
        name: String,
        /// Restore what `entente tenant export` has written
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// Leave the secrets out, because the key that they are sealed with is lost; they must be set again
        #[arg(long, requires = "from")]
        without_secrets: bool,
    },
    /// The tenants: what each has, how large it is, when it ran last
    List,
    /// Write everything of a tenant into one file; runs may go on meanwhile
    Export {
        /// The tenant
        name: String,
        /// The file, which must not be there yet
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Remove a tenant with everything of it; `default` is emptied
    Remove {
        /// The tenant
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Set limits of a tenant; they hold from the next run on
    Set {
        /// The tenant
        name: String,
        /// A limit, such as memory-bytes=256MiB, cpu-time=10s or page-rows=500; may come several times
        #[arg(long = "limit", value_name = "LIMIT=VALUE", required_unless_present = "unset")]
        limits: Vec<String>,
        /// Take a limit back to its default
        #[arg(long, value_name = "LIMIT")]
        unset: Vec<String>,
    },
    /// All limits of a tenant, and what each is for
    Limits {
        /// The tenant [default: that of --tenant]
        name: Option<String>,
        /// Show what the tenant holds now instead: its runs in all processes, and the memory, places and requests of plugins
        /// that run in this process, which is none for a command (a program that embeds the host sees its own)
        #[arg(long)]
        used: bool,
    },
}

impl Context {
    fn host(&self) -> anyhow::Result<Host> {
        // Commands go through tenants one by one.
        Ok(Host::open(
            &self.home()?,
            key_variable(),
            Compiler::this_program()?,
            HostOptions { open_tenants: 1 },
        )?)
    }
}

/// Runs the command.
pub(super) async fn run(command: TenantCommand, context: &Context) -> anyhow::Result<Done> {
    let host = context.host()?;
    match command {
        TenantCommand::Add { name, from: None, .. } => add(&host, &name, context).await?,
        TenantCommand::Add { name, from: Some(file), without_secrets } => {
            restore(&host, &name, &file, RestoreOptions { without_secrets }, context).await?;
        }
        TenantCommand::List => list(&host, context).await?,
        TenantCommand::Export { name, output } => export(&host, &name, &output, context).await?,
        TenantCommand::Remove { name, yes } => remove(&host, &name, yes, context).await?,
        TenantCommand::Set { name, limits, unset } => set(&host, &name, &limits, &unset, context).await?,
        TenantCommand::Limits { name, used: false } => {
            limits(&host, name.as_deref().unwrap_or(&context.tenant_name()), context).await?;
        }
        TenantCommand::Limits { name, used: true } => {
            used(&host, name.as_deref().unwrap_or(&context.tenant_name()), context).await?;
        }
    }
    Ok(Done::Well)
}

async fn add(host: &Host, name: &str, context: &Context) -> anyhow::Result<()> {
    host.add(name).await?;
    let added = BTreeMap::from([("tenant", name)]);
    context.output.show(&added, |_| {
        format!("added {name}; use it with --tenant {name}, or for all commands of a shell: export ENTENTE_TENANT={name}")
    })
}

async fn restore(
    host: &Host,
    name: &str,
    file: &Path,
    options: RestoreOptions,
    context: &Context,
) -> anyhow::Result<()> {
    let restored = host.restore(name, file, options).await?;
    context.output.show(&restored, |restored| {
        let was = if restored.exported_as == name {
            String::new()
        } else {
            format!(", exported as {}", Foreign::new(&restored.exported_as))
        };
        let mut text = format!(
            "added {name}{was}: {} integrations, {} secrets, {} new components",
            restored.integrations.len(),
            restored.secrets,
            restored.components
        );
        for secret in &restored.left_out {
            let (integration, secret) = secret.split_once('/').unwrap_or((secret, ""));
            let (integration, secret) = (integration.to_owned(), secret.to_owned());
            let remedy = Remedy::SetSecret { integration, secret };
            text.push_str(&format!("\nset again: {}", remedy::command_in(name, &remedy)));
        }
        text
    })
}

async fn export(host: &Host, name: &str, output: &Path, context: &Context) -> anyhow::Result<()> {
    let list = host.tenant(name).await?.export(output).await?;
    context.output.show(&list, |list| {
        let bytes: u64 = list.contents.iter().map(|content| content.bytes).sum();
        format!(
            "{}: {name} with {} integrations, {} files, {}\n{}\nget it back with: {}",
            output.display(),
            list.integrations.len(),
            list.contents.len(),
            LimitUnit::Bytes.show(bytes),
            list.note,
            remedy::command(&Remedy::AddTenantFrom {
                tenant: name.to_owned(),
                file: output.to_string_lossy().into_owned()
            })
        )
    })
}

async fn set(
    host: &Host,
    name: &str,
    limits: &[String],
    unset: &[String],
    context: &Context,
) -> anyhow::Result<()> {
    let mut set = Vec::new();
    for text in limits {
        match text.split_once('=') {
            Some((limit, value)) if !limit.trim().is_empty() => {
                set.push((limit.trim().to_owned(), value.trim().to_owned()))
            }
            _ => {
                return Err(Usage(format!(
                    "--limit: '{text}' is not of the form LIMIT=VALUE, such as memory-bytes=256MiB"
                ))
                .into());
            }
        }
    }
    let tenant = host.tenant(name).await?;
    tenant.set_limits(&set, unset).await?;
    let mut shown = tenant.list_limits().await?;
    shown.retain(|limit| limit.set);
    context.output.show(&shown, |shown| {
        if shown.is_empty() {
            return format!("all limits of {name} are the defaults");
        }
        let lines = shown.iter().map(|limit| {
            format!(
                "{}: {} (default {})",
                limit.name,
                limit.unit.show(limit.value),
                limit.unit.show(limit.default)
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    })
}

async fn limits(host: &Host, name: &str, context: &Context) -> anyhow::Result<()> {
    let tenant = host.tenant(name).await?;
    context.output.show(&tenant.list_limits().await?, |limits| {
        let mut rows = table(["limit", "value", "default", "at most", "what for"]);
        for limit in limits {
            let set = if limit.set { " (set)" } else { "" };
            rows.add_row(vec![
                limit.name.to_owned(),
                format!("{}{set}", limit.unit.show(limit.value)),
                limit.unit.show(limit.default),
                limit.unit.show(limit.most),
                limit.reason.to_owned(),
            ]);
        }
        let next = remedy::lines(&[Remedy::SetLimit { tenant: tenant.name().to_owned() }]);
        format!("{rows}{next}")
    })
}

async fn used(host: &Host, name: &str, context: &Context) -> anyhow::Result<()> {
    let tenant = host.tenant(name).await?;
    context.output.show(&tenant.list_used().await?, |used| {
        let mut rows = table(["limit", "held now", "of", "counted"]);
        for one in used {
            let held = one.held.map(|held| format!(" ({} by the host)", one.unit.show(held)));
            rows.add_row(vec![
                one.name.to_owned(),
                format!("{}{}", one.unit.show(one.used), held.unwrap_or_default()),
                one.unit.show(one.value),
                if one.all_processes { "in all processes" } else { "in this process" }.to_owned(),
            ]);
        }
        rows.to_string()
    })
}

async fn list(host: &Host, context: &Context) -> anyhow::Result<()> {
    let listed = host.list_tenants().await?;
    context.output.show(&listed, |listed| {
        let mut rows = table(["tenant", "integrations", "records", "pairs", "on disk", "last run"]);
        for one in listed {
            rows.add_row(match one {
                TenantView::Well(one) => vec![
                    one.tenant.clone(),
                    one.integrations.join("\n"),
                    one.records.to_string(),
                    one.pairs.to_string(),
                    LimitUnit::Bytes.show(one.bytes),
                    one.last_run
                        .as_ref()
                        .map(|run| format!("{} {}, {}", run.sync, run.status, run.started))
                        .unwrap_or_default(),
                ],
                TenantView::Broken { tenant, error } => {
                    vec![tenant.clone(), format!("cannot be opened: {error}")]
                }
            });
        }
        rows.to_string()
    })
}

async fn remove(host: &Host, name: &str, yes: bool, context: &Context) -> anyhow::Result<()> {
    if !yes {
        let there = host.tenant(name).await?.overview().await?;
        let what = if name == DEFAULT_TENANT { "Empty" } else { "Remove" };
        let question = format!(
            "{what} the tenant '{name}' with {} integrations, {} records, {} pairs and its whole history? This cannot be undone.",
            there.integrations.len(),
            there.records,
            there.pairs
        );
        if !asked(&question, name)? {
            anyhow::bail!("the tenant '{name}' stays");
        }
    }
    let removed = host.remove(name).await?;
    if let Some(why) = &removed.components_left {
        door::tell(&format!(
            "warning: components that may be of no more use were left, since another tenant cannot be asked what it uses: {why}"
        ));
    }
    context.output.show(&removed, |removed| {
        let what = if name == DEFAULT_TENANT { "emptied" } else { "removed" };
        match removed.components.len() {
            0 => format!("{what} {name}"),
            gone => format!("{what} {name}, and {gone} components that no other tenant uses"),
        }
    })
}

/// Has a person at a terminal type a word.
fn asked(question: &str, word: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        let text = "there is no terminal to ask at; nothing was removed";
        let advised = Advised::new(text, [Remedy::RemoveUnasked { tenant: word.to_owned() }]);
        return Err(anyhow::Error::from(Usage(text.to_owned())).context(advised));
    }
    door::ask(&format!("{question}\nType its name to go on: "))
        .context("the terminal cannot be written to")?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("the terminal cannot be read")?;
    Ok(line.trim() == word)
}
