//! HTTP requests to the remote system.
//!
//! From the author's view a request blocks until the whole answer is there. Redirects are not followed,
//! cookies are not kept, and only what the manifest asks for and the operator has granted can be reached.
//!
//! ```no_run
//! use entente_sdk::{Error, http, secrets};
//!
//! #[derive(serde::Deserialize)]
//! struct Account {
//!     name: String,
//! }
//!
//! fn account(base: &str, id: &str) -> Result<String, Error> {
//!     let url = format!("{base}/accounts/{}", http::segment(id));
//!     let request = http::Request::get(url).query("fields", "name").authorization(secrets::bearer("api-key")?);
//!     let account: Account = request.send()?.error_for_status()?.json()?;
//!     Ok(account.name)
//! }
//! ```

mod encode;
mod request;
mod response;
#[cfg(target_family = "wasm")]
pub(crate) mod transport;

pub(crate) use encode::decode_pairs;
pub use encode::segment;
pub use request::{Request, send_all};
pub use response::Response;
