use super::*;
use crate::config::{Grants, Integration, SecretGrant, SecretInfo};
use entente_core::Value;
use entente_plugin::Manifest;
use std::collections::BTreeMap;

/// A plugin with a host of its own, one that a setting names, a secret that is sent and one that signs.
const MANIFEST: &str = r#"
state = { reason = "remembers the last batch" }
[[setting]]
name = "url"
reason = "where it is"
[[host]]
address = "https://api.example.com"
reason = "the API"
[[host]]
address = "{url}"
reason = "your own server"
[[secret]]
name = "key"
hosts = ["{url}"]
header = "authorization"
reason = "signs in"
[[secret]]
name = "signing"
use = "sign"
reason = "webhooks"
"#;

fn manifest(toml: &str) -> Manifest {
    Manifest::from_toml(toml).unwrap()
}

fn integration(url: Option<&str>, grants: Grants) -> Integration {
    Integration {
        name: "shop".to_owned(),
        plugin: "shop".to_owned(),
        digest: "0".repeat(64),
        enabled: true,
        settings: url.map(|url| ("url".to_owned(), Value::text(url))).into_iter().collect(),
        grants,
    }
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).into()
}

fn place(secret: &str, host: Option<&str>) -> SecretPlace {
    SecretPlace { secret: secret.to_owned(), host: host.map(str::to_owned) }
}

fn secret(header: Option<&str>, hosts: &[&str]) -> SecretGrant {
    SecretGrant {
        hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
        header: header.map(str::to_owned),
        query: None,
    }
}

fn all() -> GrantRequest {
    GrantRequest { all: true, ..GrantRequest::default() }
}

/// Decides about the plugin above; both its secrets have a value.
fn decide(before: &Integration, request: &GrantRequest) -> Result<GrantDecision, GrantRefused> {
    let stored =
        ["key", "signing", "other"].map(|name| SecretInfo { name: name.to_owned(), key: String::new() });
    decide_grant(before, &manifest(MANIFEST), &stored, request)
}

const API: &str = "https://api.example.com";
const SHOP: &str = "https://shop.example.com";

/// Everything that the plugin above asks for, granted.
fn whole() -> Grants {
    Grants {
        http: texts([API, SHOP]),
        secrets: BTreeMap::from([
            ("key".to_owned(), secret(Some("authorization"), &[SHOP])),
            ("signing".to_owned(), secret(None, &[])),
        ]),
        no_state: false,
    }
}

#[test]
fn nothing_asked_changes_nothing_and_tells_what_is_open() {
    let before = integration(Some(SHOP), Grants::default());
    let decision = decide(&before, &GrantRequest::default()).unwrap();
    assert_eq!(decision.grants, before.grants);
    assert!(decision.widened.is_empty() && decision.narrowed.is_empty());
    assert_eq!(decision.open_hosts, [API, SHOP]);
    assert_eq!(decision.open_secrets, ["key", "signing"]);
    assert_eq!(decision.notices, []);
}

#[test]
fn all_is_what_the_plugin_asks_for_and_no_more() {
    let before = integration(Some("https://shop.example.com/some/path"), Grants::default());
    let decision = decide(&before, &all()).unwrap();
    assert_eq!(decision.grants, whole());
    let widened = GrantDifference {
        hosts: texts([API, SHOP]),
        secrets: vec![place("key", Some(SHOP)), place("signing", None)],
        state: false,
    };
    assert_eq!(decision.widened, widened);
    assert_eq!((decision.open_hosts, decision.open_secrets), (vec![], vec![]));
    assert_eq!(decision.notices, []);
    let again = decide(&integration(Some(SHOP), whole()), &all()).unwrap();
    assert!(again.widened.is_empty() && again.narrowed.is_empty(), "{again:?}");
}

#[test]
fn what_cannot_be_granted_is_told() {
    let decision = decide(&integration(None, Grants::default()), &all()).unwrap();
    assert_eq!(decision.grants.http, [API]);
    assert_eq!(decision.notices, [IntegrationNotice::HostUnknown { address: "{url}".to_owned() }], "once");
    let any = manifest("[[host]]\naddress = \"*\"\nreason = \"x\"");
    let decision = decide_grant(&integration(None, Grants::default()), &any, &[], &all()).unwrap();
    assert_eq!(decision.grants, Grants::default(), "a plugin never gets every host");
    assert_eq!(decision.notices, [IntegrationNotice::AnyHost]);
}

