//! DNS pinning against rebinding and SSRF: a granted name may resolve to a private address. Addresses are
//! checked after the look-up, and the connection goes to the address that was checked.

use super::hosts::Hosts;
use crate::address::grant::HttpGrant;
use crate::address::public::not_public;
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// A name resolution function; tests replace it.
pub(crate) type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// The resolver of the system.
pub(crate) fn system_lookup() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// The addresses of a name are all denied.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{name} is at {address}, which is {why}")]
pub(super) struct AddressDenied {
    name: String,
    address: IpAddr,
    why: &'static str,
    port: u16,
}

impl AddressDenied {
    /// Address and port in the form of a grant, without scheme.
    pub(super) fn grantable(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }
}

/// A resolver for connections by one scheme to one port that returns only allowed addresses. The client connects to these
/// addresses; the name is not resolved again.
pub(super) struct Checked {
    pub(super) hosts: Arc<Hosts>,
    pub(super) https: bool,
    pub(super) port: u16,
    pub(super) lookup: Lookup,
    /// Permits for look-ups of the tenant. A look-up of the system cannot be cancelled: it keeps its permit, and its
    /// thread, until it ends, also where nobody waits for it any more.
    pub(super) places: Arc<Semaphore>,
}

impl Checked {
    fn check(
        grants: &[HttpGrant],
        (https, port): (bool, u16),
        name: &str,
        found: Vec<IpAddr>,
    ) -> Result<Vec<SocketAddr>, AddressDenied> {
        let mut refused = None;
        let mut allowed = Vec::new();
        for address in found {
            match not_public(address) {
                Some(why) if !grants.iter().any(|grant| grant.names_address(https, address, port)) => {
                    refused = Some(AddressDenied { name: name.to_owned(), address, why, port });
                }
                _ => allowed.push(SocketAddr::new(address, port)),
            }
        }
        match refused {
            Some(refused) if allowed.is_empty() => Err(refused),
            _ => Ok(allowed),
        }
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (hosts, lookup) = (Arc::clone(&self.hosts), Arc::clone(&self.lookup));
        let place_of_server = (self.https, self.port);
        let places = Arc::clone(&self.places);
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let place = places.acquire_owned().await?;
            let found = lookup(name.clone());
            let found = tokio::spawn(async move {
                let found = found.await;
                drop(place);
                found
            });
            let found = found.await??;
            let allowed = Self::check(&hosts.granted, place_of_server, &name, found)?;
            if allowed.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, format!("{name} has no address")).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reaches_a_private_address_only_where_that_is_granted_too() {
        let addresses =
            |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let grants =
            |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<HttpGrant>>();
        let check = |granted: &[&str], server: &str, found: &[&str]| {
            let (scheme, port) = server.split_once(' ').unwrap();
            let server = (scheme == "https", port.parse().unwrap());
            Checked::check(&grants(granted), server, "erp.example.com", addresses(found))
        };

        assert!(check(&["https://erp.example.com"], "https 443", &["10.0.0.1"]).is_err());
        assert!(
            check(&["https://erp.example.com", "https://10.0.0.1:443"], "https 443", &["10.0.0.1"]).is_ok()
        );
        assert!(
            check(&["https://erp.example.com", "https://10.0.0.1:8443"], "https 443", &["10.0.0.1"]).is_err()
        );
        let both = ["http://10.0.0.1:8443", "http://localhost:8443"];
        for address in ["10.0.0.1", "127.0.0.1"] {
            assert!(check(&both, "http 8443", &[address]).is_ok());
            assert!(check(&both, "https 8443", &[address]).is_err(), "granted for another scheme");
        }
        assert!(check(&["http://localhost:80"], "http 80", &["127.0.0.1", "::1"]).is_ok());
        assert!(check(&["http://localhost:80"], "http 80", &["10.0.0.1"]).is_err());
        let mixed = check(
            &["https://*.example.com"],
            "https 443",
            &["127.0.0.1", "93.184.216.34", "::ffff:10.0.0.1"],
        )
        .unwrap();
        assert_eq!(mixed, ["93.184.216.34:443".parse().unwrap()], "bad addresses are left out");
        let error = check(&["https://*.example.com"], "https 443", &["::ffff:169.254.169.254"]).unwrap_err();
        assert!(error.to_string().contains("metadata"), "{error}");
    }
}
