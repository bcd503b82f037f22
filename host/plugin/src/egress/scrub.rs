//! Redaction: finds secrets in responses (Aho-Corasick), in the encodings in which a server is likely to echo
//! them, and masks them.

use super::escapes::{self, Encoding};
use super::secrets::Secret;
use crate::fair::held::bytes_of;
use aho_corasick::Anchored;
use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous::NFA;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Minimum length of a needle: shorter texts occur by chance in many responses.
const SHORTEST: usize = 5;

/// How much of a body is gathered before it is searched and passed on: a server may send it byte by byte.
pub(super) const PIECE: usize = 4 << 10;

/// The search automaton for some secrets of an integration: for an answer, those that are granted to its host; for what
/// operators read, all of them. A secret that the host must not have is not looked for in its answers: what is masked would
/// tell the plugin which of its guesses is right. It is stepped byte by byte, so that a search goes on where the piece
/// before has ended.
#[derive(Clone)]
pub(crate) struct Scrubber {
    search: Arc<NFA>,
    start: StateID,
    /// The longest needle.
    longest: usize,
    /// The same in any case of letters: names of headers and hosts have no upper case.
    names: Option<Arc<Scrubber>>,
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
        let names = Self::of(&needles, true)?;
        Some(Self { names: Some(Arc::new(names)), ..Self::of(&needles, false)? })
    }

    fn of(needles: &[Vec<u8>], any_case: bool) -> Option<Self> {
        let longest = needles.iter().map(Vec::len).max()?;
        let search = NFA::builder().prefilter(false).ascii_case_insensitive(any_case).build(needles).ok()?;
        let start = search.start_state(Anchored::No).ok()?;
        Some(Self { search: Arc::new(search), start, longest, names: None })
    }

    /// Whether a secret stands in the name of a header, in any case of its letters.
    pub(super) fn is_in_name(&self, name: &str) -> bool {
        self.names.as_ref().is_some_and(|names| names.mask(&mut name.as_bytes().to_vec()) > 0)
    }

    /// Masks in place; returns in how many places a secret was found.
    pub(crate) fn mask(&self, bytes: &mut [u8]) -> u64 {
        let mut stream = self.stream();
        stream.take(bytes);
        stream.search(true);
        bytes.copy_from_slice(&stream.masked);
        stream.hits
    }

    /// A text that operators read, with secrets masked in any case of their letters.
    pub(crate) fn text(&self, text: String) -> String {
        let mut bytes = text.into_bytes();
        self.names.as_deref().unwrap_or(self).mask(&mut bytes);
        // Needles consist of whole characters and the mask is ASCII, so the result is UTF-8.
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How many bytes the beginning of a secret may have that is cut off, each byte of it as an escape.
    pub(crate) fn longest(&self) -> usize {
        self.longest * escapes::LONGEST
    }

    /// Redaction of a streamed body.
    pub(super) fn stream(&self) -> Stream {
        Stream {
            scrubber: self.clone(),
            raw: Zeroizing::default(),
            masked: Vec::new(),
            first: 0,
            at: 0,
            state: self.start,
            decoders: Encoding::ALL.map(|encoding| Decoder { encoding, awake: None }),
            hits: 0,
            counted: 0,
            searched: 0,
        }
    }

    fn step(&self, state: StateID, byte: u8) -> StateID {
        self.search.next_state(Anchored::No, state, byte)
    }

    /// The length of the longest needle that ends in this state; 0 where none does.
    fn ends(&self, state: StateID) -> usize {
        if !self.search.is_match(state) {
            return 0;
        }
        let needles = (0..self.search.match_len(state)).map(|index| self.search.match_pattern(state, index));
        needles.map(|needle| self.search.pattern_len(needle)).max().unwrap_or_default()
    }

    /// How many bytes may still belong to a secret that has not ended: each byte of it as an escape, and an
    /// escape at its end that is not whole yet.
    fn held_back(&self) -> usize {
        self.longest() + 2 * escapes::WIDEST
    }
}

/// Streaming redaction. It holds back as many bytes as the beginning of a secret may have. Each byte is searched
/// once as it is, and once by each decoder that an escape has woken: what is held back is not searched again.
pub(super) struct Stream {
    scrubber: Scrubber,
    /// What is held back, as it came and as it will be passed on.
    raw: Zeroizing<Vec<u8>>,
    masked: Vec<u8>,
    /// The place in the body of the first byte that is held back.
    first: usize,
    /// The place in the body of the next byte to search, and the state of the search.
    at: usize,
    state: StateID,
    decoders: [Decoder; 3],
    /// In how many places secrets were found until now, and up to where that was counted: one that is found in several forms
    /// counts once.
    hits: u64,
    counted: usize,
    /// Steps of the automaton: a test counts them.
    searched: u64,
}

