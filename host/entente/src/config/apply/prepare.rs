//! Drafts of the integrations that a file needs: file and stored configuration merged, so that the caller can
//! run their plugins and have them described.

use crate::config::check::sync::Findings;
use crate::config::configuration::Configuration;
use crate::config::error::{ConfigError, Notice, Problem};
use crate::config::file::form::{File, IntegrationEntry};
use crate::config::file::value;
use crate::config::home::components::digest_of;
use crate::config::names::{HUB, check_integration_name, check_name, cut};
use crate::config::secret_text::SecretText;
use crate::config::stored::integrations::{
    self, Grants, Integration, SecretGrant, check_pattern, check_setting_name,
};
use crate::config::stored::plugins::{self, InstalledPlugin};
use crate::config::stored::secrets::SecretStore;
use entente_sync::Remedy;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use toml::Spanned;

/// The source of an integration's component.
#[derive(Clone, PartialEq, Eq)]
pub enum PluginSource {
    /// Installed in the home folder, by its digest.
    Installed,
    /// A file that is installed when the configuration is applied, with its bytes.
    File(Arc<[u8]>),
}

impl std::fmt::Debug for PluginSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PluginSource::Installed => f.write_str("Installed"),
            PluginSource::File(bytes) => write!(f, "File({} bytes)", bytes.len()),
        }
    }
}

/// An integration as it will be after applying, with what is needed to run it.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Plugin, settings and grants.
    pub integration: Integration,
    /// The component.
    pub plugin: PluginSource,
    /// Its secrets in plain text, stored ones and those from the environment.
    pub secrets: BTreeMap<String, SecretText>,
    /// Whether a sync of the file uses it, so that it must be described.
    pub needed: bool,
    /// The secrets that came from the environment.
    pub(crate) given: BTreeSet<String>,
}

impl Draft {
    /// Whether a secret comes from the file, and is not only there from before.
    pub(crate) fn is_new_secret(&self, name: &str) -> bool {
        self.given.contains(name) || !self.secrets.contains_key(name)
    }
}

/// The drafts of a file's integrations.
#[derive(Debug, Default)]
pub struct Prepared {
    /// The drafts without a known problem.
    pub drafts: Vec<Draft>,
    /// Problems found so far. [`crate::Configuration::apply`] finds them again and reports them with all
    /// others.
    pub problems: Vec<Problem>,
    /// Notices for the operator.
    pub notices: Vec<Notice>,
    /// The drafts with a known problem: of these only the manifest is of use.
    pub flawed: Vec<Draft>,
    pub(crate) broken: BTreeSet<String>,
}

/// Inputs that a configuration file names but does not contain. The caller provides them: the library itself
/// reads neither environment variables nor files of the operator, since a service applies files of many
/// people.
#[derive(Clone, Copy)]
pub struct FileInputs<'a> {
    /// The bytes of the component at a path, as the path is written in the file; files over 256 MiB are
    /// refused.
    pub component: &'a (dyn Fn(&Path) -> io::Result<Vec<u8>> + Sync),
    /// The value of an environment variable; `None` where it is not set.
    pub variable: &'a (dyn Fn(&str) -> Option<String> + Sync),
}

impl FileInputs<'static> {
    /// No components and no variables: plugins must be installed and secrets set beforehand.
    pub const NONE: Self = Self {
        component: &|_| Err(io::Error::new(io::ErrorKind::Unsupported, "no files are read here")),
        variable: &|_| None,
    };
}

impl std::fmt::Debug for FileInputs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileInputs").finish_non_exhaustive()
    }
}

/// The context of applying a file.
#[derive(Clone, Copy)]
pub(crate) struct ApplyContext<'a> {
    /// The transaction, with the secrets in it.
    pub(crate) secrets: SecretStore<'a>,
    /// Components and variables.
    pub(crate) inputs: FileInputs<'a>,
}

impl Configuration {
    /// Drafts the integrations that a file and its syncs name, with what is needed to run those that must be
    /// described.
    ///
    /// # Errors
    /// Where the database fails, or a stored secret cannot be decrypted. Problems of the file are in
    /// [`Prepared::problems`].
    pub async fn prepare(&self, file: &File, inputs: FileInputs<'_>) -> Result<Prepared, ConfigError> {
        self.read(|session| prepare(file, &ApplyContext { secrets: self.secret_store(session), inputs }))
            .await
    }
}

