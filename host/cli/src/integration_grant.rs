//! What an integration may reach, and which version of its plugin it runs: `entente integration grant`, `upgrade`
//! and `rollback`. The library decides ([`entente::GrantDecision`], [`entente::UpgradeDecision`]).

use super::Context;
use super::integration::warn;
use super::output::Done;
use super::remedy;
use entente::view::{AskView, ChangedIntegrationView, GrantView, UpgradeView};
use entente::{GrantRequest, Granted, Grants, SecretPlace, Upgraded};
use entente_core::Value;
use entente_plugin::{HttpGrant, Manifest, SecretUse};
use entente_sync::Remedy;
use std::collections::BTreeMap;

/// Options of `integration grant`.
#[derive(Debug, clap::Args)]
pub(super) struct GrantArgs {
    /// The integration
    name: String,
    /// Allow everything that the plugin asks for
    #[arg(long)]
    all: bool,
    /// Allow requests to a host, such as https://api.example.com or https://*.example.com
    #[arg(long, value_name = "URL")]
    http: Vec<String>,
    /// Allow a secret to be sent to a host; without one, to every host that is granted
    #[arg(long, value_name = "NAME[=URL]")]
    secret: Vec<String>,
    /// Let it keep a few bytes between runs
    #[arg(long, conflicts_with = "no_state")]
    state: bool,
    /// Let it keep nothing between runs
    #[arg(long)]
    no_state: bool,
    /// Take a host away
    #[arg(long, value_name = "URL")]
    no_http: Vec<String>,
    /// Take a secret away, or one host that it may be sent to
    #[arg(long, value_name = "NAME[=URL]")]
    no_secret: Vec<String>,
    /// Take all hosts and secrets away first
    #[arg(long)]
    reset: bool,
}

impl GrantArgs {
    fn request(&self) -> GrantRequest {
        let places = |texts: &[String]| texts.iter().map(|text| place(text)).collect();
        GrantRequest {
            reset: self.reset,
            all: self.all,
            hosts: self.http.clone(),
            secrets: places(&self.secret),
            no_hosts: self.no_http.clone(),
            no_secrets: places(&self.no_secret),
            state: (self.state || self.no_state).then_some(self.state),
        }
    }
}

/// `NAME=URL`, or the name alone.
fn place(text: &str) -> SecretPlace {
    match text.split_once('=') {
        Some((name, host)) => SecretPlace { secret: name.to_owned(), host: Some(host.to_owned()) },
        None => SecretPlace { secret: text.to_owned(), host: None },
    }
}

/// Runs `integration grant`.
pub(super) async fn grant(args: GrantArgs, context: &Context) -> anyhow::Result<Done> {
    let granted = context.tenant()?.grant(&args.name, &args.request()).await?;
    let shown = GrantView::from(&granted);
    context.output.show(&shown, |shown| grant_text(&granted, shown))?;
    warn(&shown.notices, context.output);
    Ok(Done::Well)
}

fn grant_text(granted: &Granted, shown: &GrantView) -> String {
    let name = &granted.integration.name;
    let mut text = match shown.asks.is_empty() {
        true => "its plugin asks for nothing".to_owned(),
        false => format!("its plugin asks for this:{}", asks("- it", &shown.asks)),
    };
    text.push('\n');
    text.push_str(&words(name, &granted.manifest, &shown.grants));
    for host in &shown.open {
        let remedy = Remedy::GrantHost { integration: name.clone(), host: host.clone() };
        text.push_str(&format!("\nnot granted: {host}{}", remedy::lines(&[remedy])));
    }
    // A secret that is sent needs a host: granting one without says so, and the host stands above.
    let signs =
        |secret: &&String| granted.manifest.secret(secret).is_some_and(|ask| ask.usage == SecretUse::Sign);
    let grantable = |secret: &&String| !shown.grants.http.is_empty() || signs(secret);
    for secret in shown.open_secrets.iter().filter(grantable) {
        let (integration, secret) = (name.clone(), secret.clone());
        text.push_str(&format!("\nnot granted: the secret {secret}"));
        text.push_str(&remedy::lines(&[Remedy::GrantSecret { integration, secret, host: None }]));
    }
    text
}

/// A line for each thing that is asked for.
fn asks(sign: &str, asks: &[AskView]) -> String {
    asks.iter().map(|ask| format!("\n  {sign} {ask}")).collect()
}

