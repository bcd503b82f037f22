//! `entente integration`: configured plugins, their settings, secrets and grants.

use super::Context;
use super::integration_grant::{self, GrantArgs, widen, widen_to_all};
use super::output::{Done, Usage, table};
use super::remedy;
use anyhow::Context as _;
use entente::view::IntegrationView;
use entente::{Grants, Integration, SecretInfo, SecretText, Tenant, TenantError};
use entente_core::Value;
use entente_sync::{Message, Remedy};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};

/// The commands below `entente integration`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum IntegrationCommand {
    /// Add an integration, and the sync that its plugin proposes
    Add {
        /// The name of the integration and of its sync
        name: String,
        /// The installed plugin, by name or digest [default: the name in lower case]
        #[arg(long)]
        plugin: Option<String>,
        #[command(flatten)]
        given: Given,
        /// Allow requests to a host, such as https://api.example.com or https://*.example.com; the secrets
        /// given may be sent there
        #[arg(long, value_name = "URL")]
        http: Vec<String>,
        /// Allow everything that the plugin asks for; `plugin inspect` shows it
        #[arg(long)]
        grant_all: bool,
        /// Make no sync
        #[arg(long)]
        no_sync: bool,
    },
    /// Change settings and secrets
    Set {
        /// The integration
        name: String,
        #[command(flatten)]
        given: Given,
        /// Remove a setting
        #[arg(long, value_name = "NAME")]
        unset: Vec<String>,
        /// Remove a secret
        #[arg(long, value_name = "NAME")]
        unset_secret: Vec<String>,
        /// Let it run
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        /// Do not let it run
        #[arg(long)]
        disable: bool,
    },
    /// Say what it may reach; without options, show it beside what its plugin asks for
    Grant(GrantArgs),
    /// Give it the version of its plugin that was installed last, or another plugin; settings stay, and so do
    /// grants
    ///
    /// A version that asks for more is shown with the difference and waits for --agree.
    Upgrade {
        /// The integration
        name: String,
        /// The plugin, by name or digest [default: the one that it has]
        #[arg(long)]
        plugin: Option<String>,
        /// Grant what the new version asks for in addition
        #[arg(long)]
        agree: bool,
    },
    /// Give it back the version of its plugin that it had before, with the grants of that time
    Rollback {
        /// The integration
        name: String,
    },
    /// Let it run again after its plugin has crashed repeatedly
    Resume {
        /// The integration
        name: String,
    },
    /// Remove it with its settings, grants and secrets; what was synced stays
    Remove {
        /// The integration
        name: String,
        /// Also remove the syncs that join it
        #[arg(long)]
        with_syncs: bool,
    },
    /// Integrations with their settings and grants; of secrets only the names
    List,
}

/// Settings and secrets.
#[derive(Debug, clap::Args)]
pub(super) struct Given {
    /// A setting, such as url=https://crm.example.com; may come several times
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// A secret, read from standard input: a line for each, in the order of the options
    #[arg(long = "secret", value_name = "NAME")]
    secrets: Vec<String>,
    /// A secret from a variable of the environment
    #[arg(long = "secret-env", value_name = "NAME=VARIABLE")]
    secrets_env: Vec<String>,
}

/// `name=value`.
fn assignment<'t>(option: &str, text: &'t str) -> Result<(&'t str, &'t str), Usage> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim(), value)),
        _ => Err(Usage(format!("--{option}: '{text}' is not of the form NAME=VALUE"))),
    }
}

/// A setting as people type it: true, false, whole numbers, and everything else as text.
fn setting(text: &str) -> Value {
    match text {
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        _ => match text.parse::<i64>() {
            // 007 is a text that a number would change.
            Ok(number) if number.to_string() == text => Value::Integer(number),
            _ => Value::text(text),
        },
    }
}

impl Given {
    fn settings(&self) -> Result<BTreeMap<String, Value>, Usage> {
        self.settings
            .iter()
            .map(|text| assignment("set", text).map(|(name, value)| (name.to_owned(), setting(value))))
            .collect()
    }

