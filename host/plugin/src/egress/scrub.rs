//! Redaction: finds secrets in responses (Aho-Corasick), in the encodings in which a server is likely to echo
//! them, and masks them.

use super::escapes::{self, Decoded};
use super::secrets::Secret;
use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use std::sync::Arc;

/// Minimum length of a needle: shorter texts occur by chance in many responses.
const SHORTEST: usize = 5;

/// The search automaton for the secrets of one integration.
#[derive(Clone)]
pub(crate) struct Scrubber {
    search: Arc<AhoCorasick>,
    /// The longest needle with every byte escaped: how many bytes a stream has to hold back.
    longest: usize,
}

impl Scrubber {
    /// Builds the automaton; `None` where there are no secrets, or all are too short.
    pub(crate) fn new<'a>(secrets: impl Iterator<Item = &'a Secret>) -> Option<Self> {
        let mut needles: Vec<Vec<u8>> = secrets
            .flat_map(|secret| forms(secret.expose().as_bytes()))
            .filter(|form| form.len() >= SHORTEST)
            .collect();
        needles.sort();
        needles.dedup();
        let longest = needles.iter().map(Vec::len).max()?;
        let search = AhoCorasick::new(&needles).ok()?;
        Some(Self { search: Arc::new(search), longest: longest * escapes::LONGEST })
    }

    /// Masks in place; returns whether anything was found.
    pub(crate) fn mask(&self, bytes: &mut [u8]) -> bool {
        let raw = zeroize::Zeroizing::new(bytes.to_vec());
        self.mask_as_in(&raw, &Decoded::all(&raw), bytes)
    }

    /// Masks what is found in `raw` and in its decodings. Encoded forms overlap, so the search runs on the
    /// unmasked bytes.
    fn mask_as_in(&self, raw: &[u8], decodings: &[Decoded], masked: &mut [u8]) -> bool {
        let mut found = false;
        let mut cover = |place: std::ops::Range<usize>| {
            found = true;
            if let Some(part) = masked.get_mut(place) {
                part.fill(b'*');
            }
        };
        for hit in self.search.find_overlapping_iter(raw) {
            cover(hit.range());
        }
        for decoded in decodings {
            for place in
                self.search.find_overlapping_iter(&decoded.bytes).filter_map(|hit| decoded.span(hit.range()))
            {
                cover(place);
            }
        }
        found
    }

    /// The text with secrets masked.
    pub(crate) fn text(&self, text: String) -> String {
        let mut bytes = text.into_bytes();
        self.mask(&mut bytes);
        // Needles consist of whole characters and the mask is ASCII, so the result is UTF-8.
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Redaction of a streamed body.
    pub(super) fn stream(&self) -> Stream {
        Stream { scrubber: self.clone(), raw: Vec::new(), masked: Vec::new() }
    }
}

/// Streaming redaction. It holds back as many bytes as the beginning of a secret may have.
pub(super) struct Stream {
    scrubber: Scrubber,
    raw: Vec<u8>,
    masked: Vec<u8>,
}

impl Stream {
    /// The bytes that are final after this chunk.
    pub(super) fn push(&mut self, piece: &[u8]) -> Bytes {
        self.raw.extend_from_slice(piece);
        self.masked.extend_from_slice(piece);
        let decodings = Decoded::all(&self.raw);
        self.scrubber.mask_as_in(&self.raw, &decodings, &mut self.masked);
        let ready = (self.raw.len() + 1).saturating_sub(self.scrubber.longest);
        let ready = decodings.iter().fold(ready, |ready, decoded| decoded.boundary(ready));
        self.raw.drain(..ready);
        Bytes::from(self.masked.drain(..ready).collect::<Vec<_>>())
    }

    /// The bytes held back, at the end.
    pub(super) fn finish(&mut self) -> Bytes {
        self.raw.clear();
        Bytes::from(std::mem::take(&mut self.masked))
    }
}

/// The encoded forms of a secret: plain, base64 at each alignment (so also inside «user:secret»), and
/// hexadecimal. URL and JSON escapes are decoded before the search.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![
        secret.to_vec(),
        STANDARD.encode(secret).into_bytes(),
        URL_SAFE_NO_PAD.encode(secret).into_bytes(),
    ];
    if secret.len() >= SHORTEST {
        forms.extend([hex::encode(secret).into_bytes(), hex::encode_upper(secret).into_bytes()]);
    }
    for before in 0..3usize {
        // A base64 character encodes six bits: only characters wholly inside the secret are certain.
        let mut padded = vec![0; before];
        padded.extend_from_slice(secret);
        let (from, to) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        for encoded in [STANDARD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            if let Some(part) = encoded.as_bytes().get(from..to) {
                forms.push(part.to_vec());
            }
        }
    }
    forms
}

