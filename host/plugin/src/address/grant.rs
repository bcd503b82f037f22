//! Egress grants: host patterns, and whether an address matches them. Pure: text in, decision out.

use super::public::{name_not_public, not_public};
use super::remark::reads_as;
use crate::text::is_unseen;
use reqwest::Url;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A grant to send requests to a host: `https://api.example.com`, `https://*.example.com`,
/// `https://erp.example.com:8443`, `http://127.0.0.1:8787`.
///
/// Plain http and private addresses need a literal grant, private addresses with their port. A wildcard
/// matches sub-domains, never the domain itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpGrant {
    https: bool,
    host: Host,
    port: u16,
    /// Whether the port was written explicitly.
    explicit: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Host {
    Name(String),
    /// `.example.com` for `*.example.com`.
    Below(String),
    Address(IpAddr),
}

/// A text that is not a grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' cannot be granted: {reason}")]
pub struct GrantError {
    /// The text.
    pub text: String,
    /// The reason, and what to write instead.
    pub reason: String,
}

/// The target of a request: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    https: bool,
    host: TargetHost,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TargetHost {
    Name(String),
    Address(IpAddr),
}

impl Target {
    /// The target of a URL after WHATWG normalisation, so that `0x7f.1` is 127.0.0.1 here as it is for the
    /// HTTP client.
    pub(crate) fn of(url: &Url) -> Result<Self, &'static str> {
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err("only http and https are possible"),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("user and password do not belong into an address; use a secret");
        }
        let host = host(url.host_str().unwrap_or_default()).ok_or("it has no host")?;
        let port = url.port_or_known_default().ok_or("it has no port")?;
        if matches!(&host, TargetHost::Name(name) if name.ends_with('.')) {
            return Err("its host ends with a dot");
        }
        // URLs allow shell metacharacters and stars; but hosts are shown to the operator in commands to copy.
        let odd = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.' | '_');
        if matches!(&host, TargetHost::Name(name) if name.contains(odd)) {
            return Err("its host has a character that no host name has");
        }
        Ok(Self { https, host, port })
    }

    pub(crate) fn https(&self) -> bool {
        self.https
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Target {
    /// In the form of a grant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = match &self.host {
            TargetHost::Address(address) => not_public(*address).is_some(),
            TargetHost::Name(name) => name == "localhost",
        };
        let host = match &self.host {
            TargetHost::Name(name) => name.clone(),
            TargetHost::Address(IpAddr::V6(address)) => format!("[{address}]"),
            TargetHost::Address(address) => address.to_string(),
        };
        write_address(f, self.https, &host, self.port, local)
    }
}

fn write_address(
    f: &mut fmt::Formatter<'_>,
    https: bool,
    host: &str,
    port: u16,
    explicit: bool,
) -> fmt::Result {
    write!(f, "{}://{host}", if https { "https" } else { "http" })?;
    if explicit || port != default_port(https) { write!(f, ":{port}") } else { Ok(()) }
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

/// A host as `Url::host_str` returns it.
fn host(text: &str) -> Option<TargetHost> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match bare.parse::<IpAddr>() {
        Ok(address) => Some(TargetHost::Address(address.to_canonical())),
        Err(_) if text.is_empty() => None,
        Err(_) => Some(TargetHost::Name(text.to_ascii_lowercase())),
    }
}

impl HttpGrant {
    /// The grant for the host of an address, whatever its path; `None` where the host cannot be granted.
    pub fn of_address(address: &str) -> Option<Self> {
        let url = Url::parse(address.trim()).ok()?;
        Target::of(&url).ok()?.to_string().parse().ok()
    }

    pub(crate) fn allows(&self, target: &Target) -> bool {
        self.https == target.https
            && self.port == target.port
            && match (&self.host, &target.host) {
                (Host::Name(granted), TargetHost::Name(name)) => granted == name,
                (Host::Below(suffix), TargetHost::Name(name)) => {
                    name.len() > suffix.len() && name.ends_with(suffix.as_str())
                }
                (Host::Address(granted), TargetHost::Address(address)) => granted == address,
                _ => false,
            }
    }

    /// Why the host is none of the public network; `None` where it is one, or a name that may be one.
    pub fn not_public(&self) -> Option<&'static str> {
        match &self.host {
            Host::Address(address) => not_public(*address),
            Host::Name(name) => name_not_public(name),
            Host::Below(suffix) => name_not_public(suffix.trim_start_matches('.')),
        }
    }

    /// What a person should know about the host before it is granted: how it reads, where it is not in ASCII, and whether it is in
    /// no public network.
    pub fn remark(&self) -> Option<String> {
        let reads = match &self.host {
            Host::Name(name) => reads_as(name),
            Host::Below(suffix) => reads_as(suffix.trim_start_matches('.')),
            Host::Address(_) => None,
        };
        reads.or_else(|| self.not_public().map(str::to_owned))
    }

    /// Whether some address matches both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.https == other.https
            && self.port == other.port
            && match (&self.host, &other.host) {
                (Host::Name(name), Host::Below(suffix)) | (Host::Below(suffix), Host::Name(name)) => {
                    name.len() > suffix.len() && name.ends_with(suffix.as_str())
                }
                (Host::Below(one), Host::Below(other)) => {
                    one.ends_with(other.as_str()) || other.ends_with(one.as_str())
                }
                (one, other) => one == other,
            }
    }

    /// Whether it names this scheme, address and port literally, which private addresses require.
    pub(crate) fn names_address(&self, https: bool, address: IpAddr, port: u16) -> bool {
        self.explicit
            && self.https == https
            && self.port == port
            && match &self.host {
                Host::Address(granted) => *granted == address.to_canonical(),
                Host::Name(name) => name == "localhost" && address.to_canonical().is_loopback(),
                Host::Below(_) => false,
            }
    }
}

