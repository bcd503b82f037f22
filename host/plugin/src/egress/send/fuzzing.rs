//! Entry points for the fuzz targets: a request of a plugin up to where it would leave, and the head of an answer.

use super::{Channel, Egress, Prepared};
use crate::address::grant::HttpGrant;
use crate::component::manifest::{AskedHost, Manifest, SecretAsk};
use crate::egress::audit::{Audit, HttpCall, LogLine};
use crate::egress::budget::BudgetInMemory;
use crate::egress::notice::Notice;
use crate::egress::{ChannelContext, Hosts, Lookup, Secret, SecretGrant, Vault};
use crate::fair::account::TenantAccount;
use crate::fair::held::Held;
use crate::limits::Limits;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyExt;
use reqwest::Url;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

const INTEGRATION: &str = "shop";

/// Names and values, as they are.
pub type Headers = Vec<(Vec<u8>, Vec<u8>)>;

/// A call in the audit log.
#[derive(Debug)]
pub struct Call {
    /// The method.
    pub method: String,
    /// Scheme, host and port.
    pub to: String,
    /// The redacted path.
    pub path: String,
    /// Why there was no answer.
    pub error: Option<String>,
    /// Why it was denied.
    pub denied: Option<String>,
}

/// The last call of the audit log.
#[derive(Debug, Default)]
struct Last(Mutex<Option<Call>>);

impl Last {
    fn take(&self) -> Option<Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Audit for Last {
    fn http(&self, call: &HttpCall<'_>) {
        let text = |text: Option<&str>| text.map(str::to_owned);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Call {
            method: call.method.to_owned(),
            to: call.to.to_owned(),
            path: call.path.to_owned(),
            error: text(call.error),
            denied: text(call.denied),
        });
    }

    fn log(&self, _: &LogLine<'_>) {}
}

/// A request as it would leave.
#[derive(Debug)]
pub struct Leaves {
    /// The method.
    pub method: String,
    /// The address.
    pub url: String,
    /// The headers.
    pub headers: Headers,
    /// Whether a secret is bound to its host.
    pub bound: bool,
    /// The headers of its answer as the plugin sees them; `None` where it is told of an error instead.
    pub answer: Option<Headers>,
}

/// What became of a request.
#[derive(Debug)]
pub struct Made {
    /// The address as the host has read it; `None` where it is none.
    pub read: Option<String>,
    /// `None` where it does not leave.
    pub leaves: Option<Leaves>,
    /// The call in the audit log.
    pub call: Option<Call>,
    /// What the operator is told, and the remedies as JSON.
    pub told: Vec<(String, String)>,
}

/// What a plugin says: bytes that need not be what they are to be.
#[derive(Debug)]
pub struct Said<'a> {
    /// The method.
    pub method: &'a [u8],
    /// The address.
    pub uri: &'a [u8],
    /// The headers; those that no header can be are left out.
    pub headers: &'a [(Vec<u8>, Vec<u8>)],
}

/// An integration with its secrets.
pub struct Integration {
    channel: Arc<Channel>,
    last: Arc<Last>,
}

impl Integration {
    /// With these grants, and secrets by the names under which the manifest asks for them, each granted to the hosts that it asks for.
    pub fn new(
        manifest: &Manifest,
        granted: Vec<HttpGrant>,
        secrets: &[(&str, &str)],
        limits: Limits,
    ) -> Self {
        let settings = BTreeMap::new();
        let texts = secrets.iter().map(|(name, text)| ((*name).to_owned(), Secret::new(*text))).collect();
        let grant = |ask: &SecretAsk| SecretGrant {
            name: ask.name.clone(),
            hosts: ask.hosts.iter().filter_map(|host| host.parse().ok()).collect(),
            header: None,
            query: ask.query.clone(),
        };
        let grants = manifest.secrets.iter().map(grant).collect();
        let vault = Vault::new(texts, grants, &manifest.secrets, &settings);
        let asked = manifest.hosts.iter().filter_map(|host| AskedHost::of(&host.address, &settings));
        let hosts = Hosts { asked: asked.collect(), granted, headers: manifest.headers.clone() };
        // Nothing leaves.
        let lookup: Lookup = Arc::new(|_| Box::pin(async { Ok(Vec::new()) }));
        let last = Arc::new(Last::default());
        let context = ChannelContext {
            digest: "digest",
            account: Arc::new(TenantAccount::default()),
            budget: Arc::new(BudgetInMemory::default()),
            audit: Arc::clone(&last) as Arc<dyn Audit>,
        };
        let channel = Channel::new(INTEGRATION.to_owned(), vault, hosts, limits, lookup, context);
        Self { channel: Arc::new(channel), last }
    }

    /// A call of the plugin.
    pub fn begin(&self) -> PluginCall {
        let held = Held::new(self.channel.limits.clone(), Arc::clone(&self.channel.account));
        self.last.take();
        PluginCall { egress: Egress::new(Arc::clone(&self.channel), held), last: Arc::clone(&self.last) }
    }
}

/// A call of a plugin in progress.
pub struct PluginCall {
    egress: Egress,
    last: Arc<Last>,
}

impl PluginCall {
    /// A placeholder for a secret.
    pub fn placeholder(&mut self, name: &str, user: Option<&str>) -> Option<String> {
        self.egress.placeholder(name, user).ok()?.ok()
    }

    /// Makes a request, which is answered with this status and these headers; `None` where a plugin cannot say it.
    pub fn request(&mut self, said: &Said<'_>, status: u16, answer: &[(Vec<u8>, Vec<u8>)]) -> Option<Made> {
        let uri = http::Uri::try_from(said.uri).ok()?;
        let read = Url::parse(&uri.to_string()).ok().map(String::from);
        let body = http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync();
        let mut request = http::Request::builder().method(said.method).uri(uri).body(body).ok()?;
        *request.headers_mut() = headers(said.headers);
        let leaves = match self.egress.prepare(request, None) {
            Ok(ready) => Some(answered(ready, status, answer)),
            Err(_) => None,
        };
        let told = |notice: &Notice| {
            let remedies = serde_json::to_string(&notice.remedies(INTEGRATION)).unwrap_or_default();
            (notice.text(), remedies)
        };
        let told = self.egress.notices().iter().map(told).collect();
        Some(Made { read, leaves, call: self.last.take(), told })
    }
}

fn headers(said: &[(Vec<u8>, Vec<u8>)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in said {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

fn listed(headers: &HeaderMap) -> Headers {
    let pair = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().as_bytes().to_vec(), value.as_bytes().to_vec())
    };
    headers.iter().map(pair).collect()
}

fn answered(mut ready: Prepared, status: u16, answer: &[(Vec<u8>, Vec<u8>)]) -> Leaves {
    let mut leaves = Leaves {
        method: ready.method.to_string(),
        url: ready.url.to_string(),
        headers: listed(&ready.headers),
        bound: ready.bound,
        answer: None,
    };
    if let Ok(mut head) = http::Response::builder().status(status).body(reqwest::Body::from("")) {
        *head.headers_mut() = headers(answer);
        leaves.answer = ready.check_head(&mut head).is_ok().then(|| listed(head.headers()));
    }
    leaves
}
