//! Writes JSON as Jackson writes it: no space, characters beyond ASCII as they are, control
//! characters as `\n` or `\u001F`, numbers as Java's `toString` has them.

use std::io::Write as _;

use base64::Engine as _;

/// Writes a string.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut start = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[start..at]);
        start = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            _ => write!(out, "\\u{byte:04X}").expect("a vector takes it"),
        }
    }
    out.extend_from_slice(&bytes[start..]);
    out.push(b'"');
}

/// Writes an integer.
pub(crate) fn integer(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes a double; what is no number becomes a string, as with Jackson.
pub(crate) fn double(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        java_double(out, value);
    } else {
        write!(out, "\"{}\"", java_special(value)).expect("a vector takes it");
    }
}

/// Writes a float; what is no number becomes a string, as with Jackson.
pub(crate) fn float(out: &mut Vec<u8>, value: f32) {
    if value.is_finite() {
        java_float(out, value);
    } else {
        write!(out, "\"{}\"", java_special(f64::from(value))).expect("a vector takes it");
    }
}

/// The name of what is no number.
pub(crate) fn java_special(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// What a name of [`java_special`] stands for.
pub(crate) fn special(text: &str) -> Option<f64> {
    Some(match text {
        "NaN" => f64::NAN,
        "Infinity" | "+Infinity" | "INF" => f64::INFINITY,
        "-Infinity" | "-INF" => f64::NEG_INFINITY,
        _ => return None,
    })
}

/// Writes a finite double as Java's `Double.toString`.
pub(crate) fn java_double(out: &mut Vec<u8>, value: f64) {
    // The frequent case, without a detour: a whole number.
    let whole = value as i64;
    if whole as f64 == value && whole.unsigned_abs() < 10_000_000 && whole != 0 {
        integer(out, whole);
        out.extend_from_slice(b".0");
        return;
    }
    let mut buffer = Buffer::default();
    write!(buffer, "{value:e}").expect("the longest double has 24 characters");
    java_layout(out, buffer.text());
}

/// Writes a finite float as Java's `Float.toString`.
pub(crate) fn java_float(out: &mut Vec<u8>, value: f32) {
    let mut buffer = Buffer::default();
    write!(buffer, "{value:e}").expect("the longest float has 15 characters");
    java_layout(out, buffer.text());
}

/// A place for the digits of one number.
#[derive(Default)]
struct Buffer {
    bytes: [u8; 32],
    length: usize,
}

impl Buffer {
    fn text(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl std::io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let length = (&mut self.bytes[self.length..]).write(bytes)?;
        self.length += length;
        Ok(length)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// From Rust's `-1.2345e-6` to Java's layout: plain from 10⁻³ up to 10⁷, with an exponent beyond.
fn java_layout(out: &mut Vec<u8>, text: &[u8]) {
    let (negative, text) = match text {
        [b'-', text @ ..] => (true, text),
        text => (false, text),
    };
    let split = text.iter().position(|&byte| byte == b'e').expect("{:e} writes an exponent");
    let exponent = std::str::from_utf8(&text[split + 1..]).expect("ASCII");
    let exponent: i32 = exponent.parse().expect("{:e} writes a number as exponent");
    // One digit before the point, if there is one.
    let mantissa = &text[..split];
    let (first, rest) = (mantissa[0], mantissa.get(2..).unwrap_or_default());
    if negative {
        out.push(b'-');
    }
    let zeros = |out: &mut Vec<u8>, count: usize| out.resize(out.len() + count, b'0');
    if !(-3..7).contains(&exponent) {
        out.extend_from_slice(&[first, b'.']);
        out.extend_from_slice(if rest.is_empty() { b"0" } else { rest });
        out.push(b'E');
        integer(out, i64::from(exponent));
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        zeros(out, (-exponent - 1) as usize);
        out.push(first);
        out.extend_from_slice(rest);
    } else {
        let whole = exponent as usize;
        out.push(first);
        out.extend_from_slice(&rest[..whole.min(rest.len())]);
        zeros(out, whole.saturating_sub(rest.len()));
        out.push(b'.');
        out.extend_from_slice(rest.get(whole..).filter(|rest| !rest.is_empty()).unwrap_or(b"0"));
    }
}

/// Writes bytes as Base64 in quotes.
pub(crate) fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = BASE64.encode_slice(bytes, &mut out[start..]).expect("there is room");
    debug_assert_eq!(start + written, out.len());
    out.push(b'"');
}

/// Base64 as Jackson reads and writes it.
pub(crate) const BASE64: base64::engine::GeneralPurpose = base64::engine::GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    base64::engine::GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_are_written_as_java_writes_them() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-4830.0, "-4830.0"),
            (0.1, "0.1"),
            (0.001, "0.001"),
            (0.00123, "0.00123"),
            (0.0001, "1.0E-4"),
            (9_999_999.0, "9999999.0"),
            (10_000_000.0, "1.0E7"),
            (123_456.75, "123456.75"),
            (1.25e9, "1.25E9"),
            (f64::MAX, "1.7976931348623157E308"),
            (5e-324, "5.0E-324"),
            (f64::NAN, "\"NaN\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            assert_eq!(written(|out| double(out, value)), text);
        }
        assert_eq!(written(|out| float(out, 3.4e38)), "3.4E38");
        assert_eq!(written(|out| float(out, 0.1)), "0.1");
        assert_eq!(written(|out| integer(out, i64::MIN)), "-9223372036854775808");
        assert_eq!(written(|out| integer(out, 0)), "0");
    }

    #[test]
    fn strings_are_escaped_as_jackson_escapes_them() {
        let text = "a\"\\\n\r\t\u{8}\u{c}\u{1f}\u{7f}é😀";
        let expected = "\"a\\\"\\\\\\n\\r\\t\\b\\f\\u001F\u{7f}é😀\"";
        assert_eq!(written(|out| string(out, text)), expected);
    }
}
