//! A secret within an answer: however it is encoded, escaped and cut into pieces, all that stands for it is
//! masked, and nothing changes its length.

use arbitrary::{Result, Unstructured};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use entente_cli::fuzzing::plugin::scrub;

enum Form {
    Plain,
    /// With so many bytes before it that are encoded too.
    Base64(u8),
    Base64Url(u8),
    Hex,
    HexUpper,
}

enum Escape {
    None,
    /// Which letters are escaped; upper case or not; a plus for a space.
    Percent(u64, bool, bool),
    Json(u64, bool),
}

struct Input<'a> {
    secret: &'a str,
    other: &'a str,
    before: &'a [u8],
    after: &'a [u8],
    form: Form,
    escape: Escape,
    cuts: Vec<u8>,
}

impl<'a> Input<'a> {
    fn of(u: &mut Unstructured<'a>) -> Result<Self> {
        let form = match u.int_in_range(0..=4)? {
            0 => Form::Plain,
            1 => Form::Base64(u.arbitrary()?),
            2 => Form::Base64Url(u.arbitrary()?),
            3 => Form::Hex,
            _ => Form::HexUpper,
        };
        let escape = match u.int_in_range(0..=2)? {
            0 => Escape::None,
            1 => Escape::Percent(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?),
            _ => Escape::Json(u.arbitrary()?, u.arbitrary()?),
        };
        let cuts = (0..u.int_in_range(0..=12)?).map(|_| u.arbitrary()).collect::<Result<_>>()?;
        Ok(Self {
            form,
            escape,
            cuts,
            secret: u.arbitrary()?,
            other: u.arbitrary()?,
            before: u.arbitrary()?,
            after: u.arbitrary()?,
        })
    }
}

/// What stands for the secret, without what it shares with its neighbours.
fn formed(secret: &[u8], form: &Form) -> Vec<u8> {
    let base64 = |before: u8, encode: &dyn Fn(&[u8]) -> String| {
        let before = usize::from(before % 3);
        let whole = [&b"us:"[..before], secret].concat();
        let encoded = encode(&whole).into_bytes();
        encoded[(before * 8).div_ceil(6)..whole.len() * 8 / 6].to_vec()
    };
    match form {
        Form::Plain => secret.to_vec(),
        Form::Base64(before) => base64(*before, &|bytes| STANDARD.encode(bytes)),
        Form::Base64Url(before) => base64(*before, &|bytes| URL_SAFE_NO_PAD.encode(bytes)),
        Form::Hex => hex::encode(secret).into_bytes(),
        Form::HexUpper => hex::encode_upper(secret).into_bytes(),
    }
}

fn escaped(formed: &[u8], escape: &Escape) -> Vec<u8> {
    let chosen = |which: u64, n: usize| which >> (n % 64) & 1 == 1;
    match escape {
        Escape::None => formed.to_vec(),
        Escape::Percent(which, upper, plus) => formed
            .iter()
            .enumerate()
            .flat_map(|(n, byte)| match byte {
                b' ' if *plus => b"+".to_vec(),
                // What begins an escape must be escaped itself.
                byte if *byte == b'%' || (*byte == b'+' && *plus) || chosen(*which, n) => match upper {
                    true => format!("%{byte:02X}").into_bytes(),
                    false => format!("%{byte:02x}").into_bytes(),
                },
                byte => vec![*byte],
            })
            .collect(),
        Escape::Json(which, upper) => {
            let text = std::str::from_utf8(formed).expect("encodings are text");
            let mut out = Vec::new();
            for (n, c) in text.chars().enumerate() {
                let must = matches!(c, '"' | '\\') || c.is_control();
                match c {
                    '/' | '"' | '\\' if !*upper && chosen(*which, n) => out.extend([b'\\', c as u8]),
                    c if must || chosen(*which, n) => {
                        for unit in c.encode_utf16(&mut [0; 2]) {
                            out.extend(
                                if *upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") }
                                    .bytes(),
                            );
                        }
                    }
                    c => out.extend(c.encode_utf8(&mut [0; 4]).bytes()),
                }
            }
            out
        }
    }
}

/// Looks at one input.
pub fn run(bytes: &[u8]) {
    let Ok(input) = Input::of(&mut Unstructured::new(bytes)) else { return };
    if !(5..200).contains(&input.secret.len()) || input.other.len() > 200 {
        return;
    }
    let middle = escaped(&formed(input.secret.as_bytes(), &input.form), &input.escape);
    // What stands before is whole in itself: half an escape would take the first letters with it.
    let before: Vec<u8> = input.before.iter().copied().filter(|byte| !matches!(byte, b'%' | b'\\')).collect();
    let text = [before.as_slice(), &middle, input.after].concat();
    let mut pieces = Vec::new();
    let mut rest = text.as_slice();
    for cut in &input.cuts {
        let (piece, more) = rest.split_at(usize::from(*cut).min(rest.len()));
        pieces.push(piece);
        rest = more;
    }
    pieces.push(rest);
    let (out, whole) = scrub(&[input.secret, input.other], &pieces).expect("the secret is long enough");
    assert_eq!(out.len(), text.len());
    assert_eq!(out, whole, "pieces make a difference");
    let masked = &out[before.len()..before.len() + middle.len()];
    assert!(masked.iter().all(|byte| *byte == b'*'), "{}", String::from_utf8_lossy(masked));
}