#[test]
fn x10_hosts_of_no_public_network_are_granted_by_their_name_only() {
    let local = "http://127.0.0.1:8787";
    let decision = decide(&integration(Some(local), Grants::default()), &all()).unwrap();
    assert_eq!(decision.grants.http, [API], "whoever set it");
    assert_eq!(decision.grants.secrets["key"].hosts, [""; 0]);
    let told = IntegrationNotice::HostNotPublic { host: local.to_owned(), why: "this machine" };
    assert_eq!(decision.notices, [told], "once");
    // Named, it is one of the hosts, also for secrets.
    let named = GrantRequest { hosts: texts([local]), ..all() };
    let decision = decide(&integration(Some(local), Grants::default()), &named).unwrap();
    assert_eq!(decision.grants.http, [local, API]);
    assert_eq!(decision.grants.secrets["key"].hosts, [local]);
    assert_eq!(decision.notices, []);
    // However a manifest writes it, and in a new version.
    for (address, why) in [
        ("https://[::ffff:a9fe:a9fe]:443", "link-local, as metadata services are"),
        ("https://2130706433:443", "this machine"),
        ("http://localhost:80", "this machine"),
        ("https://10.1.2.3:443", "a private network"),
        ("https://[fd00::1]:443", "a private network"),
    ] {
        let asks = manifest(&format!("[[host]]\naddress = \"{address}\"\nreason = \"x\""));
        let decision = decide_grant(&integration(None, Grants::default()), &asks, &[], &all()).unwrap();
        assert_eq!(decision.grants.http, [""; 0], "{address}");
        let [IntegrationNotice::HostNotPublic { why: told, .. }] = &decision.notices[..] else {
            panic!("{address}: {:?}", decision.notices)
        };
        assert_eq!(*told, why, "{address}");
        let upgrade = decide_upgrade(&integration(None, Grants::default()), &Manifest::default(), &asks);
        assert!(upgrade.grants.http.is_empty() && upgrade.notices.len() == 1, "{address}");
    }
}

#[test]
fn a_secret_without_a_host_goes_to_every_host_that_is_granted() {
    let request = |hosts: &[&str], secrets: Vec<SecretPlace>| GrantRequest {
        hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
        secrets,
        ..GrantRequest::default()
    };
    let bare = integration(None, Grants::default());
    let decision = decide(&bare, &request(&[API, SHOP], vec![place("key", None)])).unwrap();
    assert_eq!(decision.grants.secrets["key"], secret(Some("authorization"), &[API, SHOP]));
    let decision = decide(&bare, &request(&[API], vec![place("key", Some(SHOP))])).unwrap();
    assert_eq!(decision.grants.secrets["key"], secret(Some("authorization"), &[SHOP]));
    // One that signs is never sent, wherever it is said to go.
    for host in [None, Some(API)] {
        let decision = decide(&bare, &request(&[API], vec![place("signing", host)])).unwrap();
        assert_eq!(decision.grants.secrets["signing"], secret(None, &[]));
        assert_eq!(decision.widened.secrets, [place("signing", None)]);
    }
    let refused = decide(&bare, &request(&[], vec![place("key", None)])).unwrap_err();
    insta::assert_snapshot!(refused, @"the secret 'key' needs a host that it may be sent to");
    assert_eq!(refused.remedies().len(), 1);
}

#[test]
fn a_no_counts_for_more_than_a_yes() {
    let before = integration(Some(SHOP), whole());
    let request = GrantRequest { no_hosts: texts([API]), state: Some(false), ..all() };
    let decision = decide(&before, &request).unwrap();
    assert_eq!((decision.grants.http, decision.grants.no_state), (texts([SHOP]), true));
    let narrowed = GrantDifference { hosts: texts([API]), secrets: vec![], state: true };
    assert_eq!((decision.widened, decision.narrowed), (GrantDifference::default(), narrowed));
    assert_eq!(decision.open_hosts, [API]);
    // A secret that has lost its last host is not granted any more.
    let request = GrantRequest { no_secrets: vec![place("key", Some(SHOP))], ..GrantRequest::default() };
    let decision = decide(&before, &request).unwrap();
    assert_eq!(decision.grants.secrets.keys().collect::<Vec<_>>(), ["signing"]);
    assert_eq!(decision.narrowed.secrets, [place("key", Some(SHOP))]);
    // All hosts and secrets go first; whether it keeps state is another matter.
    let request = GrantRequest { reset: true, hosts: texts([API]), ..GrantRequest::default() };
    let kept = Grants { no_state: true, ..whole() };
    let decision = decide(&integration(Some(SHOP), kept), &request).unwrap();
    let only = Grants { http: texts([API]), no_state: true, ..Grants::default() };
    assert_eq!(decision.grants, only);
    assert!(decision.widened.is_empty());
}

