//! Exact decimal numbers, as Java's `BigDecimal`: an unscaled integer and a scale.
//!
//! Equality is of both parts: `1.0` and `1.00` differ, as in Java.

use std::fmt;

use num_bigint::BigInt;

/// `unscaled × 10^-scale`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decimal {
    /// The digits.
    pub unscaled: BigInt,
    /// How many of them stand behind the point; may be negative.
    pub scale: i32,
}

impl Decimal {
    /// From two's complement bytes, most significant first, as Connect's `Decimal` has them; no
    /// bytes are zero.
    #[must_use]
    pub fn from_bytes(bytes: &[u8], scale: i32) -> Self {
        Self { unscaled: BigInt::from_signed_bytes_be(bytes), scale }
    }

    /// Java's `new BigDecimal(String)`: digits with a point and an exponent.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = [whole, fraction].concat();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let scale = i32::try_from(i64::try_from(fraction.len()).ok()? - exponent).ok()?;
        let magnitude: BigInt = digits.parse().ok()?;
        Some(Self { unscaled: if negative { -magnitude } else { magnitude }, scale })
    }

    /// The nearest number of 64 bits, infinite beyond their range.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        self.scientific().parse().expect("digits and an exponent are a number")
    }

    /// The nearest number of 32 bits, infinite beyond their range.
    #[must_use]
    pub fn to_f32(&self) -> f32 {
        self.scientific().parse().expect("digits and an exponent are a number")
    }

    fn scientific(&self) -> String {
        format!("{}e{}", self.unscaled, -i64::from(self.scale))
    }

    /// The lowest 64 bits of the whole part, as Java's `longValue`.
    #[must_use]
    pub fn to_i64_wrapping(&self) -> i64 {
        // Ten to the 64th has 64 zero bits at its end.
        if self.scale <= -64 || self.is_fraction_only() {
            return 0;
        }
        let whole = self.whole_part();
        let low = whole.magnitude().iter_u64_digits().next().unwrap_or(0) as i64;
        if whole.sign() == num_bigint::Sign::Minus { low.wrapping_neg() } else { low }
    }

    /// The number, when it is whole and has 64 bits at most.
    #[must_use]
    pub fn to_i64_exact(&self) -> Option<i64> {
        if self.unscaled.sign() == num_bigint::Sign::NoSign {
            return Some(0);
        }
        // Checked first: the scale may be any, and writing it out large.
        let whole_digits = self.digits() - i64::from(self.scale);
        if !(1..=19).contains(&whole_digits) {
            return None;
        }
        if self.scale > 0 {
            let power = BigInt::from(10).pow(self.scale.unsigned_abs());
            if &self.unscaled % power != BigInt::ZERO {
                return None;
            }
        }
        i64::try_from(self.whole_part()).ok()
    }

    /// Whether nothing stands before the point; zero is such a number.
    fn is_fraction_only(&self) -> bool {
        self.unscaled.sign() == num_bigint::Sign::NoSign || self.digits() <= i64::from(self.scale)
    }

    /// How many digits the unscaled number has.
    #[must_use]
    pub fn digits(&self) -> i64 {
        self.unscaled.magnitude().to_string().len() as i64
    }

    /// What stands before the point; small where [`Decimal::to_i64_wrapping`] asks.
    fn whole_part(&self) -> BigInt {
        let power = BigInt::from(10).pow(self.scale.unsigned_abs());
        if self.scale >= 0 { &self.unscaled / power } else { &self.unscaled * power }
    }

    /// The unscaled number as two's complement bytes, most significant first, as few as it takes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.unscaled.to_signed_bytes_be()
    }
}

/// An exponent of at most ten digits that fits 32 bits, as Java reads one.
fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let significant = digits.trim_start_matches('0');
    if digits.is_empty()
        || !digits.bytes().all(|byte| byte.is_ascii_digit())
        || significant.len() > 10
    {
        return None;
    }
    let exponent: i64 = if significant.is_empty() { 0 } else { significant.parse().ok()? };
    let exponent = if text.starts_with('-') { -exponent } else { exponent };
    i32::try_from(exponent).ok().map(i64::from)
}

impl fmt::Display for Decimal {
    /// As Java's `BigDecimal.toString`: scientific notation for a negative scale and for numbers
    /// below 10⁻⁶.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let negative = self.unscaled.sign() == num_bigint::Sign::Minus;
        let digits = self.unscaled.magnitude().to_string();
        if negative {
            f.write_str("-")?;
        }
        if self.scale == 0 {
            return f.write_str(&digits);
        }
        let adjusted = digits.len() as i64 - 1 - i64::from(self.scale);
        if self.scale > 0 && adjusted >= -6 {
            let scale = self.scale as usize;
            return if digits.len() > scale {
                let (whole, fraction) = digits.split_at(digits.len() - scale);
                write!(f, "{whole}.{fraction}")
            } else {
                write!(f, "0.{digits:0>scale$}")
            };
        }
        let (first, rest) = digits.split_at(1);
        f.write_str(first)?;
        if !rest.is_empty() {
            write!(f, ".{rest}")?;
        }
        if adjusted != 0 {
            write!(f, "E{adjusted:+}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_read_as_java_reads_it() {
        for (text, read) in [
            ("1.50", Some("1.50")),
            ("-.5", Some("-0.5")),
            ("5.", Some("5")),
            ("+1e3", Some("1E+3")),
            ("1E-7", Some("1E-7")),
            ("1e2147483647", Some("1E+2147483647")),
            ("1e2147483648", None),
            (".", None),
            ("", None),
            ("1e", None),
            ("1.2.3", None),
            ("--1", None),
            ("1 ", None),
        ] {
            let decimal = Decimal::parse(text).map(|decimal| decimal.to_string());
            assert_eq!(decimal.as_deref(), read, "{text}");
        }
    }

    #[test]
    fn a_decimal_is_cut_to_the_lowest_64_bits() {
        for (text, long) in [
            ("9223372036854775808", i64::MIN),
            ("-9223372036854775809", i64::MAX),
            ("18446744073709551617", 1),
            ("-1.9", -1),
            ("0.99", 0),
            ("1e100000000", 0),
            ("1e19", -8_446_744_073_709_551_616),
            ("1e-100000000", 0),
        ] {
            assert_eq!(Decimal::parse(text).unwrap().to_i64_wrapping(), long, "{text}");
        }
    }

    #[test]
    fn a_decimal_is_written_as_java_writes_it() {
        for (unscaled, scale, text) in [
            (123, 0, "123"),
            (-123, 0, "-123"),
            (123, -1, "1.23E+3"),
            (123, 5, "0.00123"),
            (123, 10, "1.23E-8"),
            (-123, 12, "-1.23E-10"),
            (0, 2, "0.00"),
            (1, 7, "1E-7"),
            (1000, 2, "10.00"),
        ] {
            let decimal = Decimal { unscaled: BigInt::from(unscaled), scale };
            assert_eq!(decimal.to_string(), text);
        }
    }
}
