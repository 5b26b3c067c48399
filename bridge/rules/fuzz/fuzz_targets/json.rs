//! Arbitrary bytes as JSON, with and without schema: what is read is written and read as the same.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use midge_rules::converter::{Converter, KeyPaths, Side, SourceClass, SourceConverter, mqtt_payload};

fuzz_target!(|input: &[u8]| {
    let bytes = Bytes::copy_from_slice(input);
    for enable in ["true", "false"] {
        let options = [("c", "JsonConverter"), ("c.schemas.enable", enable)];
        let mut converter = Converter::from_options(Side::Value, "c", options).expect("options");
        let Ok(datum) = converter.to_connect("t", Some(&bytes)) else { continue };
        let _ = mqtt_payload(&datum);
        // A decimal may have a scale that its schema does not have; everything else is written.
        if let Ok(Some(written)) = converter.from_connect("t", &datum) {
            let again = converter.to_connect("t", Some(&written)).expect("it was just written");
            assert_eq!(again.value, datum.value);
        }
    }
    for class in [SourceClass::JsonSimple, SourceClass::JsonOptNull, SourceClass::JsonPassThrough] {
        let mut source = SourceConverter::new(class, None).expect("no schema needed");
        let _ = source.convert("a/b", &bytes, &KeyPaths::new(["a.b", "c"], None));
    }
});
