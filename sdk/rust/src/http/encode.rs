//! Percent-encoding.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as one segment of a path: an id with a slash or a question mark in it stays one segment.
pub fn segment(text: &str) -> String {
    // A lone dot or two would be taken for this folder and the one above, encoded or not: nothing can be done
    // for them.
    encode(text)
}

pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Names and values, as in a query or a form.
pub(crate) fn encode_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

/// The names and values of a query or a form, where a plus stands for a space.
pub(crate) fn decode_pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    let decode = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
    text.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let pairs = [("ids", "a/b,c d"), ("ä", "1+1=2&x"), ("empty", "")];
        let text = encode_pairs(pairs);
        assert_eq!(text, "ids=a%2Fb%2Cc%20d&%C3%A4=1%2B1%3D2%26x&empty=");
        let decoded: Vec<_> = decode_pairs(&text).collect();
        assert_eq!(decoded, pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(
            decode_pairs("a=b+c&d").collect::<Vec<_>>(),
            [("a".into(), "b c".into()), ("d".into(), String::new())]
        );
        assert_eq!(segment("../a?b#c"), "..%2Fa%3Fb%23c");
    }
}
