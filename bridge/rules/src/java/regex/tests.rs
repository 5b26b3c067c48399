use super::*;

fn matches(expression: &str, text: &str) -> bool {
    Regex::new(expression).unwrap().matches(text).unwrap()
}

#[test]
fn all_of_the_text_has_to_match() {
    assert!(matches("a.c", "abc"));
    assert!(!matches("a.c", "abcd"));
    assert!(matches("a|ab", "ab"));
    assert!(matches("", ""));
}

#[test]
fn java_syntax_means_the_same_here() {
    for (expression, text, matched) in [
        (r"\d+", "12", true),
        (r"\d+", "١٢", false),
        (r"\w+", "a_1", true),
        (r"\w", "é", false),
        (r"\Qa.b\E.", "a.bc", true),
        (r"\Qa.b\E.", "axbc", false),
        (r"[a-z&&[^b]]+", "acd", true),
        (r"[a-z&&[^b]]+", "abc", false),
        (r"[[a-c][x-z]]+", "az", true),
        (r"[\w.-]+", "a.b-c", true),
        (r"[a\-z]+", "-", true),
        (r"\p{Alpha}+", "ab", true),
        (r"\p{L}+", "é", true),
        (r"[\p{Digit}x]+", "1x", true),
        (r"(?i)ABC", "abc", true),
        (r"(?s)a.b", "a\nb", true),
        (r"a.b", "a\nb", false),
        (r"(a+)+b\1", "aabaa", true),
        (r"a++b", "aab", true),
        (r"(?>a+)b", "aab", true),
        (r"(?<year>\d{4})-\k<year>", "2024-2024", true),
        (r"(?!x).*", "abc", true),
        (r"\x41\u0042\0103", "ABC", true),
        (r"[-a]+", "-a", true),
        (r"[a-]+", "-a", true),
    ] {
        assert_eq!(matches(expression, text), matched, "{expression} on {text}");
    }
}

#[test]
fn what_is_not_understood_is_named() {
    for (expression, message) in [
        (r"(?x)a b", "the flag (?x) is not supported"),
        (r"\X", r"\X is not supported"),
        (r"\p{javaLowerCase}", r"\p{javaLowerCase} is not supported"),
    ] {
        assert_eq!(Regex::new(expression).unwrap_err().to_string(), message);
    }
    assert!(Regex::new("(").is_err());
    assert!(Regex::new("[a").is_err());
    assert!(Regex::new("*").is_err());
}

#[test]
fn a_replacement_takes_groups_by_number_and_name() {
    let replace = |expression: &str, text: &str, replacement: &str| {
        let regex = Regex::new(expression).unwrap();
        let replacement = regex.replacement(replacement).unwrap();
        regex.replace_first(text, &replacement).unwrap()
    };
    assert_eq!(replace("(a)(b)?", "ac", "$1-$2-$10"), "a--a0c");
    assert_eq!(replace("(?<first>.)(.*)", "xyz", r"${first}\$\\$2"), r"x$\yz");
    // What is found first is replaced, though all of the text matches.
    assert_eq!(replace("a|ab", "ab", "-"), "-b");
}

#[test]
fn a_replacement_of_what_is_not_there_is_refused() {
    let regex = Regex::new("(a)").unwrap();
    for (replacement, message) in [
        ("$2", "No group 2"),
        ("$", "Illegal group reference: group index is missing"),
        ("$x", "Illegal group reference"),
        ("${x}", "No group with name {x}"),
        ("\\", "character to be escaped is missing"),
    ] {
        assert_eq!(regex.replacement(replacement).unwrap_err().to_string(), message);
    }
}

#[test]
fn a_match_that_explodes_is_given_up() {
    let regex = Regex::new(r"(?:(?=a)a|a)*b").unwrap();
    assert_eq!(regex.matches(&"a".repeat(64)), Err(TooManySteps));
}
