//! What an integration may reach: `entente integration grant`, `upgrade` and `rollback`.

use super::Context;
use super::integration::{missing_secrets, warn};
use super::output::{Done, Usage};
use super::remedy;
use entente::Tenant;
use entente::{Grants, Integration};
use entente_plugin::{AskInWords, AskedHost, HttpGrant, Manifest, SecretUse, fill};
use entente_sync::Remedy;
use serde::Serialize;
use std::collections::BTreeSet;

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

/// Takes away hosts, and secrets or single hosts of them.
fn narrow(grants: &mut Grants, http: &[String], secrets: &[String]) -> Result<(), Usage> {
    for host in http {
        let before = grants.http.len();
        grants.http.retain(|granted| granted != host);
        if grants.http.len() == before {
            return Err(Usage(format!(
                "no grant is written '{host}'; there are: {}",
                grants.http.join(", ")
            )));
        }
    }
    for text in secrets {
        let (name, host) =
            text.split_once('=').map_or((text.as_str(), None), |(name, host)| (name, Some(host)));
        let Some(grant) = grants.secrets.get_mut(name) else {
            return Err(Usage(format!("the secret '{name}' is not granted")));
        };
        match host {
            None => drop(grants.secrets.remove(name)),
            Some(host) if grant.hosts.iter().any(|granted| granted == host) => {
                grant.hosts.retain(|granted| granted != host);
                if grant.hosts.is_empty() {
                    grants.secrets.remove(name);
                }
            }
            Some(host) => {
                return Err(Usage(format!(
                    "no grant of the secret '{name}' is written '{host}'; there are: {}",
                    grant.hosts.join(", ")
                )));
            }
        }
    }
    Ok(())
}

/// Adds hosts, and where secrets may be sent: `NAME=URL`, or the name alone for every host that is granted. A
/// secret goes out in the way that the plugin asks for.
pub(super) fn widen(
    grants: &mut Grants,
    manifest: &Manifest,
    http: &[String],
    secrets: &[String],
) -> Result<(), Usage> {
    for host in http {
        if !grants.http.contains(host) {
            grants.http.push(host.clone());
        }
    }
    for text in secrets {
        let (name, hosts) = match text.split_once('=') {
            Some((name, host)) => (name, vec![host.to_owned()]),
            None => (text.as_str(), grants.http.clone()),
        };
        let ask = manifest.secret(name);
        if hosts.is_empty() && ask.is_none_or(|ask| ask.usage == SecretUse::Send) {
            return Err(Usage(format!(
                "the secret '{name}' needs a host that it may be sent to: --secret {name}=https://api.example.com"
            )));
        }
        let grant = grants.secrets.entry(name.to_owned()).or_default();
        if let Some(ask) = ask {
            grant.header.clone_from(&ask.header);
            grant.query.clone_from(&ask.query);
        }
        for host in hosts.into_iter().filter(|_| ask.is_none_or(|ask| ask.usage == SecretUse::Send)) {
            if !grant.hosts.contains(&host) {
                grant.hosts.push(host);
            }
        }
    }
    Ok(())
}

/// Adds everything that a plugin asks for, as far as its settings say where. Tells what could not be granted.
pub(super) fn widen_to_all(
    grants: &mut Grants,
    manifest: &Manifest,
    integration: &Integration,
) -> Vec<String> {
    let mut left = Vec::new();
    let mut hosts_of = |addresses: &[&str]| -> Vec<String> {
        let mut hosts = Vec::new();
        for address in addresses {
            match AskedHost::of(address, &integration.settings) {
                Some(AskedHost::Only(host)) => hosts.push(host.to_string()),
                Some(AskedHost::Any) => {
                    left.push("it asks for any host; name those that it may reach with --http".to_owned())
                }
                None => left.push(format!(
                    "{address} cannot be granted: its settings are not set, or lead to no host"
                )),
            }
        }
        hosts
    };
    let addresses: Vec<&str> = manifest.hosts.iter().map(|host| host.address.as_str()).collect();
    for host in hosts_of(&addresses) {
        if !grants.http.contains(&host) {
            grants.http.push(host);
        }
    }
    for ask in &manifest.secrets {
        let addresses: Vec<&str> = ask.hosts.iter().map(String::as_str).filter(|host| *host != "*").collect();
        let mut hosts = hosts_of(&addresses);
        if ask.hosts.iter().any(|host| host == "*") {
            hosts.extend(grants.http.iter().cloned());
        }
        let grant = grants.secrets.entry(ask.name.clone()).or_default();
        grant.header.clone_from(&ask.header);
        grant.query.clone_from(&ask.query);
        for host in hosts {
            if !grant.hosts.contains(&host) {
                grant.hosts.push(host);
            }
        }
    }
    grants.no_state &= manifest.state.is_none();
    left.sort();
    left.dedup();
    left
}

/// What the plugin asks for beside what is granted.
#[derive(Serialize)]
struct Asked<'a> {
    #[serde(flatten)]
    grants: &'a Grants,
    asks: Vec<AskInWords>,
    /// Hosts that the plugin asks for and that no grant names as they are.
    open: Vec<String>,
    /// Secrets that it asks for and that are not granted.
    open_secrets: Vec<&'a str>,
}

