//! The grammar of the ACL file: `topic`, `user` and `pattern` lines.
//!
//! Every error of a file is reported at once. Lines may be indented and end in CRLF; `#` starts a
//! comment only at the start of a line, since it is a wildcard everywhere else.

use super::rule::{Grant, Rule};
use super::{Acl, Line, filter};
use crate::file_error::{FileError, FileErrors, numbered_lines, quote};

const GRAMMAR: &str = "topic [read|write|readwrite|deny] <filter>, user <name>, \
                       pattern [read|write|readwrite|deny] <filter>, or # and a comment";

pub(super) fn parse(text: &str) -> Result<Acl, Vec<FileError>> {
    let mut errors = FileErrors::default();
    let mut acl = Acl::empty();
    let mut user: Option<&str> = None;
    for (number, line) in numbered_lines(text) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (keyword, rest) = split_word(line);
        match keyword {
            "user" if rest.is_empty() => errors.push(number, "user without a name", "user <name>"),
            "user" => {
                user = Some(rest);
                // A user without rules has none, rather than those of another.
                acl.users.entry(rest.into()).or_default();
            }
            "topic" => match parse_rule(rest) {
                Ok((grant, filter)) => {
                    let rules = match user {
                        Some(user) => acl.users.entry(user.into()).or_default(),
                        None => &mut acl.anonymous,
                    };
                    rules.push(Rule::topic(filter, grant, Line(number)));
                }
                Err(refused) => errors.push(number, refused.found, refused.expected),
            },
            "pattern" => match parse_rule(rest) {
                Ok((grant, filter)) => {
                    acl.patterns.push(Rule::pattern(filter, grant, Line(number)));
                }
                Err(refused) => errors.push(number, refused.found, refused.expected),
            },
            _ => errors.push(number, format!("keyword {}", quote(keyword)), GRAMMAR),
        }
    }
    errors.or(acl)
}

struct Refused {
    found: String,
    expected: &'static str,
}

fn parse_rule(text: &str) -> Result<(Grant, &str), Refused> {
    let (grant, filter) = match split_word(text) {
        // One word is the filter, even if it reads like an access.
        (filter, "") => (Grant::ReadWrite, filter),
        ("read", filter) => (Grant::Read, filter),
        ("write", filter) => (Grant::Write, filter),
        ("readwrite", filter) => (Grant::ReadWrite, filter),
        ("deny", filter) => (Grant::Deny, filter),
        (other, _) => {
            return Err(Refused {
                found: format!("access {}", quote(other)),
                expected: "read, write, readwrite or deny before a filter that holds spaces",
            });
        }
    };
    if filter::is_valid(filter) {
        return Ok((grant, filter));
    }
    Err(Refused {
        found: if filter.is_empty() {
            "no topic filter".into()
        } else {
            format!("topic filter {}", quote(filter))
        },
        expected: "a topic filter: + a level of its own, # the last one; \
                   a comment stands on a line of its own",
    })
}

/// The first word and what follows the space after it.
fn split_word(text: &str) -> (&str, &str) {
    match text.split_once([' ', '\t']) {
        Some((word, rest)) => (word, rest.trim_ascii_start()),
        None => (text, ""),
    }
}