pub(crate) fn prepare(file: &File, context: &ApplyContext<'_>) -> Result<Prepared, ConfigError> {
    let needed = file.needed();
    let mut found = Findings::new(file);
    let mut prepared = Prepared::default();
    let stored: BTreeMap<String, Integration> =
        integrations::list(context.secrets.session)?.into_iter().map(|one| (one.name.clone(), one)).collect();
    for (name, entry) in &file.integration {
        let before = found.problems.len();
        let mut draft = draft(name, entry, stored.get(name.get_ref()), context, &mut found)?;
        draft.needed = needed.contains(name.get_ref());
        for (secret, grant) in &draft.integration.grants.secrets {
            if draft.secrets.contains_key(secret)
                || grant.hosts.is_empty()
                || entry.secrets.contains_key(secret.as_str())
            {
                continue;
            }
            let span = entry
                .grants
                .iter()
                .flat_map(|grants| &grants.secrets)
                .find(|(name, _)| name.get_ref() == secret)
                .map_or_else(|| name.span(), |(name, _)| name.span());
            let part = format!("integration {}", name.get_ref());
            let message = format!(
                "the secret '{secret}' has no value; write secrets = {{ {secret} = {{ env = \"VARIABLE\" }} }}, or set it"
            );
            let remedy = Remedy::SetSecret { integration: name.get_ref().clone(), secret: secret.clone() };
            if draft.needed {
                found.problem_with(&span, &part, message, [remedy])
            } else {
                found.notice_with(&span, &part, message, [remedy])
            }
        }
        if found.problems.len() > before {
            prepared.broken.insert(name.get_ref().clone());
            prepared.flawed.push(draft);
        } else {
            prepared.drafts.push(draft);
        }
    }
    for name in needed {
        if let Some(integration) = stored.get(&name)
            && name != HUB
            && !file.integration.contains_key(name.as_str())
        {
            let secrets = context.secrets.open(&name)?;
            prepared.drafts.push(Draft {
                integration: integration.clone(),
                plugin: PluginSource::Installed,
                secrets,
                needed: true,
                given: BTreeSet::new(),
            });
        }
    }
    prepared.problems = found.problems;
    prepared.notices = found.notices;
    Ok(prepared)
}

fn draft(
    name: &Spanned<String>,
    entry: &IntegrationEntry,
    stored: Option<&Integration>,
    context: &ApplyContext<'_>,
    found: &mut Findings<'_>,
) -> Result<Draft, ConfigError> {
    let part = format!("integration {}", name.get_ref());
    if let Err(message) = check_integration_name(name.get_ref()) {
        found.problem(&name.span(), &part, message);
    }
    let (plugin, source) = plugin(name.get_ref(), &entry.plugin, stored, context, &part, found)?;
    let settings = match &entry.settings {
        None => stored.map(|stored| stored.settings.clone()).unwrap_or_default(),
        Some(settings) => {
            let mut values = BTreeMap::new();
            for (setting, given) in settings {
                if let Err(message) = check_setting_name(setting.get_ref()) {
                    found.problem(&setting.span(), &part, message);
                }
                match value::from_toml(given.get_ref()) {
                    Ok(value) => {
                        values.insert(setting.get_ref().clone(), value);
                    }
                    Err(message) => found.problem(
                        &given.span(),
                        &part,
                        format!("setting {}: {message}", setting.get_ref()),
                    ),
                }
            }
            values
        }
    };
    let grants = match &entry.grants {
        None => stored.map(|stored| stored.grants.clone()).unwrap_or_default(),
        Some(given) => {
            for pattern in given.http.iter().chain(given.secrets.values().flat_map(|grant| &grant.hosts)) {
                if let Err(message) = check_pattern(pattern.get_ref()) {
                    found.problem(&pattern.span(), &part, message);
                }
            }
            for secret in given.secrets.keys() {
                if let Err(message) = check_name("secret", secret.get_ref()) {
                    found.problem(&secret.span(), &part, message);
                }
            }
            let texts = |list: &[Spanned<String>]| list.iter().map(|text| text.get_ref().clone()).collect();
            Grants {
                http: texts(&given.http),
                secrets: given
                    .secrets
                    .iter()
                    .map(|(name, grant)| {
                        (
                            name.get_ref().clone(),
                            SecretGrant {
                                hosts: texts(&grant.hosts),
                                header: grant.header.clone(),
                                query: grant.query.clone(),
                            },
                        )
                    })
                    .collect(),
                no_state: given.state == Some(false),
            }
        }
    };
    let mut secrets = if stored.is_some() { context.secrets.open(name.get_ref())? } else { BTreeMap::new() };
    let mut given = BTreeSet::new();
    for (secret, from) in &entry.secrets {
        if let Err(message) = check_name("secret", secret.get_ref()) {
            found.problem(&secret.span(), &part, message);
        }
        match (context.inputs.variable)(from.env.get_ref()).filter(|text| !text.is_empty()) {
            Some(text) => {
                given.insert(secret.get_ref().clone());
                let text = SecretText::new(text);
                if let Some(why) = text.weakness() {
                    let message = format!(
                        "the secret '{}' is weak: {why}; a plugin could guess it where the remote system gives it back",
                        secret.get_ref()
                    );
                    found.notice_with(&from.env.span(), &part, message, []);
                }
                secrets.insert(secret.get_ref().clone(), text);
            }
            // Once the secret is stored, the variable need not be set.
            None if secrets.contains_key(secret.get_ref()) => {}
            None => {
                let message = format!(
                    "the secret '{}' is to come from the environment variable {}, which is not set",
                    secret.get_ref(),
                    from.env.get_ref()
                );
                found.problem(&from.env.span(), &part, message);
            }
        }
    }
    let enabled = entry.enabled.unwrap_or_else(|| stored.is_none_or(|stored| stored.enabled));
    let integration = Integration {
        name: name.get_ref().clone(),
        plugin: plugin.name,
        digest: plugin.digest,
        enabled,
        settings,
        grants,
    };
    Ok(Draft { integration, plugin: source, secrets, needed: false, given })
}

