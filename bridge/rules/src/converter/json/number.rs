//! What a number of JSON is worth, without losing a digit on the way.

use num_bigint::BigInt;

use super::reader::Number;
use crate::connect::Decimal;

impl Number<'_> {
    /// The number as `i64`, if it is whole and not too large: `10`, but also `1.0` and `1e1`.
    pub(crate) fn as_i64(&self) -> Option<i64> {
        if self.integral {
            return self.text.parse().ok();
        }
        let Decimal { mut unscaled, scale } = self.as_decimal()?;
        // 19 digits are the most an `i64` has; a larger exponent cannot be one unless it is zero.
        if scale.unsigned_abs() > super::reader::NUMBER_MAX as u32 {
            return (unscaled == BigInt::ZERO).then_some(0);
        }
        let power = BigInt::from(10).pow(scale.unsigned_abs());
        if scale < 0 {
            unscaled *= power;
        } else {
            let whole = &unscaled / &power;
            if &whole * &power != unscaled {
                return None;
            }
            unscaled = whole;
        }
        i64::try_from(unscaled).ok()
    }

    /// The nearest double, if the number is not too large for one.
    pub(crate) fn as_f64(&self) -> Option<f64> {
        self.text.parse().ok().filter(|value: &f64| value.is_finite())
    }

    /// The nearest float, if the number is not too large for one.
    pub(crate) fn as_f32(&self) -> Option<f32> {
        self.text.parse().ok().filter(|value: &f32| value.is_finite())
    }

    /// The number itself, with as many digits behind the point as are written; none when the
    /// exponent is beyond what a decimal takes.
    pub(crate) fn as_decimal(&self) -> Option<Decimal> {
        let (mantissa, exponent) = match self.text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (self.text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits = String::with_capacity(whole.len() + fraction.len());
        digits.push_str(whole);
        digits.push_str(fraction);
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        Some(Decimal { unscaled: digits.parse().ok()?, scale })
    }
}

#[cfg(test)]
mod tests {
    use super::super::reader::Reader;

    fn with<T>(text: &str, read: impl FnOnce(super::Number<'_>) -> T) -> T {
        read(Reader::new(text.as_bytes()).number().unwrap())
    }

    #[test]
    fn whole_numbers_are_whole_however_they_are_written() {
        for (text, value) in [
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("-9223372036854775808", Some(i64::MIN)),
            ("1.0", Some(1)),
            ("12e2", Some(1_200)),
            ("1200e-2", Some(12)),
            ("1.5", None),
            ("0e999999999", Some(0)),
            ("1e999999999", None),
            ("1e99999999999", None),
            ("007", Some(7)),
        ] {
            assert_eq!(with(text, |number| number.as_i64()), value, "{text}");
        }
    }

    #[test]
    fn a_decimal_keeps_its_digits_and_its_scale() {
        for (text, plain) in [
            ("1.50", "1.50"),
            ("-0.10", "-0.10"),
            ("123456789012345678901234567890.5", "123456789012345678901234567890.5"),
            ("1e3", "1E+3"),
            ("12.5e-1", "1.25"),
        ] {
            assert_eq!(with(text, |number| number.as_decimal().unwrap().to_string()), plain);
        }
    }
}