#[test]
fn what_is_not_granted_cannot_be_taken_away() {
    let before = integration(Some(SHOP), whole());
    let other = "https://other.example.com";
    let requests = [
        GrantRequest { no_hosts: texts([other]), ..GrantRequest::default() },
        GrantRequest { no_secrets: vec![place("other", None)], ..GrantRequest::default() },
        GrantRequest { no_secrets: vec![place("key", Some(other))], ..GrantRequest::default() },
    ];
    let said = requests.map(|request| decide(&before, &request).unwrap_err().to_string());
    insta::assert_snapshot!(said.join("\n"), @"
    no grant is written 'https://other.example.com'; there are: https://api.example.com, https://shop.example.com
    the secret 'other' is not granted
    no grant of the secret 'key' is written 'https://other.example.com'; there are: https://shop.example.com
    ");
}

#[test]
fn grants_of_no_use_and_secrets_without_a_value_are_told() {
    let request = GrantRequest {
        hosts: texts(["https://other.example.com"]),
        secrets: vec![place("other", Some(API)), place("unset", Some(API))],
        ..GrantRequest::default()
    };
    let decision = decide(&integration(Some(SHOP), whole()), &request).unwrap();
    let secret = |name: &str| name.to_owned();
    assert_eq!(
        decision.notices,
        [
            IntegrationNotice::HostNotAsked { host: secret("https://other.example.com") },
            IntegrationNotice::SecretNotAsked { secret: secret("other") },
            IntegrationNotice::SecretNotAsked { secret: secret("unset") },
        ]
    );
    // One that is not asked for needs no value; one that is, does.
    let unset =
        decide_grant(&integration(Some(SHOP), whole()), &manifest(MANIFEST), &[], &GrantRequest::default());
    assert!(unset.unwrap().notices.contains(&IntegrationNotice::SecretNotSet { secret: secret("key") }));
    let nothing = Manifest::default();
    let decision =
        decide_grant(&integration(None, whole()), &nothing, &[], &GrantRequest::default()).unwrap();
    assert!(decision.notices.contains(&IntegrationNotice::NoHostAsked));
}

#[test]
fn another_way_out_for_a_secret_is_more() {
    let with = |grant: SecretGrant| Grants {
        secrets: BTreeMap::from([("key".to_owned(), grant)]),
        ..Grants::default()
    };
    let header = with(secret(Some("authorization"), &[API]));
    let query = with(SecretGrant { query: Some("key".to_owned()), ..secret(Some("authorization"), &[API]) });
    assert_eq!(GrantDifference::beyond(&query, &header).secrets, [place("key", Some(API))]);
    assert!(GrantDifference::beyond(&header, &header).is_empty());
}

#[test]
fn a_new_integration_gets_what_is_named_and_its_secrets_go_nowhere_else() {
    let settings = BTreeMap::from([("url".to_owned(), Value::text(SHOP))]);
    let secrets = texts(["key"]);
    let of = |hosts: &[&str], all: bool| {
        let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        grants_of_new(&manifest(MANIFEST), &settings, &hosts, secrets.iter(), all)
    };
    assert_eq!(of(&[], false), (Grants::default(), vec![]), "a secret alone grants nothing");
    let (grants, _) = of(&[API], false);
    assert_eq!(grants.http, [API]);
    assert_eq!(grants.secrets["key"].hosts, [API]);
    assert_eq!(of(&[], true), (whole(), vec![]));
    // Of what is granted besides, a secret goes only where the plugin asks for it.
    let mail = "https://mail.example.com";
    let (grants, _) = of(&[mail], true);
    assert_eq!(grants.http, [mail, API, SHOP]);
    assert_eq!(grants.secrets["key"].hosts, [mail, SHOP]);
}

#[test]
fn a_version_that_asks_for_more_takes_agreement() {
    let old = manifest(MANIFEST);
    let asks = "[[host]]\naddress = \"https://stats.example.com\"\nreason = \"counts\"";
    let new = manifest(&format!("{MANIFEST}{asks}"));
    let before = integration(Some(SHOP), whole());

    let same = decide_upgrade(&before, &old, &old);
    assert!(!same.needs_agreement());
    assert_eq!((same.grants, same.widened), (whole(), GrantDifference::default()));

    let more = decide_upgrade(&before, &old, &new);
    assert!(more.needs_agreement());
    assert_eq!(more.widened.hosts, ["https://stats.example.com"]);
    assert_eq!(more.more.hosts.len(), 1);
    assert!(more.less.asks().is_empty());

    let less = decide_upgrade(&before, &new, &old);
    assert!(!less.needs_agreement(), "less needs nobody's word");
    assert_eq!(less.less.hosts[0].address, "https://stats.example.com");
    assert_eq!(less.grants, whole(), "what is not asked for is of no use, and stays");
}

#[test]
fn agreeing_grants_only_what_is_new() {
    let asks = "[[host]]\naddress = \"https://stats.example.com\"\nreason = \"counts\"";
    let new = manifest(&format!("{MANIFEST}{asks}"));
    // What was asked for before was taken away, and stays away.
    let none = Grants { no_state: true, ..Grants::default() };
    let decision = decide_upgrade(&integration(Some(SHOP), none), &manifest(MANIFEST), &new);
    let only = Grants { http: texts(["https://stats.example.com"]), no_state: true, ..Grants::default() };
    assert_eq!(decision.grants, only);
    // Where nobody knows what was asked for before, all of it is new.
    let decision = decide_upgrade(&integration(Some(SHOP), Grants::default()), &Manifest::default(), &new);
    assert!(decision.needs_agreement());
    assert_eq!(decision.widened.hosts, [API, SHOP, "https://stats.example.com"]);
}

#[test]
fn settings_that_a_version_reads_take_no_agreement() {
    let new = manifest(&format!("{MANIFEST}[[setting]]\nname = \"size\"\nreason = \"of a page\""));
    let decision = decide_upgrade(&integration(Some(SHOP), whole()), &manifest(MANIFEST), &new);
    assert!(!decision.needs_agreement());
}
