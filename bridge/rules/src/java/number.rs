//! Numbers as Java writes and reads them.
//!
//! Invariant: what is written has as few digits as identify the number, and at least two of them,
//! as `Double.toString` since JDK 19; older ones now and then write a digit more.

/// Java's `Double.toString`.
#[must_use]
pub fn write_f64(value: f64) -> String {
    if let Some(name) = name_of(value) {
        return name.to_owned();
    }
    let shortest = format!("{value:e}");
    let scientific = if has_one_digit(&shortest) {
        format!("{value:.1e}")
    } else {
        let exact = |digits: usize| format!("{value:.digits$e}");
        even_of_two(&shortest, exact, |text| text.parse() == Ok(value)).unwrap_or(shortest)
    };
    arrange(&scientific)
}

/// Java's `Float.toString`.
#[must_use]
pub fn write_f32(value: f32) -> String {
    if let Some(name) = name_of(f64::from(value)) {
        return name.to_owned();
    }
    let shortest = format!("{value:e}");
    let scientific = if has_one_digit(&shortest) {
        format!("{value:.1e}")
    } else {
        let exact = |digits: usize| format!("{value:.digits$e}");
        even_of_two(&shortest, exact, |text| text.parse() == Ok(value)).unwrap_or(shortest)
    };
    arrange(&scientific)
}

/// The other of two numbers that are equally near, where it is the one that ends evenly: Java takes
/// that one.
fn even_of_two(
    shortest: &str,
    exact: impl Fn(usize) -> String,
    is_same: impl Fn(&str) -> bool,
) -> Option<String> {
    let (number, exponent) = shortest.split_once('e')?;
    // With few digits the number is exact, or far from the middle of two.
    if number.len() < 8 {
        return None;
    }
    let places = number.split_once('.')?.1.len();
    let longer = exact(places + 25);
    let (longer, longer_exponent) = longer.split_once('e')?;
    let (cut, rest) = longer.split_at(longer.find('.')? + 1 + places);
    let halfway = rest.strip_prefix('5').is_some_and(|rest| rest.bytes().all(|b| b == b'0'));
    let even = cut.ends_with(['0', '2', '4', '6', '8']);
    let other = format!("{cut}e{exponent}");
    (halfway && even && longer_exponent == exponent && is_same(&other)).then_some(other)
}

fn name_of(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value.is_infinite() {
        Some(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else if value == 0.0 {
        Some(if value.is_sign_negative() { "-0.0" } else { "0.0" })
    } else {
        None
    }
}

/// Of several numbers with two digits that read as the same, Java writes the nearest: `4.9E-324`.
fn has_one_digit(scientific: &str) -> bool {
    !scientific.contains('.')
}

/// From `d.ddde-x` to Java's arrangement: plain from 10⁻³ to 10⁷, scientific outside.
fn arrange(scientific: &str) -> String {
    let (number, exponent) = scientific.split_once('e').expect("an exponent");
    let exponent: i32 = exponent.parse().expect("a number");
    let (sign, number) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number),
    };
    let digits = number.replace('.', "");
    let digits = digits.trim_end_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    match exponent {
        -3..=-1 => {
            let zeros = "0".repeat((-exponent - 1) as usize);
            format!("{sign}0.{zeros}{digits}")
        }
        0..=6 => {
            let whole = exponent as usize + 1;
            let (whole, fraction) = if digits.len() > whole {
                let (whole, fraction) = digits.split_at(whole);
                (whole.to_owned(), fraction)
            } else {
                (format!("{digits:0<whole$}"), "0")
            };
            format!("{sign}{whole}.{fraction}")
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            let rest = if rest.is_empty() { "0" } else { rest };
            format!("{sign}{first}.{rest}E{exponent}")
        }
    }
}

/// Java's `parseByte` to `parseLong`: a sign, then digits, nothing around them, within the bounds.
#[must_use]
pub fn read_integer(text: &str, lowest: i64, highest: i64) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|number| (lowest..=highest).contains(number))
}

/// Java's `Double.parseDouble`, for decimal notation.
#[must_use]
pub fn read_f64(text: &str) -> Option<f64> {
    decimal_notation(text)?.parse().ok()
}

/// Java's `Float.parseFloat`, for decimal notation.
#[must_use]
pub fn read_f32(text: &str) -> Option<f32> {
    decimal_notation(text)?.parse().ok()
}

/// What both languages read alike, without Java's suffix of a type.
fn decimal_notation(text: &str) -> Option<&str> {
    let text = super::trim(text);
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, "NaN" | "Infinity") {
        return Some(text);
    }
    let suffix = ['f', 'F', 'd', 'D'];
    let unsigned = unsigned.strip_suffix(suffix).unwrap_or(unsigned);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (number, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (unsigned, None),
    };
    if let Some(exponent) = exponent {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if exponent.is_empty() || !digits(exponent) {
            return None;
        }
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let some = !whole.is_empty() || !fraction.is_empty();
    (some && digits(whole) && digits(fraction)).then(|| text.strip_suffix(suffix).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floating_point_numbers_are_written_as_java_writes_them() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (100.0, "100.0"),
            (0.001, "0.001"),
            (0.000_123, "1.23E-4"),
            (1_234_567.0, "1234567.0"),
            (9_999_999.5, "9999999.5"),
            (1.0e7, "1.0E7"),
            (1.234_567_89e8, "1.23456789E8"),
            (4.9e-324, "4.9E-324"),
            (2.0e23, "2.0E23"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(write_f64(value), text);
        }
        assert_eq!(write_f32(0.1), "0.1");
        assert_eq!(write_f32(f32::from_bits(1)), "1.4E-45");
        assert_eq!(write_f32(16_777_216.0), "1.6777216E7");
        assert_eq!(write_f32(f32::from_bits(0xc9f0_aac2)), "-1971544.2");
    }

    #[test]
    fn floating_point_numbers_are_read_as_java_reads_them() {
        for (text, value) in [
            ("1", Some(1.0)),
            (" 1.5f ", Some(1.5)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("+1e3D", Some(1000.0)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("1e99999999999999999999", Some(f64::INFINITY)),
            ("inf", None),
            ("nan", None),
            (".", None),
            ("", None),
            ("1e", None),
            ("1 2", None),
        ] {
            assert_eq!(read_f64(text), value, "{text}");
        }
    }
}
