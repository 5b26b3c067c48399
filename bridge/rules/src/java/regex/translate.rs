//! From Java's syntax to ours.

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

/// What of Java's syntax is not understood here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not supported")]
pub struct Untranslatable(String);

const DIGIT: &str = "0-9";
const WORD: &str = "a-zA-Z0-9_";
const SPACE: &str = r"\t\n\x0B\x0C\r\x20";
const HORIZONTAL: &str = r"\x20\t\x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}";
const VERTICAL: &str = r"\n\x0B\x0C\r\x{85}\x{2028}\x{2029}";
const LINE_END: &str = r"\n\r\x{85}\x{2028}\x{2029}";

/// Classes of `\p{…}` with the ASCII characters they hold in Java.
const POSIX: [(&str, &str); 13] = [
    ("Lower", "a-z"),
    ("Upper", "A-Z"),
    ("ASCII", r"\x00-\x7F"),
    ("Alpha", "a-zA-Z"),
    ("Digit", "0-9"),
    ("Alnum", "a-zA-Z0-9"),
    ("Punct", r"!-/:-@\x5B-\x60\x7B-~"),
    ("Graph", "!-~"),
    ("Print", r"\x20-~"),
    ("Blank", r"\x20\t"),
    ("Cntrl", r"\x00-\x1F\x7F"),
    ("XDigit", "0-9a-fA-F"),
    ("Space", SPACE),
];

type Input<'a> = Peekable<Chars<'a>>;

pub(super) fn translate(source: &str) -> Result<String, Untranslatable> {
    let mut output = String::with_capacity(source.len() + 16);
    let mut input = source.chars().peekable();
    // Whether the dot matches line ends, here and in the groups around.
    let mut dot_all = vec![false];
    while let Some(character) = input.next() {
        match character {
            '\\' => escape(&mut input, &mut output, false)?,
            '[' => class(&mut input, &mut output)?,
            '.' if dot_all.last() == Some(&true) => output.push_str("(?s:.)"),
            '.' => write!(output, "[^{LINE_END}]").expect("memory"),
            '(' => {
                dot_all.push(*dot_all.last().unwrap_or(&false));
                output.push('(');
                if input.next_if_eq(&'?').is_some() {
                    group(&mut input, &mut output, &mut dot_all)?;
                }
            }
            ')' => {
                dot_all.pop();
                output.push(')');
            }
            other => output.push(other),
        }
    }
    Ok(output)
}

/// What follows `(?`.
fn group(
    input: &mut Input<'_>,
    output: &mut String,
    dot_all: &mut Vec<bool>,
) -> Result<(), Untranslatable> {
    output.push('?');
    if !matches!(input.peek(), Some('a'..='z' | 'A'..='Z' | '-')) {
        // `(?:`, `(?=`, `(?<name>` and their like are the same.
        return Ok(());
    }
    let mut off = false;
    let mut flags = String::new();
    loop {
        let flag = input.next().ok_or_else(|| Untranslatable("a group without end".to_owned()))?;
        match flag {
            '-' => {
                off = true;
                flags.push('-');
            }
            // Line ends of one kind, and case beyond ASCII: no matter here.
            'd' | 'u' => {}
            'i' | 'm' => flags.push(flag),
            's' => *dot_all.last_mut().expect("the group's own") = !off,
            ':' | ')' => {
                let flags = flags.trim_end_matches('-');
                output.push_str(flags);
                if flag == ':' {
                    output.push(':');
                } else {
                    // Flags alone count until the end of the group around.
                    let inner = dot_all.pop().unwrap_or(false);
                    if let Some(outer) = dot_all.last_mut() {
                        *outer = inner;
                    }
                    if flags.is_empty() {
                        output.push(':');
                    }
                    output.push(')');
                }
                return Ok(());
            }
            other => return Err(Untranslatable(format!("the flag (?{other})"))),
        }
    }
}

