//! `entente integration`: configured plugins, their settings, secrets and grants.

use super::integration_calls::{self, CallsArgs};
use super::integration_grant::{self, GrantArgs, reach};
use super::output::{Done, Output, Usage, cell, table};
use super::remedy::{self, Advised};
use super::{Context, door};
use anyhow::Context as _;
use entente::view::{
    AddedIntegrationView, ChangedIntegrationView, FieldsView, IntegrationView, NoticeView, ObjectFieldsView,
    RemovedIntegrationView,
};
use entente::{ConfigError, Grants, IntegrationChange, NewIntegration, Rebind, SecretText, TenantError};
use entente_core::{Foreign, Value};
use entente_sync::Remedy;
use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};

/// The commands below `entente integration`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum IntegrationCommand {
    /// Add an integration, and the sync that its plugin proposes
    Add(AddArgs),
    /// Change settings and secrets
    Set(SetArgs),
    /// Let it run
    Enable {
        /// The integration
        name: String,
    },
    /// Do not let it run: its syncs fail at once, and nothing is lost
    Disable {
        /// The integration
        name: String,
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
        /// A setting for the new version, such as page=500; may come several times
        #[arg(long = "set", value_name = "NAME=VALUE")]
        settings: Vec<String>,
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
    /// Say what it means that its plugin speaks to another account than the one that its records are linked with
    ///
    /// Until then none of its syncs reads or writes anything.
    #[command(group(clap::ArgGroup::new("what").required(true)))]
    Rebind {
        /// The integration
        name: String,
        /// It is the same account, which only moved: the links stay
        #[arg(long, group = "what")]
        same_system: bool,
        /// The account that the plugin tells now, as the error has it: it has the same records, and the links stay
        #[arg(long, requires = "same_system")]
        account: Option<String>,
        /// It is another account: links are forgotten, and records are matched as in a first sync; history stays
        #[arg(long, group = "what")]
        forget_links: bool,
        /// Also where linked records have no identifiers, and are made a second time
        #[arg(long, requires = "forget_links")]
        yes: bool,
    },
    /// Remove it with its settings, grants and secrets; what was synced stays
    Remove {
        /// The integration
        name: String,
        /// Also remove the syncs that join it
        #[arg(long)]
        with_syncs: bool,
    },
    /// What can be mapped: the objects and fields of an integration, or of `hub`
    Fields {
        /// The integration
        name: String,
        /// Only of this object
        #[arg(long)]
        object: Option<String>,
    },
    /// Integrations with their settings and grants; of secrets only the names
    List,
    /// The HTTP calls of its plugin that left this host and those that did not, newest first; old and equal ones are counted by
    /// day
    Calls(CallsArgs),
}

/// Options of `integration add`.
#[derive(Debug, clap::Args)]
pub(super) struct AddArgs {
    /// The name of the integration and of its sync
    name: String,
    /// The installed plugin, by name or digest [default: the name in lower case]
    #[arg(long)]
    plugin: Option<String>,
    #[command(flatten)]
    given: Given,
    /// Allow requests to a host, such as https://api.example.com or https://*.example.com; the secrets given may
    /// be sent there
    #[arg(long, value_name = "URL")]
    http: Vec<String>,
    /// Allow everything that the plugin asks for; `plugin inspect` shows it
    #[arg(long)]
    grant_all: bool,
    /// Make no sync
    #[arg(long)]
    no_sync: bool,
}

/// Options of `integration set`.
#[derive(Debug, clap::Args)]
pub(super) struct SetArgs {
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
}