/// The component that the file names. A stored integration keeps its own component, since its grants were
/// given to that one.
fn plugin(
    integration: &str,
    given: &Spanned<String>,
    stored: Option<&Integration>,
    context: &ApplyContext<'_>,
    part: &str,
    found: &mut Findings<'_>,
) -> Result<(PluginName, PluginSource), ConfigError> {
    let text = given.get_ref();
    let (plugin, source) = if text.ends_with(".wasm") {
        let path = Path::new(text);
        match (context.inputs.component)(path) {
            Ok(bytes) => (
                PluginName { name: name_of(path), digest: digest_of(&bytes) },
                PluginSource::File(bytes.into()),
            ),
            Err(error) => {
                found.problem(&given.span(), part, format!("the plugin {text} cannot be read: {error}"));
                return Ok((PluginName::default(), PluginSource::Installed));
            }
        }
    } else {
        match plugins::find(context.secrets.session, text) {
            Ok(plugin) => (PluginName::from(plugin), PluginSource::Installed),
            Err(error @ (ConfigError::Unknown { .. } | ConfigError::Name(_))) => {
                found.problem(&given.span(), part, error.to_string());
                return Ok((PluginName::default(), PluginSource::Installed));
            }
            Err(error) => return Err(error),
        }
    };
    let Some(stored) = stored else {
        return Ok((plugin, source));
    };
    let kept = PluginName { name: stored.plugin.clone(), digest: stored.digest.clone() };
    if plugin.digest == stored.digest {
        return Ok((kept, PluginSource::Installed));
    }
    let [old, new] = [&stored.digest, &plugin.digest].map(|digest| cut(digest, 12));
    let remedy = Remedy::Upgrade { integration: integration.to_owned() };
    if *text == stored.plugin {
        let message = format!(
            "a newer version of '{text}' is installed ({new}); this integration keeps {old} until it is upgraded"
        );
        found.notice_with(&given.span(), part, message, [remedy]);
    } else {
        let message = format!(
            "it runs the plugin '{}' ({old}), and the file names another one ({new}); its plugin is not changed by a file",
            stored.plugin
        );
        found.problem_with(&given.span(), part, message, [remedy]);
    }
    Ok((kept, PluginSource::Installed))
}

#[derive(Default)]
struct PluginName {
    name: String,
    digest: String,
}

impl From<InstalledPlugin> for PluginName {
    fn from(plugin: InstalledPlugin) -> Self {
        Self { name: plugin.name, digest: plugin.digest }
    }
}

/// The plugin name under which a file is installed.
fn name_of(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' })
        .take(64)
        .collect();
    if name.is_empty() { "plugin".to_owned() } else { name }
}
