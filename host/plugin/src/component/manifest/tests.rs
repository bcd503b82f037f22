//! What manifests say, and what is refused.

use super::*;

const WHOLE: &str = r#"
name = "mail"
version = "1.2.0"
description = "Keeps members in step"
headers = ["If-Match"]
state = { reason = "remembers the last batch" }

[[host]]
address = "https://{dc}.api.example.com"
reason = "the API"

[[host]]
address = "{url}"
reason = "your own server"

[[secret]]
name = "api-key"
hosts = ["https://{dc}.api.example.com"]
header = "authorization"
reason = "signs in"

[[secret]]
name = "hook"
use = "sign"
reason = "checks webhooks"

[[setting]]
name = "dc"
required = true
example = "us1"
reason = "the data centre"

[[setting]]
name = "url"
kind = "url"
reason = "address of your server"

[[setting]]
name = "page"
kind = "integer"
choices = [100, 500]
default = 500
reason = "rows of a page"

[[object]]
name = "member"
reads = ["*"]
writes = ["email", "name"]
reason = "the members of the list"

[webhook]
secret = "hook"
scheme = "hubspot-v3"
reason = "changes arrive at once"
"#;

fn read(text: &str) -> Manifest {
    Manifest::from_toml(text).unwrap()
}

#[test]
fn a_manifest_is_read_from_the_file_and_from_the_section() {
    let manifest = read(WHOLE);
    assert_eq!(Manifest::parse(&manifest.to_json()).unwrap(), manifest);
    let words: Vec<String> = manifest.asks().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(words.join("\n"), @"
    sends requests to https://{dc}.api.example.com («the API»)
    sends requests to the host of the setting url («your own server»)
    has the secret api-key sent to https://{dc}.api.example.com in the header authorization («signs in»)
    has texts signed with the secret hook, which is never sent («checks webhooks»)
    reads the setting dc, which must be set; such as us1 («the data centre»)
    reads the setting url, an address such as https://crm.example.com («address of your server»)
    reads the setting page, one of 100, 500; 500 unless set («rows of a page»)
    sends the headers if-match beside those that every plugin may send
    reads of the object member: every field; writes to it: email, name («the members of the list»)
    takes webhooks signed as HubSpot (version 3) does, with the secret hook («changes arrive at once»)
    keeps a few bytes between runs («remembers the last batch»)
    ");
    assert_eq!(Manifest::parse(b"{}").unwrap(), Manifest::default());
    assert!(Manifest::default().asks().is_empty());
}

#[test]
fn x10_hosts_are_shown_as_they_would_be_granted() {
    let host = |address: &str| -> Result<String, String> {
        let text = format!("[[host]]\naddress = \"{address}\"\nreason = \"x\"");
        let manifest = Manifest::from_toml(&text).map_err(|error| error.to_string())?;
        let section = Manifest::parse(&manifest.to_json()).unwrap();
        assert_eq!(section, manifest);
        Ok(manifest.asks()[0].words.trim_start_matches("sends requests to ").to_owned())
    };
    let shown: [(&str, &str); 9] = [
        ("https://API.Mailchimp.com/", "https://api.mailchimp.com"),
        ("https://api.mailchimp.com:443", "https://api.mailchimp.com:443"),
        (
            "https://аpi.mailchimp.com",
            "https://xn--pi-6kc.mailchimp.com (reads аpi.mailchimp.com, with letters of Cyrillic and Latin in one word: it may pass for \
             another name)",
        ),
        ("https://*.bücher.example", "https://*.xn--bcher-kva.example (reads bücher.example)"),
        ("https://ａｐｉ。mailchimp.com", "https://api.mailchimp.com"),
        ("https://2130706433:443", "https://127.0.0.1:443 (this machine)"),
        (
            "https://[::ffff:a9fe:a9fe]:443",
            "https://169.254.169.254:443 (link-local, as metadata services are)",
        ),
        ("https://0x0a.1:8443", "https://10.0.0.1:8443 (a private network)"),
        ("http://localhost:8787", "http://localhost:8787 (this machine)"),
    ];
    for (address, expected) in shown {
        assert_eq!(host(address).as_deref(), Ok(expected), "{address}");
    }
    for (address, expected) in [
        ("https://api.mailch\u{200b}imp.com", "the character \\u{200b} in it, which cannot be seen"),
        ("https://api.mailch\u{ad}imp.com", "cannot be seen"),
        ("https://\u{2066}api.mailchimp.com", "cannot be seen"),
        ("https://2130706433", "need their port"),
    ] {
        let error = host(address).unwrap_err();
        assert!(error.contains(expected), "{address:?}: {error}");
    }
    let secret = read(
        "[[secret]]\nname = \"key\"\nhosts = [\"https://2130706433:443\", \"https://API.example.com\"]\nreason = \"x\"",
    );
    assert_eq!(secret.secrets[0].hosts, ["https://127.0.0.1:443", "https://api.example.com"]);
    let mixed = "[[setting]]\nname = \"dc\"\nreason = \"x\"\n[[host]]\naddress = \"https://{dc}.bücher.example\"\nreason = \"x\"";
    assert!(Manifest::from_toml(mixed).unwrap_err().to_string().contains("begins with xn--"));
}

/// Found by fuzzing: what was written of it was longer than what can be read.
#[test]
fn an_address_that_is_too_long_in_ascii_is_refused() {
    // Each label is longer in ASCII than as it is written.
    let labels = vec!["x".repeat(50) + "ä"; 5].join(".");
    let address = format!("https://{labels}.example");
    assert!(address.len() <= 300, "{}", address.len());
    let toml = format!("format = 1\nname = \"x\"\n[[host]]\naddress = \"{address}\"\nreason = \"r\"\n");
    let refused = Manifest::from_toml(&toml).unwrap_err().to_string();
    assert!(refused.contains("300 are the most"), "{refused}");
}

#[test]
fn x17_headers_that_make_another_request_cannot_be_listed() {
    for name in [
        "X-Original-URL",
        "x_original_url",
        "X-HTTP-Method-Override",
        "True-Client-IP",
        "Remote-User",
        "x_webauth_user",
        "Fly-Client-IP",
        "X-Original-Method",
        "x-forwarded-host",
        "x_real_ip",
    ] {
        for text in [
            format!("headers = [\"{name}\"]"),
            format!("[[secret]]\nname = \"a\"\nhosts = [\"*\"]\nheader = \"{name}\"\nreason = \"x\""),
        ] {
            let error = Manifest::from_toml(&text).unwrap_err().to_string();
            assert!(error.contains("is a header that"), "{name}: {error}");
        }
    }
}

#[test]
fn what_is_no_manifest_is_told() {
    let table = [
        ("[[host]]\naddress = \"https://a.example\"", "missing field `reason`"),
        ("[[host]]\naddress = \"https://a.example\"\nreason = \" \"", "without a reason"),
        ("[[host]]\naddress = \"a.example\"\nreason = \"x\"", "cannot be granted"),
        ("[[host]]\naddress = \"https://a.example\\r\"\nreason = \"x\"", "spaces or control characters"),
        ("[[host]]\naddress = \"https://{dc}.example\"\nreason = \"x\"", "a setting that is not listed"),
        ("[[host]]\naddress = \"https://{dc.example\"\nreason = \"x\"", "not listed"),
        ("[[secret]]\nname = \"a b\"\nhosts = [\"*\"]\nreason = \"x\"", "no name of a secret"),
        ("[[secret]]\nname = \"a\"\nreason = \"x\"", "names no hosts"),
        ("[[secret]]\nname = \"a\"\nuse = \"sign\"\nhosts = [\"*\"]\nreason = \"x\"", "cannot be sent"),
        (
            "[[secret]]\nname = \"a\"\nhosts = [\"*\"]\nheader = \"a:b\"\nreason = \"x\"",
            "not the name of a header",
        ),
        (
            "[[secret]]\nname = \"a\"\nhosts = [\"*\"]\nquery = \"a&b\"\nreason = \"x\"",
            "not the name of a parameter",
        ),
        (
            "[[setting]]\nname = \"a\"\nreason = \"x\"\n[[setting]]\nname = \"a\"\nreason = \"x\"",
            "occurs twice",
        ),
        ("files = true", "unknown field `files`"),
        ("headers = [\"a:b\"]", "not the name of a header"),
        ("headers = [\"Host\"]", "a header that the host sets"),
        ("headers = [\"X-Forwarded-Port\"]", "a header that the host sets or leaves out"),
        (
            "[[setting]]\nname = \"a\"\ndefault = 1.5\nreason = \"x\"",
            "a text, a whole number, or true or false",
        ),
        ("headers = [\"*\"]", "each header is listed by its name"),
        (
            "[[host]]\naddress = \"https://{dc}.example\"\nreason = \"x\"\n[[setting]]\nname = \"dc\"\ndefault = \"evil.com/\"\nreason = \"x\"",
            "it is a part of a host name",
        ),
        (
            "[[setting]]\nname = \"a\"\ndefault = \"\"\nreason = \"x\"",
            "has a default, choice or example that is empty",
        ),
        ("[[object]]\nname = \"a\"\nreason = \"x\"", "nothing of the object «a» is read or written"),
        ("[[object]]\nname = \"\\u001b\"\nreads = [\"*\"]\nreason = \"x\"", "no name of an object"),
        ("[[object]]\nname = \"a\"\nreads = [\"\"]\nreason = \"x\"", "no name of a field"),
        ("[webhook]\nreason = \"x\"\nsecret = \"h\"", "neither a scheme nor a pattern"),
        ("[webhook]\nreason = \"x\"\nscheme = \"stripe\"", "names no secret"),
        ("[webhook]\nreason = \"x\"\nsecret = \"h\"\nscheme = \"stripe\"", "no secret with use = \"sign\""),
        ("[webhook]\nreason = \"x\"\nsecret = \"h\"\nscheme = \"own\"", "unknown variant `own`"),
    ];
    for (text, expected) in table {
        let error = Manifest::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let newer = Manifest::parse(br#"{"format":2,"files":["/"]}"#).unwrap_err().to_string();
    assert!(newer.contains("it has form 2, and this host knows form 1"), "{newer}");
    for bytes in [&b""[..], b"null", b"[]", b"{\"host\":1}", b"\xff", b"{\"format\":-1}"] {
        assert!(Manifest::parse(bytes).is_err(), "{bytes:?}");
    }
    let many = "[[setting]]\nname = \"a\"\nreason = \"x\"\n".repeat(51);
    assert!(Manifest::from_toml(&many).unwrap_err().to_string().contains("51 of the kind setting"));
    let hidden = read("[[setting]]\nname = \"a\"\nreason = \"\\u001b[31mred\\u202e\"");
    assert_eq!(hidden.settings[0].reason, "\\u{1b}[31mred\\u{202e}");
}

#[test]
fn what_a_new_version_asks_for_in_addition_is_found() {
    type Change = fn(&mut Manifest);
    let before = read(WHOLE);
    assert_eq!(before.more_than(&before), Manifest::default());
    let less = Manifest::default().more_than(&before);
    assert_eq!(
        less.asks().len(),
        1,
        "less is no more, but without objects it asks for all of them: {less:?}"
    );
    let more = |change: Change| {
        let mut after = before.clone();
        change(&mut after);
        after.more_than(&before).asks().iter().map(|ask| ask.words.clone()).collect::<Vec<_>>().join("; ")
    };
    let table: [(Change, &str); 16] = [
        (
            |m| m.settings[0].default = Some(SettingValue::Text("evil".to_owned())),
            "sends requests to https://{dc}.api.example.com; has the secret api-key sent to https://{dc}.api.example.com in the header authorization; reads the setting dc, which must be set; evil unless set; such as us1",
        ),
        (|m| m.settings[2].default = Some(SettingValue::Integer(100)), ""),
        (
            |m| m.headers.push("x-other".to_owned()),
            "sends the headers x-other beside those that every plugin may send",
        ),
        (|m| m.objects[0].writes.push("phone".to_owned()), "writes to the object member: phone"),
        (|m| m.objects[0].reads = vec!["email".to_owned()], ""),
        (
            |m| m.objects[0].name = "person".to_owned(),
            "reads of the object person: every field; writes to it: email, name",
        ),
        (|m| m.objects.clear(), "reads of every object and writes to it: every field"),
        (
            |m| m.webhook.as_mut().unwrap().scheme = Some(SignatureScheme::Slack),
            "takes webhooks signed as Slack does, with the secret hook",
        ),
        (|m| m.hosts[0].reason = "other words".to_owned(), ""),
        (|m| m.settings.clear(), ""),
        (|m| m.hosts[0].address = "*".to_owned(), "sends requests to any host that you grant"),
        (
            |m| m.secrets[0].hosts.push("{url}".to_owned()),
            "has the secret api-key sent to the host of the setting url in the header authorization",
        ),
        (
            |m| m.secrets[0].header = None,
            "has the secret api-key sent to https://{dc}.api.example.com in a header",
        ),
        (
            |m| m.secrets[0].query = Some("key".to_owned()),
            "has the secret api-key sent to https://{dc}.api.example.com in the header authorization or as the parameter key",
        ),
        (
            |m| {
                m.secrets[1].usage = SecretUse::Send;
                m.secrets[1].hosts = vec!["*".to_owned()]
            },
            "has the secret hook sent to any host that you grant in a header",
        ),
        (|m| m.state = None, ""),
    ];
    for (change, expected) in table {
        assert_eq!(more(change), expected);
    }
    let all = before.more_than(&Manifest::default());
    assert_eq!(all.asks().len(), 7, "all but the settings, and the objects, which were all of them");
}

#[test]
fn what_comes_under_every_object_now_is_asked_for() {
    let every = "[[object]]\nname = \"*\"\nreads = [\"*\"]\nwrites = [\"*\"]\nreason = \"x\"\n";
    let person = "[[object]]\nname = \"person\"\nreads = [\"email\"]\nreason = \"x\"\n";
    let more = read(every).more_than(&read(&format!("{every}{person}"))).asks();
    assert_eq!(more[0].words, "reads of the object person and writes to it: every field");
    assert_eq!(more.len(), 1);
}

#[test]
fn settings_have_defaults_and_are_checked_with_what_they_fill() {
    let manifest = read(WHOLE);
    let settings = |list: &[(&str, Value)]| -> BTreeMap<String, Value> {
        list.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    };
    let given = settings(&[("dc", Value::text("us1")), ("other", Value::text("x"))]);
    let expected = settings(&[("dc", Value::text("us1")), ("page", Value::Integer(500))]);
    assert_eq!(manifest.effective(&given), expected);
    for blank in [Value::Null, Value::text("")] {
        let read = manifest.effective(&settings(&[("page", blank)]));
        assert_eq!(read["page"], Value::Integer(500), "a blank one is not set");
    }
    let table = [
        ("dc", Value::text("us1"), ""),
        (
            "dc",
            Value::text("us1.evil.example/"),
            "it is a part of a host name: letters, digits and dashes; an example is us1",
        ),
        ("url", Value::text("crm.example.com"), "it is an address such as https://crm.example.com"),
        ("page", Value::Integer(300), "it is one of 100, 500"),
        ("page", Value::text("many"), "it is a whole number"),
        ("page", Value::text("100"), ""),
        ("page", Value::Null, ""),
        ("other", Value::text("anything"), ""),
    ];
    for (name, value, expected) in table {
        let told = manifest.check_settings(&settings(&[(name, value.clone())]));
        match told {
            Ok(()) => assert_eq!(expected, "", "{name} {value}"),
            Err(error) => {
                assert!(!expected.is_empty() && error.to_string().ends_with(expected), "{error}")
            }
        }
    }
    let dc = r#"
            [[host]]
            address = "https://{dc}.api.example.com"
            reason = "the API"
            [[setting]]
            name = "dc"
            default = "us1"
            reason = "the data centre"
        "#;
    let hosts = read(dc).hosts_with(&BTreeMap::new());
    assert_eq!(hosts.iter().map(ToString::to_string).collect::<Vec<_>>(), ["https://us1.api.example.com"]);
}

#[test]
fn settings_fill_addresses_and_lead_nowhere_else() {
    let manifest = read(WHOLE);
    let hosts = |settings: &[(&str, &str)]| {
        let settings =
            settings.iter().map(|(name, value)| ((*name).to_owned(), Value::text(*value))).collect();
        manifest.hosts_with(&settings).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let table: [(&[(&str, &str)], &str); 7] = [
        (&[], ""),
        (&[("dc", "us1")], "https://us1.api.example.com"),
        (&[("dc", "evil.example/")], ""),
        (&[("url", "http://127.0.0.1:8787/path?x=1")], "http://127.0.0.1:8787"),
        (&[("url", "https://Own.example")], "https://own.example"),
        (&[("url", "https://user@own.example")], ""),
        (&[("url", "file:///etc/passwd")], ""),
    ];
    for (settings, expected) in table {
        assert_eq!(hosts(settings), expected, "{settings:?}");
    }
}
