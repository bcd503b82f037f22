//! What tests of several modules need: a channel whose plugin has found out a secret.

use super::audit::{Audit, HttpCall, LogLine};
use super::budget::BudgetInMemory;
use super::{Channel, ChannelContext, Hosts, Lookup, Secret, Vault};
use crate::limits::Limits;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

/// What is recorded: log lines.
#[derive(Debug, Default)]
pub(crate) struct Recorder(pub(crate) Mutex<Vec<String>>);

impl Audit for Recorder {
    fn http(&self, _: &HttpCall<'_>) {}

    fn log(&self, line: &LogLine<'_>) {
        self.0.lock().unwrap().push(line.text.to_owned());
    }
}

/// The channel of an integration that has this secret.
pub(crate) fn knowing(secret: &str) -> (Arc<Channel>, Arc<Recorder>) {
    let secrets = BTreeMap::from([("key".to_owned(), Secret::new(secret))]);
    let vault = Vault::new(secrets, Vec::new(), &[], &BTreeMap::new());
    let recorder = Arc::new(Recorder::default());
    let context = ChannelContext {
        digest: "d1",
        account: Arc::default(),
        budget: Arc::new(BudgetInMemory::default()),
        audit: Arc::clone(&recorder) as Arc<dyn Audit>,
    };
    let lookup: Lookup = Arc::new(|_| Box::pin(async { Ok(Vec::new()) }));
    let limits = Limits::default();
    let channel = Channel::new("shop".to_owned(), vault, Hosts::default(), limits, lookup, context);
    (Arc::new(channel), recorder)
}

/// The lines that operators read while this is done.
pub(crate) fn told(doing: impl FnOnce()) -> Vec<String> {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let lines = Lines::default();
    let to = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(move || to.clone()).finish();
    tracing::subscriber::with_default(subscriber, doing);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}