/// Hosts that are asked for and that no grant names. A wider grant may cover one; this only helps to see what
/// is missing.
fn open_hosts(manifest: &Manifest, integration: &Integration) -> Vec<String> {
    let hosts = manifest.hosts_with(&integration.settings).into_iter().filter_map(|host| match host {
        AskedHost::Only(host) => Some(host.to_string()),
        AskedHost::Any => None,
    });
    hosts.filter(|host| !integration.grants.http.contains(host)).collect()
}

/// Grants that the plugin has no use for, since it does not ask for them.
fn useless(manifest: &Manifest, integration: &Integration) -> Vec<String> {
    let (name, grants) = (&integration.name, &integration.grants);
    let mut useless = Vec::new();
    if !grants.http.is_empty() && manifest.hosts.is_empty() {
        useless.push(format!(
            "the plugin of {name} does not ask for any host, so that granting one changes nothing"
        ));
    }
    let hosts: Vec<AskedHost> = manifest.hosts_with(&integration.settings);
    let is_asked_for = |granted: &HttpGrant| {
        hosts.iter().any(|asked| match asked {
            AskedHost::Any => true,
            AskedHost::Only(asked) => asked.overlaps(granted),
        })
    };
    let of_secrets = grants.secrets.values().flat_map(|grant| &grant.hosts);
    let granted: BTreeSet<&String> =
        grants.http.iter().chain(of_secrets).filter(|_| !manifest.hosts.is_empty()).collect();
    for text in granted {
        if let Some(grant) = fill(text, &integration.settings).ok().and_then(|text| text.parse().ok())
            && !is_asked_for(&grant)
        {
            useless.push(format!(
                "the plugin of {name} does not ask for {text}, so that granting it changes nothing"
            ));
        }
    }
    for secret in grants.secrets.keys().filter(|secret| manifest.secret(secret).is_none()) {
        useless.push(format!(
            "the plugin of {name} does not ask for a secret '{secret}', so that granting it changes nothing"
        ));
    }
    useless
}

/// What the plugin asks for; nothing where that cannot be told, with a warning.
async fn manifest_or_none(tenant: &Tenant, digest: &str) -> Manifest {
    tenant.manifest(digest).await.unwrap_or_else(|error| {
        warn(vec![format!("what the plugin asks for cannot be told: {error}")]);
        Manifest::default()
    })
}

pub(super) async fn grant(args: GrantArgs, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    let configuration = tenant.configuration();
    let GrantArgs { name, all, http, secret, state, no_state, no_http, no_secret, reset } = args;
    let before = configuration.integration(&name).await?;
    // To take grants away one need not know what for they were.
    let manifest = match all || !http.is_empty() || !secret.is_empty() {
        true => tenant.manifest(&before.digest).await?,
        false => manifest_or_none(&tenant, &before.digest).await,
    };
    let mut grants = before.grants.clone();
    if reset {
        (grants.http, grants.secrets) = Default::default();
    }
    let left = if all { widen_to_all(&mut grants, &manifest, &before) } else { Vec::new() };
    widen(&mut grants, &manifest, &http, &secret)?;
    // Last: a no counts for more than a yes.
    narrow(&mut grants, &no_http, &no_secret)?;
    grants.no_state = (grants.no_state || no_state) && !state;
    let changes = grants != before.grants;
    let after = match changes {
        true => configuration.change_integration(&name, |integration| integration.grants = grants).await?,
        false => before,
    };
    let open_secrets = manifest.secrets.iter().map(|ask| ask.name.as_str());
    let open_secrets = open_secrets.filter(|name| !after.grants.secrets.contains_key(*name)).collect();
    let shown = Asked {
        grants: &after.grants,
        asks: manifest.asks(),
        open: open_hosts(&manifest, &after),
        open_secrets,
    };
    context.output.show(&shown, |shown| {
        let mut text = String::new();
        if shown.asks.is_empty() {
            text.push_str("its plugin asks for nothing\n");
        } else {
            text.push_str("its plugin asks for this:\n");
            for ask in &shown.asks {
                text.push_str(&format!("  - it {} ({})\n", ask.words, ask.reason));
            }
        }
        text.push_str(&words(&name, &manifest, shown.grants));
        for host in &shown.open {
            let remedy = Remedy::GrantHost { integration: name.clone(), host: host.clone() };
            text.push_str(&format!("\nnot granted: {host}{}", remedy::lines(&[remedy])));
        }
        for secret in &shown.open_secrets {
            let (integration, secret) = (name.clone(), (*secret).to_owned());
            text.push_str(&format!("\nnot granted: the secret {secret}"));
            let remedy = Remedy::GrantSecret { integration, secret, host: None };
            text.push_str(&remedy::lines(&[remedy]));
        }
        text
    })?;
    let secrets = configuration.secrets(&name).await?;
    warn(missing_secrets(&name, after.grants.secrets.keys(), &secrets));
    warn(useless(&manifest, &after));
    warn(left);
    Ok(Done::Well)
}