    /// Secrets never come as arguments, which every process of the machine can read.
    fn secrets(&self) -> anyhow::Result<BTreeMap<String, SecretText>> {
        let mut secrets = BTreeMap::new();
        for text in &self.secrets_env {
            let (name, variable) = assignment("secret-env", text)?;
            let value = std::env::var(variable)
                .with_context(|| format!("the variable {variable} for the secret '{name}' is not set"))?;
            secrets.insert(name.to_owned(), SecretText::new(value));
        }
        let mut input = std::io::stdin().lock();
        for name in &self.secrets {
            if name.contains('=') {
                // Either side of it may be the secret itself: nothing is repeated.
                let said = "--secret takes the name only and reads the value from standard input; or use --secret-env NAME=VARIABLE. Every \
                            process of this machine can read arguments: what was given here had better be replaced";
                return Err(Usage(said.to_owned()).into());
            }
            if std::io::stdin().is_terminal() {
                eprint!("{name}: ");
            }
            let mut line = String::new();
            input.read_line(&mut line).context("standard input cannot be read")?;
            let value = line.trim_end_matches(['\r', '\n']);
            if value.is_empty() {
                anyhow::bail!(
                    "no value for the secret '{name}' came from standard input; give a line for each --secret"
                );
            }
            secrets.insert(name.clone(), SecretText::new(value));
        }
        Ok(secrets)
    }
}

/// Warnings go to standard error, where they do not get into data.
pub(super) fn warn<T: Into<Message>>(warnings: Vec<T>) {
    for warning in warnings {
        eprintln!("warning: {}", remedy::message(&warning.into()));
    }
}

/// Secrets that are granted and that nobody has set.
pub(super) fn missing_secrets<'a>(
    integration: &str,
    granted: impl Iterator<Item = &'a String>,
    stored: &[SecretInfo],
) -> Vec<Message> {
    granted
        .filter(|name| !stored.iter().any(|secret| secret.name == **name))
        .map(|name| {
            let remedy = Remedy::SetSecret { integration: integration.to_owned(), secret: name.clone() };
            Message::new(format!("there is no secret '{name}' yet"), [remedy])
        })
        .collect()
}

/// Settings that the plugin does not read, of those just given.
async fn unknown_settings<'a>(
    tenant: &Tenant,
    integration: &Integration,
    names: impl Iterator<Item = &'a String>,
) -> Vec<String> {
    let names: Vec<&String> = names.collect();
    tenant
        .unknown_settings(integration)
        .await
        .into_iter()
        .filter(|(name, _)| names.contains(&name))
        .map(|(_, text)| text)
        .collect()
}

/// What went wrong while an integration was added. What can be done for one that is there is done here by
/// giving the command again with more options.
fn not_added(name: &str, unknown: &[String], error: TenantError) -> anyhow::Error {
    let remedies = error.remedies();
    let options: Vec<String> = remedies.iter().filter_map(remedy::option_of_add).collect();
    if options.is_empty() {
        return error.into();
    }
    let unknown: String = unknown.iter().map(|text| format!("\n{text}")).collect();
    let again: String = options
        .iter()
        .map(|option| format!("\nnext: give it again with more: {}", remedy::again(option)))
        .collect();
    anyhow::anyhow!(
        "{error}{unknown}\n{name} was not added (--http URL grants a host, and it the secrets that are given; --grant-all grants all that the \
         plugin asks for){again}"
    )
}