/// Percent-encodes as in a path or query; with `form`, a space becomes a plus.
pub(super) fn url_encoded(text: &[u8], form: bool, upper: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(*byte),
            b' ' if form => out.push(b'+'),
            byte if upper => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            byte => out.extend_from_slice(format!("%{byte:02x}").as_bytes()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cr3t/key+with=\"all\" äöü";

    fn scrubber() -> Scrubber {
        Scrubber::new([Secret::new(SECRET)].iter()).unwrap()
    }

    #[test]
    fn a_secret_is_found_in_every_usual_form() {
        let mut texts = vec![
            SECRET.to_owned(),
            serde_json::to_string(SECRET).unwrap(),
            STANDARD.encode(SECRET),
            URL_SAFE_NO_PAD.encode(SECRET),
            String::from_utf8(url_encoded(SECRET.as_bytes(), false, true)).unwrap(),
            String::from_utf8(url_encoded(SECRET.as_bytes(), true, false)).unwrap(),
        ];
        texts.push(hex::encode(SECRET));
        // JavaScript, PHP and Python differ in which characters they escape.
        texts.push(r#"s3cr3t%2Fkey%2Bwith%3D%22all%22+%C3%A4%c3%b6%C3%BC"#.to_owned());
        texts.push(r#"s3cr3t\/key+with\u003d\"all\"\u0020\u00e4\u00F6\u00fc"#.to_owned());
        texts.push(STANDARD.encode(SECRET).replace('=', "%3D"));
        // Inside a longer encoded text, at each of the three base64 alignments.
        for user in ["", "a", "ab", "abc", "abcd"] {
            texts.push(STANDARD.encode(format!("{user}:{SECRET}")));
            texts.push(URL_SAFE_NO_PAD.encode(format!("{user}:{SECRET}:more")));
        }
        for text in texts {
            let mut bytes = format!("before {text} after").into_bytes();
            assert!(scrubber().mask(&mut bytes), "{text}");
            let masked = String::from_utf8_lossy(&bytes).into_owned();
            assert!(masked.starts_with("before ") && masked.ends_with(" after"), "{masked}");
            assert!(masked.contains("**********"), "{masked}");
            assert_eq!(bytes.len(), text.len() + "before  after".len(), "the length stays");
        }
        let mut harmless = b"nothing of it in here".to_vec();
        assert!(!scrubber().mask(&mut harmless));
    }

    #[test]
    fn a_secret_is_found_across_pieces_however_they_are_cut() {
        let text = format!("{{\"echo\":\"{}\"}}", STANDARD.encode(SECRET)).repeat(2);
        let mut whole = text.clone().into_bytes();
        scrubber().mask(&mut whole);
        for size in 1..text.len() {
            let mut stream = scrubber().stream();
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                out.extend_from_slice(&stream.push(piece));
            }
            out.extend_from_slice(&stream.finish());
            assert_eq!(out, whole, "pieces of {size}");
        }
    }

    #[test]
    fn an_escaped_backslash_before_the_cut_is_no_escape_after_it() {
        let scrubber = Scrubber::new([Secret::new("Abcdef")].iter()).unwrap();
        for text in
            [r"%2%41bcdef", r"\\u0041bcdef", r"\\\u0041bcdef", r"\\\\\u0041bcdef", r"\\\\\\u0041bcdef"]
        {
            let text = format!("{text}{}", "x".repeat(60));
            let mut whole = text.clone().into_bytes();
            scrubber.mask(&mut whole);
            for size in 1..text.len() {
                let mut stream = scrubber.stream();
                let mut out: Vec<u8> =
                    text.as_bytes().chunks(size).flat_map(|piece| stream.push(piece)).collect();
                out.extend_from_slice(&stream.finish());
                assert_eq!(out, whole, "pieces of {size}");
            }
        }
    }

    #[test]
    fn without_secrets_there_is_nothing_to_do() {
        assert!(Scrubber::new([].iter()).is_none());
        assert!(Scrubber::new([Secret::new("abc")].iter()).is_none(), "too short to be told from chance");
    }
}
