//! The stream of a request's body: what is written and not sent yet is on the account of the plugin.

use crate::fair::held::{Buffer, Held};
use bytes::Bytes;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};

/// The stream of wasmtime, whose chunks carry what they have taken.
pub(super) struct Written {
    inner: DynOutputStream,
    held: Held,
}

impl Written {
    pub(super) fn new(inner: DynOutputStream, held: Held) -> Self {
        Self { inner, held }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Written {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Written {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let kept = Buffer::new(&self.held).and_then(|mut buffer| {
            buffer.extend(&bytes)?;
            Ok(buffer.freeze())
        });
        // A trap rather than an error of the stream, which a plugin may take for a failure of the connection.
        self.inner.write(kept.map_err(|limit| StreamError::Trap(limit.into()))?)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}
