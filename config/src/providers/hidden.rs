//! Keeping what references stood for out of messages.
//!
//! Invariant: no text that was put in for a reference is left in what [`Hidden::hide`] returns, be
//! it whole, without the blanks around it, a line of it, or escaped as messages quote it.

use crate::secret::Secret;

/// Shorter lines of a longer text are no secret by themselves.
const LINE_BYTES_MIN: usize = 4;

/// Texts that are not shown, each with the reference that is shown instead. It has no `Debug`
/// because it holds secrets.
#[derive(Clone, Default)]
pub struct Hidden {
    /// The longest first.
    texts: Vec<(String, String)>,
}

impl Hidden {
    /// Hides what references stood for.
    #[must_use]
    pub fn new<'f>(found: impl IntoIterator<Item = &'f (String, Secret)>) -> Hidden {
        let mut texts: Vec<(String, String)> = Vec::new();
        for (reference, secret) in found {
            let mut add = |text: &str| {
                for form in [text.to_owned(), text.escape_debug().to_string()] {
                    if !form.is_empty() && !texts.iter().any(|(known, _)| *known == form) {
                        texts.push((form, reference.clone()));
                    }
                }
            };
            add(secret.expose());
            add(secret.expose().trim());
            if secret.expose().trim().contains('\n') {
                let lines = secret.expose().lines().map(str::trim);
                lines.filter(|line| line.len() >= LINE_BYTES_MIN).for_each(add);
            }
        }
        texts.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        Hidden { texts }
    }

    /// A message with the references instead.
    #[must_use]
    pub fn hide(&self, message: &str) -> String {
        if self.texts.is_empty() {
            return message.to_owned();
        }
        let mut shown = String::with_capacity(message.len());
        let mut rest = message;
        while let Some(first) = rest.chars().next() {
            // Never within what was put in: a reference may contain what another stood for.
            match self.texts.iter().find(|(text, _)| rest.starts_with(text.as_str())) {
                Some((text, reference)) => {
                    shown.push_str(reference);
                    rest = &rest[text.len()..];
                }
                None => {
                    shown.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reference_stood_for_is_in_no_message_however_it_is_quoted() {
        let hidden = Hidden::new(&[
            ("${env:A}".to_owned(), Secret::new("pass\"word\n")),
            ("${env:B}".to_owned(), Secret::new("pass")),
            ("${env:C}".to_owned(), Secret::new("-----\nMIIB\nx\n-----")),
        ]);
        for (message, shown) in [
            ("found pass\"word, no pass", "found ${env:A}, no ${env:B}"),
            ("found \"pass\\\"word\\n\"", "found \"${env:A}\""),
            ("line MIIB of x", "line ${env:C} of x"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(hidden.hide(message), shown);
        }
    }
}