/// Runs the command.
pub(super) async fn run(command: IntegrationCommand, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    let configuration = tenant.configuration();
    match command {
        IntegrationCommand::Add { name, plugin, given, http, grant_all, no_sync } => {
            let plugin = plugin.unwrap_or_else(|| name.to_lowercase());
            let (settings, secrets) = (given.settings()?, given.secrets()?);
            let mut grants = Grants::default();
            let manifest = tenant.manifest(&configuration.plugin(&plugin).await?.digest).await?;
            widen(&mut grants, &manifest, &http, &[])?;
            if !http.is_empty() {
                let names: Vec<String> = secrets.keys().cloned().collect();
                widen(&mut grants, &manifest, &[], &names)?;
            }
            let mut draft =
                configuration.draft_integration(&name, &plugin, settings, grants, secrets).await?;
            if grant_all {
                let mut grants = draft.integration.grants.clone();
                warn(widen_to_all(&mut grants, &manifest, &draft.integration));
                draft.integration.grants = grants;
            }
            let unknown =
                unknown_settings(&tenant, &draft.integration, draft.integration.settings.keys()).await;
            let added = tenant.add_integration(&draft, !no_sync).await;
            let (added, mut notices) = added.map_err(|error| not_added(&name, &unknown, error))?;
            notices.extend(unknown);
            #[derive(Serialize)]
            struct Result<'a> {
                integration: &'a Integration,
                sync: Option<&'a entente_sync::SyncDefinition>,
                notices: &'a [String],
            }
            let result =
                Result { integration: &added.integration, sync: added.sync.as_ref(), notices: &notices };
            context.output.show(&result, |result| {
                let mut text = format!("added the integration {name}");
                if let Some(sync) = result.sync {
                    for mapping in &sync.mappings {
                        text.push_str(&format!(
                            "\n  {} ↔ {}, {} fields",
                            mapping.objects.left,
                            mapping.objects.right,
                            mapping.fields.len()
                        ));
                    }
                    text.push_str(&remedy::lines(&[Remedy::PlanSync { sync: name.clone() }]));
                }
                for notice in result.notices {
                    text.push_str(&format!("\nnote: {notice}"));
                }
                text
            })?;
        }
        IntegrationCommand::Set { name, given, unset, unset_secret, enable, disable } => {
            let settings = given.settings()?;
            let names: Vec<String> = settings.keys().cloned().collect();
            configuration.integration(&name).await?;
            for (secret, text) in given.secrets()? {
                configuration.set_secret(&name, &secret, &text).await?;
            }
            for secret in &unset_secret {
                configuration.unset_secret(&name, secret).await?;
            }
            let changed = configuration
                .change_integration(&name, |integration| {
                    integration.settings.extend(settings);
                    integration.settings.retain(|name, _| !unset.contains(name));
                    integration.enabled = (integration.enabled || enable) && !disable;
                })
                .await?;
            context.output.show(&changed, |changed| format!("the integration {} is set", changed.name))?;
            warn(unknown_settings(&tenant, &changed, names.iter()).await);
            let secrets = configuration.secrets(&name).await?;
            let lost = unset_secret.iter().filter(|secret| changed.grants.secrets.contains_key(*secret));
            warn(missing_secrets(&name, lost, &secrets));
        }
        IntegrationCommand::Grant(args) => return integration_grant::grant(args, context).await,
        IntegrationCommand::Upgrade { name, plugin, agree } => {
            return integration_grant::upgrade(&name, plugin.as_deref(), agree, context).await;
        }
        IntegrationCommand::Rollback { name } => return integration_grant::roll_back(&name, context).await,
        IntegrationCommand::Resume { name } => return integration_grant::resume(&name, context).await,
        IntegrationCommand::Remove { name, with_syncs } => {
            let syncs = configuration.remove_integration(&name, with_syncs).await?;
            #[derive(Serialize)]
            struct Removed<'a> {
                integration: &'a str,
                syncs: Vec<String>,
            }
            context.output.show(&Removed { integration: &name, syncs }, |removed| {
                let syncs: String =
                    removed.syncs.iter().map(|sync| format!("\nremoved the sync {sync}")).collect();
                format!("removed the integration {name}{syncs}")
            })?;
        }
        IntegrationCommand::List => {
            let shown = tenant.list_integrations().await?;
            context.output.show(&shown, |shown| {
                if shown.is_empty() {
                    return format!(
                        "no integration{}",
                        remedy::lines(&[Remedy::AddIntegration { plugin: None }])
                    );
                }
                let mut rows = table(["name", "plugin", "settings", "may reach", "secrets", ""]);
                for IntegrationView { integration, secrets, health } in shown {
                    let settings: Vec<String> =
                        integration.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    rows.add_row(vec![
                        integration.name.clone(),
                        format!(
                            "{} ({}…)",
                            integration.plugin,
                            integration.digest.chars().take(8).collect::<String>()
                        ),
                        settings.join("\n"),
                        integration.grants.http.join("\n"),
                        secrets.join("\n"),
                        match (integration.enabled, health.quarantined, health.paused_until) {
                            (false, _, _) => "disabled".to_owned(),
                            (true, Some(_), _) => "quarantined".to_owned(),
                            (true, None, Some(until)) => format!("pauses until {until}"),
                            (true, None, None) => String::new(),
                        },
                    ]);
                }
                rows.to_string()
            })?;
        }
    }
    Ok(Done::Well)
}