/// Whether a text is not what it looks like, with a reason where the form of a grant does not say it. URL parsing silently drops some
/// characters, so that the grant would differ from what was typed.
fn unreadable(text: &str) -> Option<Option<&'static str>> {
    if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Some(None);
    }
    text.contains(is_unseen).then_some(Some("it has a character in it that cannot be seen"))
}

impl FromStr for HttpGrant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let error =
            |reason: &str| GrantError { text: crate::text::clean(text, 200), reason: reason.to_owned() };
        let form =
            "write for example https://api.example.com, https://*.example.com or http://127.0.0.1:8787";
        if let Some(reason) = unreadable(text.trim()) {
            return Err(error(reason.unwrap_or(form)));
        }
        let (scheme, rest) = text.trim().split_once("://").ok_or_else(|| error(form))?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(error("only http and https can be granted")),
        };
        let (wildcard, rest) = match rest.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        if rest.contains('*') {
            return Err(error(
                "a wildcard can only stand for sub-domains, at the beginning: https://*.example.com",
            ));
        }
        // `Url` tolerates such characters, and would parse another address than a person reads.
        if rest.starts_with('/') || rest.contains(|c: char| c == '\\' || c.is_whitespace() || c.is_control())
        {
            return Err(error(form));
        }
        let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|_| error(form))?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(error("grants are for hosts; leave out the path"));
        }
        let target = Target::of(&url).map_err(error)?;
        // `Url` drops a default port; only the text shows whether it was written.
        let explicit = rest
            .split(['/', '\\', '?', '#'])
            .next()
            .unwrap_or_default()
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = match target.host {
            TargetHost::Address(_) if wildcard => {
                return Err(error("a wildcard cannot be combined with an IP address"));
            }
            TargetHost::Address(address) => {
                if not_public(address).is_some() && !explicit {
                    return Err(error(
                        "addresses of this machine or a private network need their port, for example http://127.0.0.1:8787",
                    ));
                }
                Host::Address(address)
            }
            TargetHost::Name(_) if wildcard && !https => {
                return Err(error("plain http can be granted for a literal host only, without a wildcard"));
            }
            TargetHost::Name(name) if wildcard && !name.contains('.') => {
                return Err(error("a wildcard for a whole top-level domain is too broad"));
            }
            TargetHost::Name(name) if wildcard => Host::Below(format!(".{name}")),
            TargetHost::Name(name) if name == "localhost" && !explicit => {
                return Err(error(
                    "addresses of this machine need their port, for example http://localhost:8787",
                ));
            }
            TargetHost::Name(name) => Host::Name(name),
        };
        Ok(Self { https, host, port: target.port, explicit })
    }
}

