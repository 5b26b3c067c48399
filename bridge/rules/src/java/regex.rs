//! Java's regular expressions on top of ours: translation, whole matches and replacement.
//!
//! Invariant: an expression is either translated to one that means the same for text without line
//! breaks, or refused with what is missing; matching ends after a bounded number of steps.

mod replacement;
mod translate;

pub use replacement::{InvalidReplacement, Replacement};
pub use translate::Untranslatable;

/// Steps back that a match may take before it is given up.
const STEPS_MAX: usize = 1_000_000;
/// The longest expression.
const EXPRESSION_MAX: usize = 4096;

/// A compiled expression.
#[derive(Debug, Clone)]
pub struct Regex {
    source: String,
    whole: fancy_regex::Regex,
    anywhere: fancy_regex::Regex,
}

/// Why an expression cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRegex {
    /// It says what is not understood here.
    #[error(transparent)]
    Untranslatable(#[from] Untranslatable),
    /// It is no expression, or too large.
    #[error("{0}")]
    Syntax(String),
}

/// A match that took too many steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the regular expression takes more than {STEPS_MAX} steps on this text")]
pub struct TooManySteps;

impl Regex {
    /// Compiles an expression in Java's syntax.
    ///
    /// # Errors
    /// When it is none, or says what is not understood here.
    pub fn new(source: &str) -> Result<Self, InvalidRegex> {
        if source.len() > EXPRESSION_MAX {
            return Err(InvalidRegex::Syntax(format!("longer than {EXPRESSION_MAX} bytes")));
        }
        let translated = translate::translate(source)?;
        Ok(Self {
            source: source.to_owned(),
            whole: compile(&format!(r"\A(?:{translated})\z"))?,
            anywhere: compile(&translated)?,
        })
    }

    /// The expression as it was given.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it matches all of a text: Java's `matches`.
    ///
    /// # Errors
    /// When that takes too many steps.
    pub fn matches(&self, text: &str) -> Result<bool, TooManySteps> {
        self.whole.is_match(text).map_err(|_| TooManySteps)
    }

    /// Replaces what it matches first: Java's `replaceFirst`.
    ///
    /// # Errors
    /// When that takes too many steps.
    pub fn replace_first(
        &self,
        text: &str,
        replacement: &Replacement,
    ) -> Result<String, TooManySteps> {
        let Some(captures) = self.anywhere.captures(text).map_err(|_| TooManySteps)? else {
            return Ok(text.to_owned());
        };
        let all = captures.get(0).expect("the whole match");
        let mut replaced = text[..all.start()].to_owned();
        replacement.append(&mut replaced, &captures);
        replaced.push_str(&text[all.end()..]);
        Ok(replaced)
    }

    /// Reads a replacement (`$1`, `${name}`, `\$`) against the groups of this expression.
    ///
    /// # Errors
    /// When it names a group that is not there.
    pub fn replacement(&self, text: &str) -> Result<Replacement, InvalidReplacement> {
        let names = self.anywhere.capture_names().map(|name| name.map(str::to_owned));
        Replacement::parse(text, &names.collect::<Vec<_>>())
    }
}

fn compile(expression: &str) -> Result<fancy_regex::Regex, InvalidRegex> {
    fancy_regex::RegexBuilder::new(expression)
        .backtrack_limit(STEPS_MAX)
        .build()
        .map_err(|error| InvalidRegex::Syntax(error.to_string()))
}

#[cfg(test)]
mod tests;
