use proptest::prelude::*;

use super::*;

fn pairs(text: &str) -> Vec<(String, String, usize)> {
    let (properties, malformed) = parse(text.as_bytes());
    assert_eq!(malformed, []);
    properties.into_iter().map(|p| (p.key, p.value, p.line)).collect()
}

fn one(text: &str) -> (String, String) {
    let mut pairs = pairs(text);
    assert_eq!(pairs.len(), 1, "{text:?}");
    pairs.pop().map(|(key, value, _)| (key, value)).expect("one property")
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn key_and_value_are_parted_as_java_does() {
    for text in ["a=b", "a = b", "  a  =  b", "a:b", "a : b", "a b", "a\tb", "a\u{c}b", "\ta=b\r\n"]
    {
        assert_eq!(one(text), pair("a", "b"), "{text:?}");
    }
    assert_eq!(one("a==b"), pair("a", "=b"));
    assert_eq!(one("a"), pair("a", ""));
    assert_eq!(one("a="), pair("a", ""));
    assert_eq!(one("a=b c = d "), pair("a", "b c = d "));
    assert_eq!(one("=b"), pair("", "b"));
    assert_eq!(one(r"a\=b\:c\ d=e"), pair("a=b:c d", "e"));
}

#[test]
fn comments_and_blank_lines_are_passed_over() {
    assert_eq!(
        pairs("# a=b\n  ! c=d\n\n \t\ne=f # g\n"),
        [("e".to_owned(), "f # g".to_owned(), 5)]
    );
}

#[test]
fn a_backslash_joins_lines_and_the_first_one_counts() {
    let text = "a=1,\\\n   2,\\\r\n   3\n# no\\\nb=x\\\\\nc=y\\";
    let expected = [("a", "1,2,3", 1), ("b", "x\\", 5), ("c", "y", 6)];
    let expected = expected.map(|(key, value, line)| (key.to_owned(), value.to_owned(), line));
    assert_eq!(pairs(text), expected);
    // A comment cannot be continued into, and a continued line may begin with #.
    assert_eq!(one("a=1\\\n#2"), pair("a", "1#2"));
}

#[test]
fn escapes_are_those_of_java() {
    assert_eq!(one(r"a=\t\n\r\f\\\q\u00e9"), pair("a", "\t\n\r\u{c}\\qé"));
    assert_eq!(one(r"a=\ud83d\ude00"), pair("a", "😀"));
    assert_eq!(one(r"a=\ud83d"), pair("a", "\u{fffd}"));
    let (properties, malformed) = parse(b"a=b\nc=\\u00g0\nd=\\u1");
    assert_eq!(properties.len(), 1);
    assert_eq!(malformed.iter().map(|line| line.line).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn both_encodings_are_read() {
    assert_eq!(parse("a=é".as_bytes()).0[0].value, "é");
    assert_eq!(parse(b"a=\xe9").0[0].value, "é");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        parse(&bytes);
    }

    #[test]
    fn what_is_escaped_comes_back(key in "[a-zé😀.]{1,9}", value in "\\PC{0,20}") {
        let escaped: String = value.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        prop_assert_eq!(one(&format!("{key}={escaped}")), (key, value));
    }
}