impl fmt::Display for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match &self.host {
            Host::Name(name) => name.clone(),
            Host::Below(suffix) => format!("*{suffix}"),
            Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
            Host::Address(address) => address.to_string(),
        };
        write_address(f, self.https, &host, self.port, self.explicit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(grant: &str, url: &str) -> bool {
        let url = Url::parse(url).unwrap();
        Target::of(&url).is_ok_and(|target| grant.parse::<HttpGrant>().unwrap().allows(&target))
    }

    #[test]
    fn grants_that_have_an_address_in_common_overlap() {
        let table = [
            ("https://api.example.com", "https://api.example.com:443", true),
            ("https://api.example.com", "https://*.example.com", true),
            ("https://*.example.com", "https://*.eu.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "https://*.otherexample.com", false),
            ("https://api.example.com", "http://api.example.com", false),
            ("http://127.0.0.1:1", "http://127.0.0.1:2", false),
            ("http://127.0.0.1:1", "http://127.0.0.1:1", true),
        ];
        for (one, other, expected) in table {
            let [one, other] = [one, other].map(|text| text.parse::<HttpGrant>().unwrap());
            assert_eq!([one.overlaps(&other), other.overlaps(&one)], [expected; 2], "{one} {other}");
        }
    }

    #[test]
    fn a_grant_allows_what_it_says_and_nothing_else() {
        let table = [
            ("https://api.example.com", "https://api.example.com/v1?x=1", true),
            ("https://api.example.com", "https://API.EXAMPLE.COM./", false),
            ("https://api.example.com", "https://API.Example.com:443/", true),
            ("https://api.example.com:443", "https://api.example.com/", true),
            ("https://api.example.com", "http://api.example.com/", false),
            ("https://api.example.com", "https://api.example.com:8443/", false),
            ("https://api.example.com", "https://api.example.com.evil.org/", false),
            ("https://api.example.com", "https://evil.org/api.example.com", false),
            ("https://api.example.com", "https://api.example.com@evil.org/", false),
            ("https://api.example.com", "https://me:pw@api.example.com/", false),
            ("https://api.example.com", "https://example.com/", false),
            ("https://*.example.com", "https://api.example.com/", true),
            ("https://*.example.com", "https://a.b.example.com/", true),
            ("https://*.example.com", "https://example.com/", false),
            ("https://*.example.com", "https://evilexample.com/", false),
            ("https://*.example.com", "https://.example.com/", false),
            ("https://*.example.com:8443", "https://api.example.com:8443/", true),
            ("https://*.example.com", "https://169.254.169.254/", false),
            ("http://127.0.0.1:8787", "http://127.0.0.1:8787/x", true),
            ("http://127.0.0.1:8787", "http://127.0.0.1:8788/x", false),
            ("http://127.0.0.1:8787", "http://127.1:8787/x", true),
            ("http://127.0.0.1:8787", "http://0x7f000001:8787/x", true),
            ("http://127.0.0.1:8787", "http://[::ffff:127.0.0.1]:8787/x", true),
            ("http://127.0.0.1:8787", "http://localhost:8787/x", false),
            ("http://[::1]:8787", "http://[0:0::1]:8787/", true),
            ("https://bücher.example", "https://xn--bcher-kva.example/", true),
            ("http://plain.example.com", "http://plain.example.com/", true),
            ("https://*.example.com", "https://*.example.com/", false),
            ("https://*.example.com", "https://$(reboot).example.com/", false),
            ("https://*.example.com", "https://a;b.example.com/", false),
        ];
        for (grant, url, expected) in table {
            assert_eq!(allows(grant, url), expected, "{grant} for {url}");
        }
    }

    #[test]
    fn what_cannot_be_granted_is_told() {
        let table = [
            ("api.example.com", "write for example"),
            ("ftp://example.com", "only http and https"),
            ("https://example.com/path", "leave out the path"),
            ("https://*.com", "top-level"),
            ("https://*", "wildcard"),
            ("https://a.*.com", "wildcard"),
            ("https://*.10.0.0.1", "wildcard cannot be combined"),
            ("http://*.example.com", "literal host only"),
            ("http://127.0.0.1", "need their port"),
            ("https://10.1.2.3", "need their port"),
            ("https://169.254.169.254", "need their port"),
            ("http://localhost", "need their port"),
            ("https://me@example.com", "user and password"),
            ("https://a`b`.example.com", "no host name has"),
            ("https://", "write for example"),
            ("http:////10.0.0.1:8787/", "write for example"),
            ("https://api.exa\tmple.com:8443", "write for example"),
            ("https:/\\api.example.com", "write for example"),
            ("http://api.example.com:8\u{6}", "write for example"),
            ("http://127.0.0.1:8\t0", "write for example"),
            ("https://api.exam\u{200b}ple.com", "cannot be seen"),
            ("https://api.exam\u{ad}ple.com", "cannot be seen"),
            ("https://api\u{fe0f}.example.com", "cannot be seen"),
            ("https://\u{202e}moc.elpmaxe", "cannot be seen"),
        ];
        for (text, expected) in table {
            let error = text.parse::<HttpGrant>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn what_the_operator_is_told_to_grant_is_the_target_and_nothing_more() {
        for url in [
            "https://api.example.com/x",
            "http://localhost/",
            "http://127.0.0.1/",
            "http://[::1]:81/",
            "https://a_b.example.com:8443/",
        ] {
            let target = Target::of(&Url::parse(url).unwrap()).unwrap();
            let grant: HttpGrant = target.to_string().parse().unwrap();
            assert!(grant.allows(&target), "{target}");
        }
        for url in [
            "https://*.com/",
            "https://a$(reboot).com/",
            "https://x;y.com/",
            "https://'a'.com/",
            "https://a{b}.com/",
        ] {
            assert!(Url::parse(url).is_ok(), "{url}");
            assert_eq!(
                Target::of(&Url::parse(url).unwrap()),
                Err("its host has a character that no host name has"),
                "{url}"
            );
        }
    }

    #[test]
    fn a_grant_is_shown_as_it_can_be_typed() {
        for text in [
            "https://api.example.com",
            "https://*.example.com:8443",
            "http://127.0.0.1:8787",
            "http://127.0.0.1:80",
            "http://[::1]:8787",
        ] {
            let grant: HttpGrant = text.parse().unwrap();
            assert_eq!(grant.to_string(), text);
            assert_eq!(grant.to_string().parse::<HttpGrant>().unwrap(), grant);
        }
        let dotted: HttpGrant = "https://api.example.com:8443/.".parse().unwrap();
        assert_eq!(dotted, "https://api.example.com:8443".parse().unwrap());
    }
}
