//! From names to addresses: a name that is granted may still point to where nobody wanted to let a plugin.

use super::grant::{Hosts, HttpGrant};
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// How a name is looked up; tests bring their own.
pub(crate) type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// As the machine does it.
pub(crate) fn system_lookup() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// Why an address is not of the public network, if it is not.
pub(super) fn not_public(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

fn v4(address: Ipv4Addr) -> Option<&'static str> {
    Some(match address.octets() {
        [0, ..] => "unspecified",
        [127, ..] => "this machine",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "a private network",
        [169, 254, ..] => "link-local, as metadata services are",
        [100, 64..=127, ..] => "shared between providers",
        [192, 0, 0, _] | [198, 18..=19, ..] | [192, 88, 99, _] => "reserved",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "for documentation",
        [224..=239, ..] => "multicast",
        [240..=255, ..] => "reserved",
        _ => return None,
    })
}

fn v6(address: Ipv6Addr) -> Option<&'static str> {
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        v4(Ipv4Addr::new(a, b, c, d))
    };
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "unspecified",
        [0, 0, 0, 0, 0, 0, 0, 1] => "this machine",
        // Addresses that carry an IPv4 address are as public as that one.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => return embedded(high, low),
        [0x2002, high, low, ..] => return embedded(high, low),
        [0x2001, 0, ..] => "a tunnel",
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => "for documentation",
        [0xfc00..=0xfdff, ..] => "a private network",
        [0xfe80..=0xfeff, ..] => "link-local",
        [0xff00..=0xffff, ..] => "multicast",
        [0x2000..=0x3fff, ..] => return None,
        _ => "reserved",
    })
}

/// None of the addresses of a name may be called.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{name} is at {address}, which is {why}")]
pub(super) struct AddressDenied {
    name: String,
    address: IpAddr,
    why: &'static str,
    port: u16,
}

impl AddressDenied {
    /// The address and port as a grant would name it, without its scheme.
    pub(super) fn grantable(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }
}

/// Resolves names for connections to one port, and lets through only what may be called. The addresses that
/// were checked are those that are connected to; the name is not looked up again.
pub(super) struct Checked {
    pub(super) hosts: Arc<Hosts>,
    pub(super) port: u16,
    pub(super) lookup: Lookup,
}

impl Checked {
    fn check(
        grants: &[HttpGrant],
        port: u16,
        name: &str,
        found: Vec<IpAddr>,
    ) -> Result<Vec<SocketAddr>, AddressDenied> {
        let mut refused = None;
        let mut allowed = Vec::new();
        for address in found {
            match not_public(address) {
                Some(why) if !grants.iter().any(|grant| grant.names_address(address, port)) => {
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
        let (hosts, port, lookup) = (Arc::clone(&self.hosts), self.port, Arc::clone(&self.lookup));
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found = lookup(name.clone()).await?;
            let allowed = Self::check(&hosts.granted, port, &name, found)?;
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
    fn only_addresses_of_the_public_network_are_public() {
        let public = [
            "93.184.216.34",
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ];
        for address in public {
            assert_eq!(not_public(address.parse().unwrap()), None, "{address}");
        }
        let not = [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "100::1",
        ];
        for address in not {
            assert!(not_public(address.parse().unwrap()).is_some(), "{address}");
        }
    }

    #[test]
    fn a_name_reaches_a_private_address_only_where_that_is_granted_too() {
        let addresses =
            |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let grants =
            |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<HttpGrant>>();
        let check = |granted: &[&str], port, found: &[&str]| {
            Checked::check(&grants(granted), port, "erp.example.com", addresses(found))
        };

        assert!(check(&["https://erp.example.com"], 443, &["10.0.0.1"]).is_err());
        assert!(check(&["https://erp.example.com", "https://10.0.0.1:443"], 443, &["10.0.0.1"]).is_ok());
        assert!(check(&["https://erp.example.com", "https://10.0.0.1:8443"], 443, &["10.0.0.1"]).is_err());
        assert!(check(&["http://localhost:80"], 80, &["127.0.0.1", "::1"]).is_ok());
        assert!(check(&["http://localhost:80"], 80, &["10.0.0.1"]).is_err());
        let mixed =
            check(&["https://*.example.com"], 443, &["127.0.0.1", "93.184.216.34", "::ffff:10.0.0.1"])
                .unwrap();
        assert_eq!(mixed, ["93.184.216.34:443".parse().unwrap()], "bad addresses are left out");
        let error = check(&["https://*.example.com"], 443, &["::ffff:169.254.169.254"]).unwrap_err();
        assert!(error.to_string().contains("metadata"), "{error}");
    }
}
