//! What the operator is told about an integration, in words.

use crate::grants::IntegrationNotice;
use entente_sync::Message;
use serde::Serialize;

/// Something that the operator should know, although nothing is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoticeView {
    /// What it is, for programs: `secret-not-set`, `host-not-asked`, …
    pub code: &'static str,
    /// What to read, and the next steps.
    #[serde(flatten)]
    pub message: Message,
}

impl NoticeView {
    /// A notice about an integration.
    pub fn new(integration: &str, notice: &IntegrationNotice) -> Self {
        let message = Message::new(sentence(integration, notice), notice.remedies(integration));
        Self { code: notice.code(), message }
    }

    /// Those about an integration.
    pub fn all(integration: &str, notices: &[IntegrationNotice]) -> Vec<Self> {
        notices.iter().map(|notice| Self::new(integration, notice)).collect()
    }
}

fn sentence(integration: &str, notice: &IntegrationNotice) -> String {
    let not_asked = |what: String| {
        format!("the plugin of {integration} does not ask for {what}, so that granting it changes nothing")
    };
    match notice {
        IntegrationNotice::AsksUnknown { why } => format!("what the plugin asks for cannot be told: {why}"),
        IntegrationNotice::SecretNotSet { secret } => format!("there is no secret '{secret}' yet"),
        IntegrationNotice::NoHostAsked => not_asked("any host".to_owned()),
        IntegrationNotice::HostNotAsked { host } => not_asked(host.clone()),
        IntegrationNotice::SecretNotAsked { secret } => not_asked(format!("a secret '{secret}'")),
        IntegrationNotice::AnyHost => {
            "its plugin asks for any host, which is not granted as a whole".to_owned()
        }
        IntegrationNotice::HostNotPublic { host, why } => {
            format!("{host} is {why}: it is not granted with everything else, only by its name")
        }
        IntegrationNotice::WeakSecret { secret, why } => format!(
            "the secret '{secret}' is weak: {why}. A plugin could guess it where the remote system gives it back, or from what is \
             signed with it; take a longer one if the remote system makes them"
        ),
        IntegrationNotice::HostUnknown { address } => {
            format!("{address} cannot be granted: its settings are not set, or lead to no host")
        }
        IntegrationNotice::UnknownSetting { setting, plugin } => {
            format!("the plugin {plugin} does not read a setting '{setting}'; is it spelt right?")
        }
        IntegrationNotice::UnfitSetting { message, .. } => message.clone(),
        IntegrationNotice::LeftOut { text } => text.clone(),
    }
}
