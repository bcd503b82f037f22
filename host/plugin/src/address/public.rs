//! Special-purpose address ranges (RFC 6890 and the registries of IANA): which addresses are not of the
//! public network, so that a server-side request forgery (SSRF) cannot reach them through a granted name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not public; `None` for a public one.
pub(crate) fn not_public(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

/// Why a name is none of the public network; `None` where it may be one. These are the names that are set apart for that:
/// `localhost` (RFC 6761), `local` (RFC 6762), `home.arpa` (RFC 8375), `internal` (ICANN, 2024), and those that are used so without
/// having been set apart. A name without a dot is looked up in the network of the machine.
pub(crate) fn name_not_public(name: &str) -> Option<&'static str> {
    const PRIVATE: [&str; 16] = [
        "internal",
        "local",
        "home.arpa",
        "lan",
        "home",
        "corp",
        "intranet",
        "private",
        "localdomain",
        "test",
        "invalid",
        "onion",
        "alt",
        "svc",
        "consul",
        "in-addr.arpa",
    ];
    let is_below =
        |suffix: &str| name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    match name {
        _ if is_below("localhost") => Some("this machine"),
        _ if PRIVATE.iter().any(|suffix| is_below(suffix)) => Some("a private network"),
        _ if !name.contains('.') => Some("a name of a private network"),
        _ => None,
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
        // IPv6 addresses that embed an IPv4 address are public if that one is.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x10_names_that_are_set_apart_are_not_public() {
        for (name, why) in [
            ("localhost", Some("this machine")),
            ("a.localhost", Some("this machine")),
            ("metadata.google.internal", Some("a private network")),
            ("nas.local", Some("a private network")),
            ("fritz.home.arpa", Some("a private network")),
            ("intranet", Some("a private network")),
            ("erp", Some("a name of a private network")),
            ("api.example.com", None),
            ("notlocalhost.example", None),
            ("mylocal.example", None),
            ("internal.example.com", None),
        ] {
            assert_eq!(name_not_public(name), why, "{name}");
        }
    }

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
}
