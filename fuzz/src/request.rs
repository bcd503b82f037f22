//! What a plugin says of an HTTP request, up to where it would leave: it goes only to a host that is asked for and granted, with no
//! header that makes another request of it, and a secret only to its own host, in its own place. What is told of it is clean. And the
//! head of the answer: no secret is in it, nothing of the connection, and no piece where a secret is bound.
//!
//! An input is text: the method and the address, a line for each header; after an empty line the answer's status and its headers. In
//! the request `{key}`, `{basic}` and `{files}` are placeholders for secrets, in the answer `{key}`, `{files}` and `{sign}` the secrets.

use super::is_clean;
use entente_cli::fuzzing::plugin::{Call, Headers, Integration, Leaves, Made, Said, target};
use entente_plugin::{Limits, Manifest, USUAL_HEADERS};
use std::sync::LazyLock;

const KEY: &str = "tell-nobody/4711 &co";
const KEY_IN_QUERY: &str = "tell-nobody%2F4711%20%26co";
const KEY_BASIC: &str = "Basic YW5uOnRlbGwtbm9ib2R5LzQ3MTEgJmNv";
const FILES: &str = "for-files-0815";
const SIGN: &str = "only-signs-1234";
const API_HOST: &str = "api.example.com";
const FILES_HOST: &str = "files.example.org";
const LISTED: &[&str] =
    &["authorization", "x-shop", "x-page", "x-api-key", "range", "if-range", "a-im", "cookie"];
/// Belongs to the connection, or makes another request of the one that is allowed, whichever way its words are parted.
const NEVER: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
    "x-remote-user",
];

const MANIFEST: &str = r#"{
    "host": [
        { "address": "https://api.example.com", "reason": "r" },
        { "address": "https://*.example.org", "reason": "r" },
        { "address": "http://127.0.0.1:8787", "reason": "r" }
    ],
    "secret": [
        { "name": "key", "hosts": ["https://api.example.com"], "query": "key", "reason": "r" },
        { "name": "files", "hosts": ["https://files.example.org"], "header": "x-files-key", "reason": "r" },
        { "name": "sign", "use": "sign", "reason": "r" }
    ],
    "headers": ["authorization", "x-shop", "x-page", "x-api-key", "range", "if-range", "a-im", "cookie"]
}"#;

const GRANTED: &[&str] = &[
    "https://api.example.com",
    "https://files.example.org",
    "https://eu.example.org",
    "https://unasked.example.net",
    "http://127.0.0.1:8787",
];

static SHOP: LazyLock<Integration> = LazyLock::new(|| {
    let manifest = Manifest::parse(MANIFEST.as_bytes()).expect("a manifest");
    let granted = GRANTED.iter().map(|text| text.parse().expect("a grant")).collect();
    let limits = Limits { http_headers: 12, http_header_bytes: 600, secret_hits: 3, ..Limits::default() };
    Integration::new(&manifest, granted, &[("key", KEY), ("files", FILES), ("sign", SIGN)], limits)
});

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
}

