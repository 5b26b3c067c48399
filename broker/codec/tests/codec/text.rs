//! Strings: what `Text` lets pass is valid UTF-8 for good, however it was made.

use bytes::Bytes;
use midge_codec::{InvalidText, Text};
use proptest::prelude::*;

#[test]
fn surrogates_overlong_forms_and_values_beyond_unicode_are_no_text() {
    for bytes in [
        &[0xED, 0xA0, 0x80][..],
        &[0xED, 0xBF, 0xBF],
        &[0xC0, 0xAF],
        &[0xE0, 0x80, 0x80],
        &[0xF4, 0x90, 0x80, 0x80],
        &[0xFF],
        &[0xC3],
    ] {
        let error = Text::from_bytes(Bytes::copy_from_slice(bytes)).expect_err("[MQTT-1.5.4-1]");
        assert_eq!(error, InvalidText::NotUtf8 { valid_up_to: 0 });
    }
}

#[test]
fn nul_is_refused_wherever_it_stands() {
    for (text, at) in [("\0", 0), ("a\0", 1), ("ä\0b", 2)] {
        assert_eq!(Text::try_from(text), Err(InvalidText::Nul { at }), "[MQTT-1.5.4-2]");
    }
}

#[test]
fn byte_order_mark_is_kept() {
    let text = Text::try_from("\u{FEFF}a").expect("[MQTT-1.5.4-3]");
    assert_eq!(text.as_bytes()[..], [0xEF, 0xBB, 0xBF, b'a']);
}

#[test]
fn text_of_65_535_bytes_passes_and_one_more_does_not() {
    assert!(Text::try_from("x".repeat(65_535)).is_ok());
    let error = Text::try_from("x".repeat(65_536)).expect_err("[MQTT-4.7.3-3]");
    assert_eq!(error, InvalidText::TooLong { bytes: 65_536 });
}

#[test]
#[should_panic(expected = "more than 65,535 bytes")]
fn constant_that_is_too_long_is_a_mistake_of_ours() {
    let text: &'static str = "x".repeat(65_536).leak();
    let _ = Text::from_static(text);
}

proptest! {
    /// `as_str` checks nothing, so all ways to a `Text` must have.
    #[test]
    fn text_is_the_valid_utf8_it_was_made_of(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let expected = std::str::from_utf8(&bytes).ok().filter(|text| !text.contains('\0'));
        let text = Text::from_bytes(Bytes::from(bytes.clone())).ok();
        prop_assert_eq!(text.as_ref().map(Text::as_str), expected);
        if let Some(text) = text {
            let detached = text.detached();
            prop_assert_eq!(std::str::from_utf8(detached.as_bytes()).ok(), expected);
            prop_assert_eq!(detached.as_str(), text.as_str());
        }
    }

    #[test]
    fn text_made_of_a_string_is_that_string(string in "\\PC{0,20}") {
        let text = Text::try_from(string.as_str()).expect("printable");
        prop_assert_eq!(text.as_str(), string.as_str());
        prop_assert_eq!(text, Text::try_from(string).expect("printable"));
    }
}

#[test]
fn empty_texts_are_empty_strings() {
    assert_eq!(Text::empty().as_str(), "");
    assert_eq!(Text::default().as_str(), "");
    assert_eq!(Text::from_static("constant").as_str(), "constant");
}
