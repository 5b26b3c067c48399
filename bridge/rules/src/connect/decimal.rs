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

    /// The unscaled number as two's complement bytes, most significant first, as few as it takes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.unscaled.to_signed_bytes_be()
    }
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