/// What follows a backslash, in a class or outside.
fn escape(
    input: &mut Input<'_>,
    output: &mut String,
    in_class: bool,
) -> Result<(), Untranslatable> {
    let Some(character) = input.next() else {
        // Refused by the compiler.
        output.push('\\');
        return Ok(());
    };
    let mut set = |characters: &str, negated: bool| {
        if in_class && !negated {
            output.push_str(characters);
        } else {
            write!(output, "[{}{characters}]", if negated { "^" } else { "" }).expect("memory");
        }
    };
    match character {
        'd' => set(DIGIT, false),
        'D' => set(DIGIT, true),
        'w' => set(WORD, false),
        'W' => set(WORD, true),
        's' => set(SPACE, false),
        'S' => set(SPACE, true),
        'h' => set(HORIZONTAL, false),
        'H' => set(HORIZONTAL, true),
        'v' => set(VERTICAL, false),
        'V' => set(VERTICAL, true),
        'p' | 'P' => property(input, output, character == 'P', in_class)?,
        'Q' => quoted(input, output),
        'E' => {}
        'e' => output.push_str(r"\x1B"),
        'a' => output.push_str(r"\x07"),
        't' | 'n' | 'r' | 'f' => output.extend(['\\', character]),
        '0' => {
            let code = number(input, 8, 3);
            code_point(output, code)?;
        }
        'x' => {
            let code = if input.next_if_eq(&'{').is_some() {
                let code = number(input, 16, 6);
                input.next_if_eq(&'}').and(code)
            } else {
                number(input, 16, 2)
            };
            code_point(output, code)?;
        }
        'u' => {
            let code = number(input, 16, 4);
            code_point(output, code)?;
        }
        'c' => {
            let control = input.next().map(|control| u32::from(control) ^ 64);
            code_point(output, control)?;
        }
        'R' if !in_class => write!(output, r"(?:\r\n|[{VERTICAL}])").expect("memory"),
        'Z' if !in_class => write!(output, r"(?=(?:\r\n|[{LINE_END}])?\z)").expect("memory"),
        'b' | 'B' | 'A' | 'z' | 'G' | 'k' if !in_class => output.extend(['\\', character]),
        '1'..='9' if !in_class => output.extend(['\\', character]),
        'a'..='z' | 'A'..='Z' => return Err(Untranslatable(format!("\\{character}"))),
        other => literal(output, other),
    }
    Ok(())
}

fn property(
    input: &mut Input<'_>,
    output: &mut String,
    negated: bool,
    in_class: bool,
) -> Result<(), Untranslatable> {
    let mut name = String::new();
    if input.next_if_eq(&'{').is_some() {
        while let Some(part) = input.next_if(|&part| part != '}') {
            name.push(part);
        }
        input.next();
    } else {
        name.extend(input.next());
    }
    if let Some((_, characters)) = POSIX.iter().find(|(posix, _)| *posix == name) {
        if in_class && !negated {
            output.push_str(characters);
        } else {
            write!(output, "[{}{characters}]", if negated { "^" } else { "" }).expect("memory");
        }
        return Ok(());
    }
    let letter = if negated { 'P' } else { 'p' };
    let known = name.strip_prefix("Is").unwrap_or(&name);
    if known.starts_with("java") || known.starts_with("In") || known.is_empty() {
        return Err(Untranslatable(format!("\\{letter}{{{name}}}")));
    }
    write!(output, "\\{letter}{{{known}}}").expect("memory");
    Ok(())
}

/// `\Q…\E`.
fn quoted(input: &mut Input<'_>, output: &mut String) {
    while let Some(character) = input.next() {
        if character == '\\' && input.next_if_eq(&'E').is_some() {
            return;
        }
        literal(output, character);
    }
}

fn literal(output: &mut String, character: char) {
    if character.is_ascii() && !character.is_ascii_alphanumeric() {
        write!(output, "\\x{:02X}", u32::from(character)).expect("memory");
    } else {
        output.push(character);
    }
}

fn number(input: &mut Input<'_>, radix: u32, digits: usize) -> Option<u32> {
    let mut value = None;
    for _ in 0..digits {
        let Some(digit) = input.peek().and_then(|digit| digit.to_digit(radix)) else { break };
        input.next();
        value = Some(value.unwrap_or(0) * radix + digit);
    }
    value
}

fn code_point(output: &mut String, code: Option<u32>) -> Result<(), Untranslatable> {
    let code = code.filter(|&code| char::from_u32(code).is_some());
    let code = code.ok_or_else(|| Untranslatable("a code that is no character".to_owned()))?;
    write!(output, "\\x{{{code:X}}}").expect("memory");
    Ok(())
}

/// A class after its `[`: unions, intersections and negations are the same, its characters are
/// written so that ours takes none for its own (`[:alpha:]`, `--`, `~~`).
fn class(input: &mut Input<'_>, output: &mut String) -> Result<(), Untranslatable> {
    let mut depth = 0_usize;
    let mut first = open(input, output, &mut depth);
    while let Some(character) = input.next() {
        match character {
            '\\' => escape(input, output, true)?,
            '[' => {
                first = open(input, output, &mut depth);
                continue;
            }
            ']' if !first => {
                output.push(']');
                depth -= 1;
                if depth == 0 {
                    return Ok(());
                }
            }
            '&' if input.next_if_eq(&'&').is_some() => output.push_str("&&"),
            // A range; at an end a hyphen is itself.
            '-' if !first && !matches!(input.peek(), Some(']' | '[' | '-')) => output.push('-'),
            other => literal(output, other),
        }
        first = false;
    }
    // Without end: refused by the compiler.
    Ok(())
}

fn open(input: &mut Input<'_>, output: &mut String, depth: &mut usize) -> bool {
    *depth += 1;
    output.push('[');
    if input.next_if_eq(&'^').is_some() {
        output.push('^');
    }
    true
}