fn replaced(bytes: &[u8], words: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        match words.iter().find(|(word, _)| rest.starts_with(word.as_bytes())) {
            Some((word, text)) => {
                out.extend(text.bytes());
                rest = &rest[word.len()..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

fn headers<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Headers {
    let pair = |line: &[u8]| {
        let at = line.iter().skip(1).position(|byte| *byte == b':')? + 1;
        Some((line[..at].to_vec(), line[at + 1..].trim_ascii().to_vec()))
    };
    lines.filter_map(pair).collect()
}

/// The placeholders of a call.
struct Placeholders {
    key: String,
    basic: String,
    files: String,
}

impl Placeholders {
    fn all(&self) -> [&str; 3] {
        [&self.key, &self.basic, &self.files]
    }
}

/// A header goes out as it was said, or with a secret in the place of its placeholder; or it is one that the host has set.
fn check_header((name, value): &(Vec<u8>, Vec<u8>), said: &Headers, leaves: &Leaves, had: &Placeholders) {
    let name = std::str::from_utf8(name).expect("the name of a header").to_owned();
    let (_, host, _) = target(&leaves.url).expect("an address");
    let same = |other: &&(Vec<u8>, Vec<u8>)| String::from_utf8_lossy(&other.0).eq_ignore_ascii_case(&name);
    let carries = |value: &[u8]| had.all().iter().any(|text| value.ends_with(text.as_bytes()));
    let listed = USUAL_HEADERS.contains(&name.as_str()) || LISTED.contains(&name.as_str());
    assert!(listed || said.iter().filter(same).any(|(_, value)| carries(value)), "{name}");
    assert!(!NEVER.contains(&name.replace('_', "-").as_str()), "{name}");
    let whole = |secret: &str, text: &str| {
        value.strip_suffix(secret.as_bytes()).is_some_and(|scheme| {
            said.iter().filter(same).any(|(_, said)| *said == [scheme, text.as_bytes()].concat())
        })
    };
    if [KEY, &KEY_BASIC[6..], FILES].iter().any(|secret| contains(value, secret)) {
        let values = leaves.headers.iter().filter(|other| other.0 == name.as_bytes()).count();
        assert_eq!(values, 1, "beside a secret in {name} there is another value");
    }
    if contains(value, KEY) || contains(value, &KEY_BASIC[6..]) {
        assert!(host == API_HOST && (whole(KEY, &had.key) || whole(KEY_BASIC, &had.basic)), "{name}");
    } else if contains(value, FILES) {
        assert!(host == FILES_HOST && name == "x-files-key" && whole(FILES, &had.files), "{name}");
    } else {
        let set = (name == "user-agent" && value.starts_with(b"entente/"))
            || (name == "accept-encoding" && value == b"identity");
        assert!(set || said.iter().filter(same).any(|(_, said)| said == value), "{name}");
        let credential = ["authorization", "cookie", "x-api-key"].contains(&name.as_str());
        assert!(!(leaves.bound && credential), "a credential of the plugin's own: {name}");
    }
}

fn check_request(leaves: &Leaves, read: &str, said: &Headers, had: &Placeholders) {
    let method = leaves.method.to_ascii_uppercase();
    assert!(!["CONNECT", "TRACE", "TRACK"].contains(&method.as_str()));
    let (scheme, host, port) = target(&leaves.url).expect("an address");
    let place = (scheme.as_str(), host.as_str(), port);
    let granted = [
        "https://api.example.com:443",
        "https://files.example.org:443",
        "https://eu.example.org:443",
        "http://127.0.0.1:8787",
    ];
    assert!(granted.contains(&format!("{scheme}://{host}:{port}").as_str()), "{place:?}");
    assert_eq!(leaves.bound, [API_HOST, FILES_HOST].contains(&host.as_str()));
    let parameter = |part: &str| match part == format!("key={}", had.key) && host == API_HOST {
        true => format!("key={KEY_IN_QUERY}"),
        false => part.to_owned(),
    };
    let (read, fragment) = read.split_once('#').map_or((read, None), |(read, rest)| (read, Some(rest)));
    let mut expected = match read.split_once('?') {
        Some((path, query)) => {
            format!("{path}?{}", query.split('&').map(parameter).collect::<Vec<_>>().join("&"))
        }
        None => read.to_owned(),
    };
    if let Some(fragment) = fragment {
        expected = format!("{expected}#{fragment}");
    }
    assert_eq!(leaves.url, expected);
    assert!(leaves.headers.len() <= 14);
    leaves.headers.iter().for_each(|header| check_header(header, said, leaves, had));
    let mentioned = |text: &str| {
        leaves.url.contains(text) || leaves.headers.iter().any(|(_, value)| contains(value, text))
    };
    assert!(host == API_HOST || !(mentioned(&had.key) || mentioned(&had.basic)), "{place:?}");
    assert!(host == FILES_HOST || !mentioned(&had.files), "{place:?}");
    let has = |name: &str| leaves.headers.iter().any(|header| header.0 == name.as_bytes());
    if leaves.bound {
        assert!(!["range", "if-range", "a-im"].iter().any(|name| has(name)), "it asks for a piece");
        assert!(leaves.headers.contains(&(b"accept-encoding".to_vec(), b"identity".to_vec())));
    }
}

fn check_answer(leaves: &Leaves, status: u16, said: &Headers) {
    let Some(answer) = &leaves.answer else { return };
    assert!(!(leaves.bound && matches!(status, 206 | 226)), "a piece");
    assert!(answer.len() <= 12);
    let (_, host, _) = target(&leaves.url).expect("an address");
    let secrets = [(KEY, host == API_HOST), (FILES, host == FILES_HOST), (SIGN, true)];
    for (name, value) in answer {
        let of_connection =
            ["connection", "keep-alive", "transfer-encoding", "trailer", "upgrade", "proxy-authenticate"];
        let name = std::str::from_utf8(name).expect("the name of a header");
        assert!(!of_connection.contains(&name), "{name}");
        let piece = name == "content-range"
            || (name == "content-type" && value.to_ascii_lowercase().starts_with(b"multipart/byteranges"));
        assert!(!(leaves.bound && piece && (200..300).contains(&status)), "a piece: {name}");
        for (secret, _) in secrets.iter().filter(|(_, searched)| *searched) {
            assert!(
                !value.windows(secret.len()).any(|window| window == secret.as_bytes()),
                "{name} has {secret}"
            );
            assert!(!contains(name.as_bytes(), secret), "{name} is named after {secret}");
        }
        let length = |(other, said): &(Vec<u8>, Vec<u8>)| {
            other.eq_ignore_ascii_case(name.as_bytes()) && said.len() == value.len()
        };
        assert!(said.iter().any(length), "nobody said {name}");
    }
}

fn check_told(made: &Made) {
    let secret = |text: &str| {
        [KEY, KEY_IN_QUERY, &KEY_BASIC[6..], FILES, SIGN]
            .iter()
            .any(|secret| contains(text.as_bytes(), secret))
    };
    for (text, remedies) in &made.told {
        assert!(is_clean(text) && is_clean(remedies) && text.len() < 1000, "{text} {remedies}");
        assert!(!secret(text) && !secret(remedies), "{text} {remedies}");
    }
    let Some(Call { method, to, path, error, denied }) = &made.call else {
        panic!("no call in the audit log")
    };
    assert!(
        is_clean(method) && method.len() <= 23 && is_clean(to) && to.len() < 330 && !to.contains('@'),
        "{method} {to}"
    );
    let word = |part: &str| {
        part == "*"
            || part == "…"
            || (part.len() <= 24
                && part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_')))
    };
    assert!(path.len() < 300 && path.split('/').all(word), "{path}");
    assert!(error.is_some() && !secret(path) && !secret(to), "{path} {to}");
    let known = [
        "method",
        "manifest",
        "grant",
        "header",
        "secret",
        "http-headers",
        "http-header-bytes",
        "secret-hits",
        "piece",
    ];
    assert!(denied.as_deref().is_none_or(|why| known.contains(&why)), "{denied:?}");
    assert!(made.leaves.is_some() || made.read.is_none() || denied.is_some(), "{error:?}");
}

/// Looks at one input.
pub fn run(bytes: &[u8]) {
    let secret = |text: &&str| contains(bytes, text);
    // What stands in the input is no secret.
    if ["nobody", "YW5uOnR", FILES, SIGN].iter().any(secret) {
        return;
    }
    let end = bytes.windows(2).position(|window| window == b"\n\n").unwrap_or(bytes.len());
    let (request, answer) = bytes.split_at(end);
    let mut call = SHOP.begin();
    let [key, basic, files] = [("key", None), ("key", Some("ann")), ("files", None)]
        .map(|(name, user)| call.placeholder(name, user).expect("a placeholder"));
    let had = Placeholders { key, basic, files };
    let request = replaced(request, &[("{key}", &had.key), ("{basic}", &had.basic), ("{files}", &had.files)]);
    let answer = replaced(answer, &[("{key}", KEY), ("{files}", FILES), ("{sign}", SIGN)]);
    let mut lines = request.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let at = first.iter().position(|byte| *byte == b' ').unwrap_or(first.len());
    let (method, uri) = (&first[..at], first.get(at + 1..).unwrap_or_default());
    let said = headers(lines);
    let mut lines = answer.split(|byte| *byte == b'\n').skip(2);
    let status = lines.next().and_then(|line| std::str::from_utf8(line).ok()?.trim().parse().ok());
    let (status, answer) = (status.unwrap_or(200), headers(lines));
    let Some(made) = call.request(&Said { method, uri, headers: &said }, status, &answer) else { return };
    check_told(&made);
    if let (Some(leaves), Some(read)) = (&made.leaves, &made.read) {
        check_request(leaves, read, &said, &had);
        check_answer(leaves, status, &answer);
    }
}
