use super::*;

const NOW: i64 = 1_700_000_000_123;

fn format(pattern: &str) -> DateFormat {
    DateFormat::new(pattern, NOW).unwrap()
}

#[test]
fn every_letter_is_written_as_java_writes_it() {
    for (pattern, text) in [
        ("G GGGG y yy yyy yyyyy Y YY", "AD AD 2023 23 2023 02023 2023 23"),
        ("M MM MMM MMMM L LL LLL LLLL", "11 11 Nov November 11 11 Nov November"),
        ("w W D d F E EEEE u a", "46 3 318 14 2 Tue Tuesday 2 PM"),
        ("H k K h m s S SSSSSS", "22 22 10 10 13 20 123 000123"),
        ("z zzzz Z X XX XXX", "UTC Coordinated Universal Time +0000 Z Z Z"),
        ("''yyyy'o''clock'", "'2023o'clock"),
    ] {
        assert_eq!(format(pattern).write(NOW), text);
    }
    let before_christ = "BC 3 03 0003 -2 -02 12 51 3 353 19 3 Thu 4";
    assert_eq!(
        format("G y yy yyyy Y YY M w W D d F E u").write(-62_200_000_000_000),
        before_christ
    );
}

#[test]
fn texts_are_read_as_java_reads_them() {
    for (pattern, text, millis) in [
        ("yyyy", "12E2", Some(-24_298_272_000_000)),
        ("yyyy", "-5", Some(-62_325_158_400_000)),
        ("yyyy", "+5", None),
        ("yyyyMMdd", "20240229", Some(1_709_164_800_000)),
        ("yyyy-MM-dd", " 2024-2-30xyz", Some(1_709_251_200_000)),
        ("yyyy-MM-dd", "--5-1-1", None),
        ("yyyyMMddHHmmss", "2024022912", None),
        ("yy", "24", Some(1_704_067_200_000)),
        ("MMM", "march", Some(5_097_600_000)),
        ("a", "pm", Some(43_200_000)),
        ("E", "mon", Some(345_600_000)),
        ("z", "UTC", Some(0)),
        ("z", "Z", None),
        ("z", "gmt+1:30", Some(-5_400_000)),
        ("Z", "+0130", Some(-5_400_000)),
        ("X", "+01", Some(-3_600_000)),
        ("XXX", "+01:30", Some(-5_400_000)),
        ("X", "Z", Some(0)),
        ("SSS", "1", Some(1)),
        ("yyyy", "99999999999999999999", Some(-6_019_000_092_841_406_464)),
        ("yyyy", "4294967297", Some(-62_135_769_600_000)),
        ("yyyy", "", None),
    ] {
        assert_eq!(format(pattern).read(text), millis, "{pattern} of {text:?}");
    }
}

#[test]
fn two_digits_are_a_year_of_the_last_eighty_or_the_next_twenty() {
    let format = format("yy-MM-dd");
    assert_eq!(
        format.read("43-11-13"),
        DateFormat::new("yyyy-MM-dd", 0).unwrap().read("2043-11-13")
    );
    assert_eq!(
        format.read("43-11-15"),
        DateFormat::new("yyyy-MM-dd", 0).unwrap().read("1943-11-15")
    );
    assert_eq!(
        format.read("44-01-01"),
        DateFormat::new("yyyy-MM-dd", 0).unwrap().read("1944-01-01")
    );
}

#[test]
fn a_pattern_that_is_none_is_told_as_java_tells_it() {
    for (pattern, message) in [
        ("b", "Illegal pattern character 'b'"),
        ("'a", "Unterminated quote"),
        ("XXXX", "invalid ISO 8601 format: length=4"),
    ] {
        assert_eq!(DateFormat::new(pattern, NOW).unwrap_err().to_string(), message);
    }
}