/// Settings and secrets.
#[derive(Debug, clap::Args)]
struct Given {
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

/// The settings of options `--set`.
fn read_settings(given: &[String]) -> Result<BTreeMap<String, Value>, Usage> {
    let read = |text: &String| assignment("set", text).map(|(name, value)| (name.to_owned(), setting(value)));
    given.iter().map(read).collect()
}

impl Given {
    fn settings(&self) -> Result<BTreeMap<String, Value>, Usage> {
        read_settings(&self.settings)
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
            let mut line = String::new();
            if std::io::stdin().is_terminal() {
                door::ask(&format!("{name} (not shown): ")).context("the terminal cannot be written to")?;
                line = rpassword::read_password().context("the terminal cannot be read")?;
            } else {
                input.read_line(&mut line).context("standard input cannot be read")?;
            }
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

/// Prints notices to standard error, where they do not get into data.
/// Tells people on standard error; programs have the notices in the data.
pub(super) fn warn(notices: &[NoticeView], output: Output) {
    for NoticeView { message, .. } in notices.iter().filter(|_| !output.json && !output.quiet) {
        door::tell(&format!("warning: {}{}", message.text, remedy::lines(&message.remedies)));
    }
}

/// What went wrong while an integration was added, and that it was not. What can be done for one that is there is done
/// here by giving the command again with more options.
fn not_added(error: TenantError) -> anyhow::Error {
    let TenantError::NotAdded { integration, notices, error } = error else { return error.into() };
    let again: Vec<Remedy> = error
        .remedies()
        .into_iter()
        .filter(|remedy| remedy::option_of_add(remedy).is_some())
        .map(|with| Remedy::AddWith { with: Box::new(with) })
        .collect();
    let again = if again.is_empty() { error.remedies() } else { again };
    let notices: String = NoticeView::all(&integration, &notices)
        .into_iter()
        .map(|notice| format!("\n{}", Foreign::new(notice.message.text)))
        .collect();
    // Problems of a mapping are a list, and safe line by line.
    let told = match &*error {
        TenantError::Config(ConfigError::Problems(problems)) => problems.to_string(),
        other => Foreign::new(other.to_string()).to_string(),
    };
    let text = format!("{told}{notices}\n{integration} was not added");
    anyhow::Error::from(*error).context(Advised::new(text, again))
}

/// Runs the command.
pub(super) async fn run(command: IntegrationCommand, context: &Context) -> anyhow::Result<Done> {
    match command {
        IntegrationCommand::Add(args) => add(args, context).await,
        IntegrationCommand::Set(args) => set(args, context).await,
        IntegrationCommand::Enable { name } => switch(name, true, context).await,
        IntegrationCommand::Disable { name } => switch(name, false, context).await,
        IntegrationCommand::Grant(args) => integration_grant::grant(args, context).await,
        IntegrationCommand::Upgrade { name, plugin, settings, agree } => {
            let settings = read_settings(&settings)?;
            integration_grant::upgrade(&name, plugin.as_deref(), settings, agree, context).await
        }
        IntegrationCommand::Rollback { name } => integration_grant::roll_back(&name, context).await,
        IntegrationCommand::Resume { name } => resume(&name, context).await,
        IntegrationCommand::Rebind { name, forget_links, account, yes, .. } => {
            let how = match forget_links {
                true => Rebind::ForgetLinks { unasked: yes },
                false => Rebind::SameSystem { account },
            };
            rebind(&name, how, context).await
        }
        IntegrationCommand::Remove { name, with_syncs } => remove(name, with_syncs, context).await,
        IntegrationCommand::Fields { name, object } => fields(&name, object.as_deref(), context).await,
        IntegrationCommand::List => list(context).await,
        IntegrationCommand::Calls(args) => integration_calls::run(args, context).await,
    }
}

async fn add(args: AddArgs, context: &Context) -> anyhow::Result<Done> {
    let AddArgs { name, plugin, given, http, grant_all, no_sync } = args;
    let (settings, secrets) = (given.settings()?, given.secrets()?);
    let new = NewIntegration { name, plugin, settings, secrets, hosts: http, grant_all, no_sync };
    let (added, notices) = context.tenant()?.integrate(new).await.map_err(not_added)?;
    let added = AddedIntegrationView::new(added, &notices);
    context.output.show(&added, added_text)?;
    Ok(Done::Well)
}

fn added_text(added: &AddedIntegrationView) -> String {
    let mut text = format!("added the integration {}", added.integration.name);
    let grants = &added.integration.grants;
    if *grants != Grants::default() {
        // What signs goes nowhere, and has no hosts.
        let signs = |secret: &str| grants.secrets.get(secret).is_some_and(|grant| grant.hosts.is_empty());
        text.push_str(&format!("\n{}", reach(&added.integration.name, grants, signs)));
    }
    if let Some(sync) = &added.sync {
        for mapping in &sync.mappings {
            let (left, right) = (&mapping.objects.left, &mapping.objects.right);
            text.push_str(&format!("\n  {left} ↔ {right}, {} fields", mapping.fields.len()));
        }
        text.push_str(&remedy::lines(&[Remedy::PlanSync { sync: sync.name.clone() }]));
    }
    for NoticeView { message, .. } in &added.notices {
        text.push_str(&format!("\nnote: {}{}", message.text, remedy::lines(&message.remedies)));
    }
    text
}

/// Switches an integration on or off.
async fn switch(name: String, on: bool, context: &Context) -> anyhow::Result<Done> {
    let change = IntegrationChange { enabled: Some(on), ..IntegrationChange::default() };
    let changed = context.tenant()?.change_integration(&name, change).await?;
    let changed = ChangedIntegrationView::from(changed);
    context.output.show(&changed, |_| match on {
        true => format!("{name} is enabled"),
        false => {
            let enable = remedy::lines(&[Remedy::Enable { integration: name.clone() }]);
            format!("{name} is disabled: its syncs do not begin, and what is linked stays{enable}")
        }
    })?;
    warn(&changed.notices, context.output);
    Ok(Done::Well)
}

async fn set(args: SetArgs, context: &Context) -> anyhow::Result<Done> {
    let SetArgs { name, given, unset, unset_secret, enable, disable } = args;
    let lists = [&given.settings, &given.secrets, &given.secrets_env, &unset, &unset_secret];
    if lists.iter().all(|list| list.is_empty()) && !enable && !disable {
        let said = "nothing was given to change: name it with --set, --secret, --secret-env, --unset, --unset-secret, --enable or --disable";
        return Err(Usage(said.to_owned()).into());
    }
    let tenant = context.tenant()?;
    let settings = given.settings()?;
    // Nobody is asked for the secrets of an integration that is not there.
    tenant.configuration().integration(&name).await?;
    let change = IntegrationChange {
        settings,
        unset,
        secrets: given.secrets()?,
        unset_secrets: unset_secret,
        enabled: (enable || disable).then_some(enable),
    };
    let changed = ChangedIntegrationView::from(tenant.change_integration(&name, change).await?);
    context
        .output
        .show(&changed, |changed| format!("the integration {} is set", changed.integration.name))?;
    warn(&changed.notices, context.output);
    Ok(Done::Well)
}

async fn resume(name: &str, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    let health = tenant.configuration().resume_integration(name).await?;
    let called = tenant.configuration().release_calls(name).await?;
    context.output.show(&health, |health| match (&health.quarantined, health.crashes) {
        (_, 0) if called => format!("{name} is called again at once, although it asked to be left alone"),
        (_, 0) => format!("{name} was not held back"),
        (Some(since), crashes) => format!(
            "{name} may run again; it was quarantined since {since}, after {crashes} runs that crashed"
        ),
        (None, crashes) => {
            format!("{name} may run again at once; its plugin crashed in {crashes} runs in a row")
        }
    })?;
    Ok(Done::Well)
}

async fn rebind(name: &str, how: Rebind, context: &Context) -> anyhow::Result<Done> {
    let forget = matches!(how, Rebind::ForgetLinks { .. });
    let rebound = context.tenant()?.rebind(name, how).await?;
    context.output.show(&rebound, |rebound| {
        let links = match (forget, &rebound.now) {
            (true, _) => format!(
                "{} links of {name} are forgotten, {} of them of records without identifiers, which are made a second time; its next sync matches records as a first one does",
                rebound.forgotten, rebound.without_identifiers
            ),
            (false, Some(now)) => format!("the links of {name} stay; they are with {now} now"),
            (false, None) => format!("the links of {name} stay"),
        };
        let syncs = rebound.syncs.iter().map(|sync| Remedy::PlanSync { sync: sync.clone() });
        format!("{links}{}", remedy::lines(&syncs.collect::<Vec<_>>()))
    })?;
    Ok(Done::Well)
}

async fn remove(name: String, with_syncs: bool, context: &Context) -> anyhow::Result<Done> {
    let syncs = context.tenant()?.configuration().remove_integration(&name, with_syncs).await?;
    context.output.show(&RemovedIntegrationView { integration: name, syncs }, |removed| {
        let syncs: String = removed.syncs.iter().map(|sync| format!("\nremoved the sync {sync}")).collect();
        format!("removed the integration {}{syncs}", removed.integration)
    })?;
    Ok(Done::Well)
}

/// What can be mapped.
async fn fields(name: &str, object: Option<&str>, context: &Context) -> anyhow::Result<Done> {
    let mut view = context.tenant()?.list_fields(name).await?;
    if let Some(object) = object {
        let known: Vec<String> = view.objects.iter().map(|known| known.object.clone()).collect();
        view.objects.retain(|known| known.object == object);
        if view.objects.is_empty() {
            return Err(Usage(format!("{name} has no object '{object}'; it has {}", known.join(", "))).into());
        }
    }
    context.output.show(&view, fields_text)?;
    Ok(Done::Well)
}

fn fields_text(view: &FieldsView) -> String {
    let mut rows = table(["object", "field", "label", "kind", ""]);
    for ObjectFieldsView { object, fields, .. } in &view.objects {
        for field in fields {
            let notes = [
                (field.identifier, "identifier"),
                (field.required, "required"),
                (!field.writable, "read only"),
                (field.create_only, "on create only"),
                (field.write_only, "never reported"),
            ];
            let notes: Vec<&str> = notes.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
            let names = [object, &field.name, &field.label].map(|name| cell(name, 40));
            let more = [cell(&field.kind.to_string(), 40), notes.join(", ")];
            rows.add_row(names.into_iter().chain(more).collect::<Vec<_>>());
        }
    }
    match &view.unasked {
        Some(why) => format!(
            "{rows}\nas {} told it {}; now it cannot be asked: {}",
            view.exchange,
            view.told,
            cell(why, 200)
        ),
        None => rows.to_string(),
    }
}

async fn list(context: &Context) -> anyhow::Result<Done> {
    let integrations = context.tenant()?.list_integrations().await?;
    context.output.show(&integrations, |shown| list_text(shown))?;
    Ok(Done::Well)
}

fn list_text(integrations: &[IntegrationView]) -> String {
    if integrations.is_empty() {
        return format!("no integration{}", remedy::lines(&[Remedy::AddIntegration { plugin: None }]));
    }
    let mut rows = table(["name", "plugin", "settings", "may reach", "secrets", ""]);
    for IntegrationView { integration, secrets, health } in integrations {
        let settings: Vec<String> =
            integration.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let digest: String = integration.digest.chars().take(8).collect();
        rows.add_row(vec![
            integration.name.clone(),
            format!("{} ({digest}…)", integration.plugin),
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
}