/// The search of what stands there when escapes are undone.
struct Decoder {
    encoding: Encoding,
    /// `None` as long as all bytes that matter stand for themselves: its search would be in the state of the
    /// plain one.
    awake: Option<Awake>,
}

struct Awake {
    state: StateID,
    /// The place in the body where it woke, and that of the next byte to decode.
    woke: usize,
    at: usize,
    /// For each of the last decoded bytes: place and length of its raw form.
    spans: VecDeque<(usize, u8)>,
    /// How many of the last bytes have stood for themselves.
    plain: usize,
}

impl Awake {
    /// The raw bytes of the last `length` decoded bytes.
    fn span(&self, length: usize) -> Range<usize> {
        let end = self.spans.back().map_or(self.at, |(at, length)| at + usize::from(*length));
        let from = match self.spans.len().checked_sub(length) {
            Some(index) => self.spans.get(index).map_or(self.woke, |(at, _)| *at),
            None => self.woke.saturating_sub(length - self.spans.len()),
        };
        from..end
    }
}

impl Stream {
    /// In how many places of the body secrets were found until now.
    pub(super) fn hits(&self) -> u64 {
        self.hits
    }

    fn take(&mut self, piece: &[u8]) {
        self.raw.extend_from_slice(piece);
        self.masked.extend_from_slice(piece);
    }