/// Hosts as they are granted, whatever way they were typed in, with what a person should know about them.
fn shown_hosts(hosts: &[String]) -> String {
    let shown = |host: &String| match host.parse::<HttpGrant>() {
        Ok(grant) => match grant.remark() {
            Some(remark) => format!("{grant} ({remark})"),
            None => grant.to_string(),
        },
        // With a setting in it.
        Err(_) => host.clone(),
    };
    hosts.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// What an integration may reach, and where its secrets may be sent.
pub(super) fn reach(name: &str, grants: &Grants, signs: impl Fn(&str) -> bool) -> String {
    let hosts = if grants.http.is_empty() { "no host".to_owned() } else { shown_hosts(&grants.http) };
    let mut text = format!("{name} may send requests to: {hosts}");
    for (secret, grant) in &grants.secrets {
        text.push_str(&match grant.hosts.as_slice() {
            _ if signs(secret) => format!("\nits secret {secret} may be used to sign"),
            [] => format!(
                "\nits secret {secret} may be sent nowhere yet; name a host with --secret {secret}=URL"
            ),
            hosts => format!("\nits secret {secret} may be sent to: {}", shown_hosts(hosts)),
        });
    }
    text
}

/// What an integration may do.
fn words(name: &str, manifest: &Manifest, grants: &Grants) -> String {
    let signs = |secret: &str| manifest.secret(secret).is_some_and(|ask| ask.usage == SecretUse::Sign);
    let mut text = reach(name, grants, signs);
    match (grants.no_state, manifest.state.is_some()) {
        (true, _) => text.push_str("\nit may keep nothing between runs"),
        (false, true) => text.push_str("\nit may keep a few bytes between runs"),
        (false, false) => {}
    }
    text
}

fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

fn version(manifest: &Manifest) -> String {
    if manifest.version.is_empty() { String::new() } else { format!(" {}", manifest.version) }
}

/// Runs `integration upgrade`.
pub(super) async fn upgrade(
    name: &str,
    plugin: Option<&str>,
    settings: BTreeMap<String, Value>,
    agree: bool,
    context: &Context,
) -> anyhow::Result<Done> {
    let upgraded = context.tenant()?.upgrade(name, plugin, settings, agree).await?;
    let shown = UpgradeView::from(&upgraded);
    context.output.show(&shown, |shown| upgrade_text(&upgraded, shown))?;
    warn(&shown.notices, context.output);
    if upgraded.waits {
        anyhow::bail!("{name} waits for your word: the new version asks for more");
    }
    Ok(Done::Well)
}

fn upgrade_text(upgraded: &Upgraded, shown: &UpgradeView) -> String {
    let (name, wanted) = (&shown.integration.name, &upgraded.plugin);
    let (version, before) = (version(&upgraded.manifest), short(&shown.before));
    let mut text = match (shown.waits, shown.upgraded) {
        (true, _) => format!(
            "{}{version} ({}…) asks for more than the version that {name} runs ({before}…):",
            wanted.name,
            short(&wanted.digest)
        ),
        (false, false) if !shown.set.is_empty() => {
            format!("{name} has this version of {} already, and keeps it", wanted.name)
        }
        (false, false) => format!("{name} has this version of {} already", wanted.name),
        (false, true) => format!(
            "{name} runs {}{version} ({}…) now, before {before}…; back with: {}",
            wanted.name,
            short(&wanted.digest),
            remedy::command(&Remedy::RollBack { integration: name.clone() })
        ),
    };
    let set: Vec<String> = shown.set.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !set.is_empty() {
        text.push_str(&format!("\nset: {}", set.join(", ")));
    }
    text.push_str(&asks("+ it", &shown.more));
    text.push_str(&asks("- it no longer", &shown.less));
    if shown.waits {
        // With the digest, so that what is agreed to is what was shown, whatever is installed meanwhile.
        let (integration, digest) = (name.clone(), wanted.digest.clone());
        let agree = remedy::command(&Remedy::AgreeToUpgrade { integration, digest });
        text.push_str(&format!("\nnothing has changed; to agree: {agree}"));
    } else if !shown.more.is_empty() {
        let may = words(name, &upgraded.manifest, &shown.integration.grants);
        text.push_str(&format!("\nwhat it asks for in addition is granted; {may}"));
    }
    text
}

/// Runs `integration rollback`.
pub(super) async fn roll_back(name: &str, context: &Context) -> anyhow::Result<Done> {
    let (before, changed) = context.tenant()?.roll_back(name).await?;
    let manifest = changed.manifest.clone();
    let shown = ChangedIntegrationView::from(changed);
    context.output.show(&shown, |ChangedIntegrationView { integration, .. }| {
        format!(
            "{name} runs {}{} ({}…) again, with the grants of that version, instead of {}…\n{}",
            integration.plugin,
            version(&manifest),
            short(&integration.digest),
            short(&before.digest),
            words(name, &manifest, &integration.grants)
        )
    })?;
    warn(&shown.notices, context.output);
    Ok(Done::Well)
}
