use super::*;

fn source(text: &str) -> Result<String, TemplateError> {
    let template = Template::<SourceVariable>::parse(text)?;
    let mut out = String::new();
    template
        .render::<()>(&mut out, |variable, out| {
            out.push_str(&format!("<{}>", variable.written()));
            Ok(())
        })
        .expect("the closure never refuses");
    Ok(out)
}

#[test]
fn literal_text_stays_as_it_is() {
    assert_eq!(source("plant-1.raw").as_deref(), Ok("plant-1.raw"));
    assert_eq!(source("").as_deref(), Ok(""));
    assert_eq!(source("ä{}}").as_deref(), Ok("ä{}}"));
}

#[test]
fn variables_are_told_from_literals() {
    assert_eq!(
        source("a-${topic}-${topic[12]}${clientid}.${username}").as_deref(),
        Ok("a-<${topic}>-<${topic[12]}><${clientid}>.<${username}>")
    );
}

#[test]
fn two_dollars_are_one_and_open_no_variable() {
    assert_eq!(source("$$").as_deref(), Ok("$"));
    assert_eq!(source("$${topic}").as_deref(), Ok("${topic}"));
    assert_eq!(source("$$${topic}").as_deref(), Ok("$<${topic}>"));
}

#[test]
fn mistakes_are_told_with_column_found_and_expected() {
    let cases = [
        ("a$b", "column 3: found 'b', expected '{' after '$', or '$$' for a '$'"),
        ("é$", "column 3: found the end, expected '{' after '$', or '$$' for a '$'"),
        ("x${topic", "column 9: found the end, expected '}'"),
        (
            "x${payload.a}",
            "column 4: found \"payload.a\", expected topic, topic[N] with N counted from 1, \
             clientid or username between the braces",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(source(text).expect_err(text).to_string(), message, "{text}");
    }
}

#[test]
fn levels_are_whole_numbers_from_one() {
    for wrong in ["0", "-1", "+1", "", " 1", "1.0", "99999999999999999999999"] {
        let text = format!("${{topic[{wrong}]}}");
        assert_eq!(source(&text).expect_err(&text).column, 3, "{text}");
    }
}

#[test]
fn a_sink_knows_its_own_variables_and_no_others() {
    let parse = |text| Template::<SinkVariable>::parse(text).map(|_| ());
    for right in ["${topic}", "${key}", "${header.x}", "${header.mqtt.topic}", "${partition}"] {
        assert_eq!(parse(right), Ok(()), "{right}");
    }
    for wrong in ["${topic[1]}", "${header.}", "${header}", "${clientid}", "${Key}"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}
