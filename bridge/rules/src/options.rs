//! Definitions of options, after Connect's `ConfigDef`: what an option is called, takes and means.
//!
//! One table serves three readers: the code that obeys the options, the answers of REST
//! (`/connector-plugins/…/config` and `…/validate`), and the documentation.
//!
//! Invariant: judging options never stops at the first mistake; the words of a mistake are those of
//! Connect where it has any.

mod judge;

use std::fmt;

pub use judge::{Judged, Options, judge, parse};

/// An option.
#[derive(Debug, Clone, Copy)]
pub struct OptionDef {
    /// Its name, without the prefix of what it belongs to.
    pub name: &'static str,
    /// Other spellings of the name; the name itself counts before them, and they in their order.
    pub aliases: &'static [&'static str],
    /// How its text is read.
    pub kind: Kind,
    /// What counts when it is not given.
    pub default: Default,
    /// How much it matters.
    pub importance: Importance,
    /// What it does, in Connect's words where the option is Connect's.
    pub documentation: &'static str,
    /// What its value may be, beyond its kind.
    pub accepted: &'static [Accepted],
    /// How wide a form shows it.
    pub width: Width,
    /// What a form calls it; its name if nothing else is said.
    pub display_name: Option<&'static str>,
    /// The group of a form that it stands in.
    pub group: Option<&'static str>,
    /// Its place in the group; -1 where nobody said.
    pub order: i32,
    /// The options whose meaning depends on it.
    pub dependents: &'static [&'static str],
}

/// How an option's text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`, in any case.
    Boolean,
    /// Text without the spaces around it.
    String,
    /// 16 bits, signed.
    Short,
    /// 32 bits, signed.
    Int,
    /// 64 bits, signed.
    Long,
    /// A floating-point number.
    Double,
    /// Texts with commas between them.
    List,
    /// The name of a class.
    Class,
    /// Text that is never shown.
    Password,
}

/// What counts when an option is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// Nothing: it has to be given.
    Required,
    /// No value.
    Null,
    /// This text, read as any other.
    Text(&'static str),
}

/// How much an option matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Importance {
    /// Everybody should look at it.
    High,
    /// Many will.
    Medium,
    /// Few will.
    Low,
}

/// How wide a form shows an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Nobody said.
    None,
    /// A number.
    Short,
    /// A name.
    Medium,
    /// An address.
    Long,
}

/// What a value may be.
#[derive(Clone, Copy)]
pub enum Accepted {
    /// One of these.
    OneOf(&'static [&'static str]),
    /// One of these, in any case.
    OneOfAnyCase(&'static [&'static str]),
    /// Some text, if any.
    NonEmptyString,
    /// Anything that is there.
    NonNull,
    /// A list with something in it.
    NonEmptyList,
    /// A list without duplicates and empty texts, itself not empty unless said so.
    Distinct {
        /// Whether it may be empty.
        empty: bool,
    },
    /// At least this number.
    AtLeast(i64),
    /// A number from the first to the second.
    Between(i64, i64),
    /// What this accepts: it is given the option's name and value, and says what is wrong.
    Check {
        /// The rule.
        check: fn(&str, &Value) -> Result<(), String>,
        /// The rule in words.
        says: &'static str,
    },
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// None.
    Null,
    /// Of a boolean.
    Boolean(bool),
    /// Of a string, a class or a password.
    String(String),
    /// Of a whole number.
    Number(i64),
    /// Of a floating-point number.
    Double(f64),
    /// Of a list.
    List(Vec<String>),
}

/// A mistake in an option.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// The option's full name.
    pub name: String,
    /// What is wrong, in Connect's words.
    pub message: String,
}

impl OptionDef {
    /// An option that takes any value of its kind.
    #[must_use]
    pub const fn new(
        name: &'static str,
        kind: Kind,
        default: Default,
        importance: Importance,
        documentation: &'static str,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            kind,
            default,
            importance,
            documentation,
            accepted: &[],
            width: Width::None,
            display_name: None,
            group: None,
            order: -1,
            dependents: &[],
        }
    }

    /// The same, with bounds on its value.
    #[must_use]
    pub const fn accepting(self, accepted: &'static [Accepted]) -> Self {
        Self { accepted, ..self }
    }

    /// The same, with other spellings of its name.
    #[must_use]
    pub const fn spelt(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// The same, with its place in a form.
    #[must_use]
    pub const fn shown(
        self,
        group: &'static str,
        order: i32,
        width: Width,
        display_name: &'static str,
    ) -> Self {
        Self { group: Some(group), order, width, display_name: Some(display_name), ..self }
    }

    /// Whether it has to be given.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.default == Default::Required
    }

    /// The text of its default, if it has one.
    #[must_use]
    pub const fn default_text(&self) -> Option<&'static str> {
        match self.default {
            Default::Text(text) => Some(text),
            Default::Required | Default::Null => None,
        }
    }

    /// What a form calls it.
    #[must_use]
    pub fn display_name(&self) -> &'static str {
        self.display_name.unwrap_or(self.name)
    }

    /// Every spelling of its name, the name itself first.
    pub fn spellings(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// In the order in which Connect shows options that nobody ordered: by place, then what has to be
/// given, by importance, by name.
#[must_use]
pub fn sorted(definitions: &'static [OptionDef]) -> Vec<&'static OptionDef> {
    let mut sorted: Vec<&OptionDef> = definitions.iter().collect();
    sorted.sort_by_key(|option| {
        (option.order, !option.is_required(), option.importance, option.name)
    });
    sorted
}

impl Kind {
    /// Its name as REST has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Short => "SHORT",
            Self::Int => "INT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

impl Importance {
    /// Its name as REST has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
        }
    }
}

impl Width {
    /// Its name as REST has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Short => "SHORT",
            Self::Medium => "MEDIUM",
            Self::Long => "LONG",
        }
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accepted({self})")
    }
}

impl fmt::Display for Accepted {
    /// For people: the documentation has it so.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(names) => f.write_str(&names.join(", ")),
            Self::OneOfAnyCase(names) => write!(f, "{}, in any case", names.join(", ")),
            Self::NonEmptyString => f.write_str("non-empty string"),
            Self::NonNull => f.write_str("non-null string"),
            Self::NonEmptyList => f.write_str("non-empty list"),
            Self::Distinct { empty: true } => f.write_str("list without duplicates"),
            Self::Distinct { empty: false } => f.write_str("non-empty list without duplicates"),
            Self::AtLeast(least) => write!(f, "{least} and more"),
            Self::Between(least, most) => write!(f, "{least} to {most}"),
            Self::Check { says, .. } => f.write_str(says),
        }
    }
}

impl fmt::Display for Value {
    /// As Java writes it into messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::String(value) => f.write_str(value),
            Self::Number(value) => write!(f, "{value}"),
            Self::Double(value) => f.write_str(&crate::java::number::write_f64(*value)),
            Self::List(values) => write!(f, "[{}]", values.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