/// What an integration may do.
fn words(name: &str, manifest: &Manifest, grants: &Grants) -> String {
    let hosts = if grants.http.is_empty() { "no host".to_owned() } else { grants.http.join(", ") };
    let mut text = format!("{name} may send requests to: {hosts}");
    for (secret, grant) in &grants.secrets {
        let signs = manifest.secret(secret).is_some_and(|ask| ask.usage == SecretUse::Sign);
        text.push_str(&match grant.hosts.as_slice() {
            _ if signs => format!("\nits secret {secret} may be used to sign"),
            [] => format!(
                "\nits secret {secret} may be sent nowhere yet; name a host with --secret {secret}=URL"
            ),
            hosts => format!("\nits secret {secret} may be sent to: {}", hosts.join(", ")),
        });
    }
    match (grants.no_state, manifest.state.is_some()) {
        (true, _) => text.push_str("\nit may keep nothing between runs"),
        (false, true) => text.push_str("\nit may keep a few bytes between runs"),
        (false, false) => {}
    }
    text
}

/// A change of version, as it is shown.
#[derive(Serialize)]
struct Upgrade<'a> {
    integration: &'a Integration,
    /// The digest before.
    before: &'a str,
    /// Whether the new one is used now.
    upgraded: bool,
    /// What it asks for and the version before did not.
    more: &'a [AskInWords],
    /// What the version before asked for and it does not.
    less: &'a [AskInWords],
}

fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

fn version(manifest: &Manifest) -> String {
    if manifest.version.is_empty() { String::new() } else { format!(" {}", manifest.version) }
}

pub(super) async fn upgrade(
    name: &str,
    plugin: Option<&str>,
    agree: bool,
    context: &Context,
) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    let configuration = tenant.configuration();
    let before = configuration.integration(name).await?;
    let wanted = configuration.plugin(plugin.unwrap_or(&before.plugin)).await?;
    let new = tenant.manifest(&wanted.digest).await?;
    // Without knowing what the version before asks for, all is new.
    let old = manifest_or_none(&tenant, &before.digest).await;
    let added = new.more_than(&old);
    let (more, less) = (added.asks(), old.more_than(&new).asks());
    let waits = !more.is_empty() && !agree;
    let mut left = Vec::new();
    let after = if waits {
        before.clone()
    } else {
        let mut grants = before.grants.clone();
        if !more.is_empty() {
            // Only what is new: what was asked before and is not granted was kept back.
            left = widen_to_all(&mut grants, &added, &before);
        }
        configuration.upgrade_integration(name, &wanted.digest, grants).await?
    };
    let shown = Upgrade {
        integration: &after,
        before: &before.digest,
        upgraded: after.digest != before.digest,
        more: &more,
        less: &less,
    };
    context.output.show(&shown, |shown| {
        let mut text = match (waits, shown.upgraded) {
            (true, _) => format!(
                "{}{} ({}…) asks for more than the version that {name} runs ({}…):",
                wanted.name,
                version(&new),
                short(&wanted.digest),
                short(shown.before)
            ),
            (false, false) => format!("{name} has this version of {} already", after.plugin),
            (false, true) => format!(
                "{name} runs {}{} ({}…) now, before {}…; back with: {}",
                after.plugin,
                version(&new),
                short(&after.digest),
                short(shown.before),
                remedy::command(&Remedy::RollBack { integration: name.to_owned() })
            ),
        };
        for ask in shown.more {
            text.push_str(&format!("\n  + it {} ({})", ask.words, ask.reason));
        }
        for ask in shown.less {
            text.push_str(&format!("\n  - it no longer {} ({})", ask.words, ask.reason));
        }
        if waits {
            // With the digest, so that what is agreed to is what was shown, whatever is installed meanwhile.
            let (integration, digest) = (name.to_owned(), wanted.digest.clone());
            let agree = remedy::command(&Remedy::AgreeToUpgrade { integration, digest });
            text.push_str(&format!("\nnothing has changed; to agree: {agree}"));
        } else if !shown.more.is_empty() {
            text.push_str(&format!(
                "\nwhat it asks for in addition is granted; {}",
                words(name, &new, &after.grants)
            ));
        }
        text
    })?;
    warn(left);
    if waits {
        anyhow::bail!("{name} waits for your word: the new version asks for more");
    }
    Ok(Done::Well)
}

pub(super) async fn roll_back(name: &str, context: &Context) -> anyhow::Result<Done> {
    let tenant: Tenant = context.tenant()?;
    let configuration = tenant.configuration();
    let before = configuration.integration(name).await?;
    let after = configuration.roll_back_integration(name).await?;
    let manifest = manifest_or_none(&tenant, &after.digest).await;
    context.output.show(&after, |after| {
        format!(
            "{name} runs {}{} ({}…) again, with the grants of that version, instead of {}…\n{}",
            after.plugin,
            version(&manifest),
            short(&after.digest),
            short(&before.digest),
            words(name, &manifest, &after.grants)
        )
    })?;
    Ok(Done::Well)
}

pub(super) async fn resume(name: &str, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    let health = tenant.configuration().resume_integration(name).await?;
    context.output.show(&health, |health| match (&health.quarantined, health.crashes) {
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