    /// The bytes that are final after this piece.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.take(piece);
        self.search(false);
        let ready = self.raw.len().saturating_sub(self.scrubber.held_back());
        self.raw.drain(..ready);
        self.first += ready;
        self.masked.drain(..ready).collect()
    }

    /// The bytes held back, at the end.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        self.search(true);
        self.raw.clear();
        std::mem::take(&mut self.masked)
    }

    /// How much it may hold at a time: what is held back twice and a large piece, with room to grow, and what each
    /// decoder knows of its last bytes.
    pub(super) fn size(&self) -> u64 {
        let buffers = 4 * (self.scrubber.held_back() + PIECE);
        let spans = 2 * self.scrubber.longest * size_of::<(usize, u8)>() * self.decoders.len();
        bytes_of(buffers + spans)
    }

    #[cfg(test)]
    pub(super) fn searched(&self) -> u64 {
        self.searched
    }

    /// Searches what has not been searched.
    fn search(&mut self, ended: bool) {
        let end = self.first + self.raw.len();
        while self.at < end {
            if self.decoders.iter().all(|decoder| decoder.awake.is_none()) {
                self.search_calm();
            }
            if self.at < end {
                self.search_byte();
            }
        }
        if ended {
            for number in 0..self.decoders.len() {
                self.decode(number, true);
            }
        }
    }

    /// Searches as far as no escape begins; all decoders sleep.
    fn search_calm(&mut self) {
        let rest = &self.raw[self.at - self.first..];
        let begins = |byte: &u8| self.decoders.iter().any(|decoder| decoder.encoding.begins(*byte));
        let calm = rest.iter().position(begins).unwrap_or(rest.len());
        for _ in 0..calm {
            self.search_plain();
        }
    }

    /// Searches one byte as it is.
    fn search_plain(&mut self) {
        let byte = self.raw[self.at - self.first];
        self.state = self.scrubber.step(self.state, byte);
        self.searched += 1;
        self.at += 1;
        let length = self.scrubber.ends(self.state);
        if length > 0 {
            self.cover(self.at.saturating_sub(length)..self.at);
        }
    }

    /// Searches one byte, with the decoders that are awake or that it wakes.
    fn search_byte(&mut self) {
        let (byte, state, at) = (self.raw[self.at - self.first], self.state, self.at);
        for decoder in &mut self.decoders {
            if decoder.awake.is_none() && decoder.encoding.begins(byte) {
                decoder.awake = Some(Awake { state, woke: at, at, spans: VecDeque::new(), plain: 0 });
            }
        }
        self.search_plain();
        for number in 0..self.decoders.len() {
            self.decode(number, false);
        }
    }

    /// Lets a decoder come up with the plain search, as far as escapes are whole.
    fn decode(&mut self, number: usize, ended: bool) {
        let decoder = &mut self.decoders[number];
        let encoding = decoder.encoding;
        let Some(mut awake) = decoder.awake.take() else { return };
        while awake.at < self.at {
            let rest = &self.raw[awake.at - self.first..];
            let itself = rest.first().copied();
            let Some((bytes, count, length)) = encoding.decode(rest, ended) else { break };
            for byte in bytes.iter().take(count) {
                awake.state = self.scrubber.step(awake.state, *byte);
                self.searched += 1;
                if awake.spans.len() == self.scrubber.longest {
                    awake.spans.pop_front();
                }
                awake.spans.push_back((awake.at, length));
                let needle = self.scrubber.ends(awake.state);
                if needle > 0 {
                    self.cover(awake.span(needle));
                }
            }
            let plain = length == 1 && itself == Some(bytes[0]);
            awake.plain = if plain { awake.plain + 1 } else { 0 };
            awake.at += usize::from(length);
        }
        if awake.plain < self.scrubber.longest || awake.at != self.at {
            self.decoders[number].awake = Some(awake);
        }
    }

    fn cover(&mut self, place: Range<usize>) {
        if place.start >= self.counted {
            self.hits += 1;
        }
        self.counted = self.counted.max(place.end);
        let place = place.start.saturating_sub(self.first)..place.end.saturating_sub(self.first);
        if let Some(part) = self.masked.get_mut(place) {
            part.fill(b'*');
        }
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
            assert_eq!(scrubber().mask(&mut bytes), 1, "{text}");
            let masked = String::from_utf8_lossy(&bytes).into_owned();
            assert!(masked.starts_with("before ") && masked.ends_with(" after"), "{masked}");
            assert!(masked.contains("**********"), "{masked}");
            assert_eq!(bytes.len(), text.len() + "before  after".len(), "the length stays");
        }
        let mut harmless = b"nothing of it in here".to_vec();
        assert_eq!(scrubber().mask(&mut harmless), 0);
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
    fn x16_no_byte_is_searched_again_however_a_body_is_cut() {
        // A secret whose longest form would have been searched again with each byte: six thousand bytes and more.
        let long = "0123456789abcdef".repeat(190);
        let scrubber = Scrubber::new([Secret::new(long.as_str())].iter()).unwrap();
        let plain = "nothing of it, byte by byte; ".repeat(700);
        let escaped = format!("{plain}\\n{}%41{plain}+{plain}", hex::encode(&long));
        for (body, most) in [(plain.as_str(), 1), (escaped.as_str(), 4)] {
            let mut whole = body.as_bytes().to_vec();
            scrubber.mask(&mut whole);
            for size in [1, 7, 4096] {
                let mut stream = scrubber.stream();
                let mut out: Vec<u8> =
                    body.as_bytes().chunks(size).flat_map(|piece| stream.push(piece)).collect();
                out.extend_from_slice(&stream.finish());
                assert!(out == whole, "pieces of {size}");
                let searched = stream.searched();
                assert!(searched <= most * body.len() as u64, "{searched} steps for {} bytes", body.len());
            }
        }
    }

    #[test]
    fn a_decoder_that_slept_finds_what_begins_before_its_escape() {
        let scrubber = Scrubber::new([Secret::new("abcdefgh")].iter()).unwrap();
        let calm = "x".repeat(100);
        for text in ["abcdefg%68", r"abcdefg\u0068", "%61bcdefgh", r"abcd\u0065fgh"] {
            let text = format!("{calm}%20{calm}{text}{calm}");
            let mut whole = text.clone().into_bytes();
            assert_eq!(scrubber.mask(&mut whole), 1, "{text}");
            for size in [1, 3, 50] {
                let mut stream = scrubber.stream();
                let mut out: Vec<u8> =
                    text.as_bytes().chunks(size).flat_map(|piece| stream.push(piece)).collect();
                out.extend_from_slice(&stream.finish());
                assert_eq!(out, whole, "pieces of {size}");
            }
        }
    }

    #[test]
    fn x7_a_secret_is_counted_once_however_the_text_is_cut() {
        let one = format!("{SECRET} {} {{\"k\":{}}} ", STANDARD.encode(SECRET), serde_json::json!(SECRET));
        let text = one.repeat(3);
        assert_eq!(scrubber().mask(&mut text.clone().into_bytes()), 9);
        for size in [1, 2, 7, 30, 64, 1000] {
            let mut stream = scrubber().stream();
            for piece in text.as_bytes().chunks(size) {
                stream.push(piece);
            }
            stream.finish();
            assert_eq!(stream.hits(), 9, "pieces of {size}");
        }
    }

    #[test]
    fn x6_a_secret_is_found_in_the_name_of_a_header() {
        let scrubber = Scrubber::new([Secret::new("Sk-Live_4fA81B.7")].iter()).unwrap();
        let encoded = STANDARD.encode("Sk-Live_4fA81B.7").trim_end_matches('=').to_ascii_lowercase();
        for name in ["sk-live_4fa81b.7", "x-sk-live_4fa81b.7-end", "x-sk%2dlive_4fa81b.7", &encoded] {
            assert!(scrubber.is_in_name(name), "{name}");
        }
        assert!(!scrubber.is_in_name("x-sk-live_4fa81b"));
    }

    #[test]
    fn without_secrets_there_is_nothing_to_do() {
        assert!(Scrubber::new([].iter()).is_none());
        assert!(Scrubber::new([Secret::new("abc")].iter()).is_none(), "too short to be told from chance");
    }
}
