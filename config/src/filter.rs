//! The form of an MQTT topic filter, checked where it is written.
//!
//! The broker's own type decides what matches; this only lets a mistake be reported with its line.

/// Checks a filter; the error says what was expected.
pub(crate) fn check(filter: &str) -> Result<(), &'static str> {
    const LONGEST_BYTES: usize = 65_535;
    if filter.is_empty() {
        return Err("expected at least one character");
    }
    if filter.len() > LONGEST_BYTES {
        return Err("expected 65535 bytes at most");
    }
    if filter.contains('\0') {
        return Err("expected no zero character");
    }
    let filter = match filter.strip_prefix("$share/") {
        None => filter,
        // [MQTT-4.8.2-1], [MQTT-4.8.2-2]: a name without wildcards, then a filter.
        Some(shared) => match shared.split_once('/') {
            Some((name, rest))
                if !name.is_empty() && !name.contains(['+', '#']) && !rest.is_empty() =>
            {
                rest
            }
            _ => return Err("expected $share/NAME/FILTER"),
        },
    };
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        // [MQTT-4.7.1-1]
        if level.contains('#') && (level != "#" || levels.peek().is_some()) {
            return Err("expected # alone as the last level");
        }
        // [MQTT-4.7.1-2]
        if level.contains('+') && level != "+" {
            return Err("expected + alone in its level");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn filters_of_the_standard_are_accepted_and_malformed_ones_are_not() {
        for good in ["#", "+", "a/+/b", "/", "a//b", "$SYS/#", "$share/g/a/#", "a b/ü"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "a#", "#/a", "a+", "a/b#", "$share/g", "$share//a", "$share/+/a", "a\0"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
