//! The server: configuration, start and graceful shutdown.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::clock::{Clock, SystemClock};
use crate::connection::{Connection, CuttableListener};
use crate::handle::Handle;
use crate::listing::{LARGEST, MOST};
use crate::seed::Seed;
use crate::store::StoreError;

/// How long a stop waits for requests that are under way.
const GRACE: Duration = Duration::from_secs(5);

/// What a server is started with.
#[derive(Clone)]
pub struct Config {
    /// Where to listen; port 0 for any free one.
    pub listen: SocketAddr,
    /// The state file; without one the state is lost at the end.
    pub data: Option<PathBuf>,
    /// The key that may read and write.
    pub api_key: String,
    /// A key that may only read.
    pub read_only_key: Option<String>,
    /// The key for `/control`; without one it answers to callers of the same machine only.
    pub control_key: Option<String>,
    /// What to begin with where there is no state file yet.
    pub seed: Option<Seed>,
    /// How many records a page has where the caller does not say.
    pub page_size: usize,
    /// How many records a page has at most; 1000 are possible.
    pub largest_page: usize,
    /// Whether two people may not have one e-mail address.
    pub unique_email: bool,
    /// Most requests a second, by the server's clock.
    pub requests_per_second: Option<u32>,
    /// How much later each answer under `/v1` comes.
    pub latency: Duration,
    /// Largest body in bytes.
    pub max_body: usize,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Config {
    /// A server on a free port of the loopback address, without a file and without records.
    pub fn new(api_key: impl Into<String>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data: None,
            api_key: api_key.into(),
            read_only_key: None,
            control_key: None,
            seed: None,
            page_size: 100,
            largest_page: MOST,
            unique_email: false,
            requests_per_second: None,
            latency: Duration::ZERO,
            max_body: 2 * 1024 * 1024,
            clock: Arc::new(SystemClock),
        }
    }

    pub(crate) fn check(&self) -> Result<(), StartError> {
        let keys = [Some(&self.api_key), self.read_only_key.as_ref(), self.control_key.as_ref()];
        if keys.into_iter().flatten().any(|key| key.trim().is_empty()) {
            return Err(StartError::Config("a key must not be blank".to_owned()));
        }
        if self.read_only_key.as_ref() == Some(&self.api_key) {
            return Err(StartError::Config("the read-only key must not be the API key".to_owned()));
        }
        if !(1..=LARGEST).contains(&self.largest_page) {
            return Err(StartError::Config(format!("the largest page must lie between 1 and {LARGEST}")));
        }
        if !(1..=self.largest_page).contains(&self.page_size) {
            let largest = self.largest_page;
            return Err(StartError::Config(format!("the page size must lie between 1 and {largest}")));
        }
        if self.requests_per_second == Some(0) {
            return Err(StartError::Config("at least one request a second must be allowed".to_owned()));
        }
        Ok(())
    }

    /// Takes the keys out of a text that is to be kept or shown.
    pub(crate) fn redact(&self, text: &str) -> String {
        let keys = [Some(&self.api_key), self.read_only_key.as_ref(), self.control_key.as_ref()];
        keys.into_iter().flatten().fold(text.to_owned(), |text, key| text.replace(key.as_str(), "***"))
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("data", &self.data)
            .finish_non_exhaustive()
    }
}

/// A server that did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration makes no sense.
    #[error("{0}")]
    Config(String),
    /// The state file cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The seed cannot be used.
    #[error("the seed cannot be used: {0}")]
    Seed(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    handle: Handle,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Loads the state, or begins one, and listens.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let address = config.listen;
        let handle = Handle::new(config)?;
        let listen = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        let service = crate::router(handle.clone()).into_make_service_with_connect_info::<Connection>();
        let stopping = handle.clone();
        let serving = axum::serve(CuttableListener(listener), service)
            .with_graceful_shutdown(async move { stopping.stopped().await });
        let task = tokio::spawn(async move { serving.await });
        Ok(Self { addr, handle, task })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where it listens, as the beginning of a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The server from inside.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Answers what is under way, for some seconds at most, and stops. The state has been saved.
    pub async fn stop(mut self) -> Result<(), StoreError> {
        self.handle.stop();
        match tokio::time::timeout(GRACE, &mut self.task).await {
            Ok(_) => {}
            Err(_) => tracing::warn!("some requests were still under way"),
        }
        self.handle.0.crm.flush()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.stop();
        self.task.abort();
    }
}
