//! Known answers come from `mosquitto_passwd` 2.0.11 and from the reference argon2 library.

use super::*;
use crate::FileError;

// mosquitto_passwd -b FILE alice wonderland
const PBKDF2: &str = "$7$101$2M9auOocZl4E0QT3$XPwXUyC7W02zg7hkc9k1Vl6+1uZ1198vLmoDYrn6Bj4v+SYUp/NTImSljNjMevNjkF6O74+Kc0XCsCYGLaNNlQ==";
// mosquitto_passwd -H sha512 -b FILE bob 'correct horse'
const SHA512: &str = "$6$P5PPEtrwv+NwQgcn$f8njfYusLlP/FhiCJq1+QlZT7YBTKJ1RvEaHyy4B11JG5hShWooJcnHQfFDioHYkhyPY/NdXmUuYH7jGy+T3NA==";
// mosquitto_passwd -b FILE 'ça va' pässwörd
const PBKDF2_UTF8: &str = "$7$101$JkJrg9sCj/dJr82J$eLOMd9aGeGWUAlLMEknay14LrO1pBtxMqBhnOdH9q+A7/jskJ19aZ2cRDnIXjqN3o6Ig0DK74P8K4T+erfyDxw==";
// argon2-cffi 25.1: password wonderland, salt "saltsaltsalt", the parameters of mosquitto_passwd.
const ARGON2_MOSQUITTO: &str = "$argon2id$v=19$m=47104,t=1,p=1$c2FsdHNhbHRzYWx0$fDuc8thoo8yGBwLDfn4dOP6OraRfuw4yelmfZI4kciX+FfZoN5cJw8Z57R6LFiJSdWJ8pi+1xJGS2CmyUZ+N+Q";
// The same with several lanes and passes, and the version before 19.
const ARGON2_LANES: &str = "$argon2id$v=19$m=64,t=3,p=4$MDEyMzQ1Njc4OWFiY2RlZg$TIQpTqL9DT9TNHmi5Qmf/8Ysdpwd+A1o3mOJ/qnbwBg";
const ARGON2_V16: &str = "$argon2id$v=16$m=32,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$tCcL1SNouu1u5W9lvnZ3vJjJC4/9C/43Sax7bLlpyyk";

fn parse(text: &str) -> PasswordFile {
    PasswordFile::parse(text).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn errors(text: &str) -> Vec<FileError> {
    PasswordFile::parse(text).err().expect("an invalid file")
}

fn hash(text: &str) -> Hash {
    parse(&format!("user:{text}")).find("user").expect("the user").clone()
}

fn create(scheme: Scheme, password: &[u8]) -> Hash {
    Hash::create(scheme, password, &vec![7; scheme.salt_bytes()]).expect("a hash")
}

#[test]
fn hashes_that_mosquitto_passwd_wrote_are_verified() {
    for (text, password) in [
        (PBKDF2, "wonderland"),
        (SHA512, "correct horse"),
        (PBKDF2_UTF8, "pässwörd"),
        (ARGON2_MOSQUITTO, "wonderland"),
        (ARGON2_LANES, "wonderland"),
        (ARGON2_V16, "wonderland"),
    ] {
        let hash = hash(text);
        assert!(hash.verify(password.as_bytes()), "{text}");
        assert!(!hash.verify(b"Wonderland"), "{text}");
        assert!(!hash.verify(b""), "{text}");
        assert_eq!(hash.to_string(), text);
    }
}

#[test]
fn an_argon2_hash_without_a_version_is_one_of_version_16() {
    let hash = hash(&ARGON2_V16.replace("v=16$", ""));
    assert!(hash.verify(b"wonderland"));
    assert_eq!(hash.to_string(), ARGON2_V16);
}

#[test]
fn created_hashes_are_what_mosquitto_passwd_writes_for_the_same_salt() {
    let text = |scheme, password: &str, salt: &[u8]| {
        Hash::create(scheme, password.as_bytes(), salt).expect("a hash").to_string()
    };
    let pbkdf2 = Scheme::Pbkdf2 { iterations: 101 };
    assert_eq!(text(pbkdf2, "wonderland", &hash(PBKDF2).salt), PBKDF2);
    assert_eq!(text(Scheme::Sha512, "correct horse", &hash(SHA512).salt), SHA512);
    assert_eq!(text(Scheme::Argon2id, "wonderland", b"saltsaltsalt"), ARGON2_MOSQUITTO);
}

#[test]
fn the_empty_password_is_a_password() {
    for scheme in [Scheme::Sha512, Scheme::Pbkdf2 { iterations: 1 }, Scheme::Argon2id] {
        let hash = create(scheme, b"");
        assert!(hash.verify(b""));
        assert!(!hash.verify(b"x"));
    }
}

#[test]
fn creating_a_hash_outside_the_limits_names_the_limit() {
    let error = |scheme, salt: &[u8]| {
        Hash::create(scheme, b"pw", salt).err().expect("an error").to_string()
    };
    assert_eq!(
        error(Scheme::Pbkdf2 { iterations: 0 }, &[0; 12]),
        "found pbkdf2 iterations 0, expected 1 to 1000000"
    );
    assert_eq!(error(Scheme::Sha512, &[]), "found salt bytes 0, expected 1 to 64");
    assert_eq!(error(Scheme::Argon2id, &[0; 7]), "found argon2id salt bytes 7, expected 8 to 64");
}

#[test]
fn every_error_of_a_file_is_reported_with_its_line() {
    let text = format!(
        "# users\n\
         :{PBKDF2}\n\
         alice:{PBKDF2}\n\
         alice:{SHA512}\n\
         bob:\n\
         carol:hunter2\n\
         dave\n\
         \x20 # no comment\n\
         erin:$7$101$!!$!!\n\
         frank:$2b$12$abcdefghijklmnopqrstuv\n\
         gina:$6$P5PPEtrwv+NwQgcn$c2hvcnQ=\n"
    );
    let errors: Vec<String> = errors(&text).iter().map(ToString::to_string).collect();
    let formats =
        "expected a hash that starts with $6$, $7$ or $argon2id$ (midge passwd writes one)";
    let no_colon = "found a line without a colon, \
                    expected user:hash, or # in the first column for a comment";
    assert_eq!(
        errors,
        [
            "line 2: found user name \"\", expected a name of 1 to 65535 bytes that starts without #"
                .to_owned(),
            "line 4: found user \"alice\" again, expected each user once, line 3 has this one".into(),
            format!("line 5: found no hash for user \"bob\", {formats}"),
            format!("line 6: found a password in plain text for user \"carol\", {formats}"),
            format!("line 7: {no_colon}"),
            format!("line 8: {no_colon}"),
            "line 9: found a salt that is no base64 for user \"erin\", expected base64 with padding"
                .into(),
            format!(
                "line 10: found a hash of an unknown kind or a password in plain text \
                 for user \"frank\", {formats}"
            ),
            "line 11: found a hash of 5 bytes for user \"gina\", expected 64 bytes".into(),
        ]
    );
}

#[test]
fn costs_that_would_stall_the_broker_are_refused_at_load() {
    let salt_and_hash = "MDEyMzQ1Njc4OWFiY2RlZg$TIQpTqL9DT9TNHmi5Qmf/8Ysdpwd+A1o3mOJ/qnbwBg";
    let argon2 = |costs: &str| format!("$argon2id$v=19${costs}${salt_and_hash}");
    let pbkdf2 = |iterations: &str| PBKDF2.replace("$101$", &format!("${iterations}$"));
    for (hash, message) in [
        (pbkdf2("0"), "pbkdf2 iterations 0 for user \"u\", expected 1 to 1000000"),
        (pbkdf2("1000001"), "pbkdf2 iterations 1000001 for user \"u\", expected 1 to 1000000"),
        (
            pbkdf2("99999999999999999999999"),
            "pbkdf2 iterations 18446744073709551615 for user \"u\", expected 1 to 1000000",
        ),
        (
            pbkdf2("-1"),
            "pbkdf2 iterations that are no number for user \"u\", expected a decimal number",
        ),
        (
            argon2("m=4294967295,t=1,p=1"),
            "argon2id memory in KiB (m) 4294967295 for user \"u\", expected 8 to 1048576",
        ),
        (
            argon2("m=1048576,t=5,p=1"),
            "argon2id passes (t) over this memory 5 for user \"u\", expected 1 to 4",
        ),
        (argon2("m=64,t=1,p=0"), "argon2id lanes (p) 0 for user \"u\", expected 1 to 64"),
        (
            argon2("m=31,t=1,p=4"),
            "argon2id memory in KiB (m) 31 for user \"u\", expected 32 to 1048576",
        ),
        (argon2("m=64,t=1"), "other argon2id parameters for user \"u\", expected m=…,t=…,p=…"),
    ] {
        let errors = errors(&format!("u:{hash}"));
        assert_eq!(errors[0].to_string(), format!("line 1: found {message}"));
        assert_eq!(errors.len(), 1);
    }
}

#[test]
fn messages_never_repeat_the_right_side_of_a_line() {
    let secret = "s3cret";
    for line in [
        format!("user:{secret}"),
        secret.to_owned(),
        format!("user:$7$101${secret}${secret}"),
        format!("user:${secret}"),
        format!("user:$6${secret}"),
        format!("user:$argon2id$v={secret}$m=1,t=1,p=1$a$b"),
        format!("user:$argon2id$v=19$m={secret},t=1,p=1$a$b"),
        format!("user:$7${secret}$a$b"),
    ] {
        assert!(!errors(&line)[0].to_string().contains(secret), "{line}");
    }
}

#[test]
fn errors_of_a_hopeless_file_are_bounded() {
    let errors = errors(&"junk\n".repeat(100_000));
    assert_eq!(errors.len(), 101);
    assert_eq!(errors[100].found, "more than 100 errors, the rest is not listed");
}

#[test]
fn spaces_crlf_and_a_byte_order_mark_do_not_belong_to_user_or_hash() {
    let file = parse(&format!("\u{feff} alice :  {PBKDF2} \r\n\r\nbob:{SHA512}\r\n"));
    assert!(file.verify("alice", b"wonderland"));
    assert!(file.verify("bob", b"correct horse"));
    assert_eq!(file.user_count(), 2);
}

#[test]
fn comments_order_and_untouched_lines_survive_changes() {
    let mut file = parse(&format!("# head\n\n a : {PBKDF2}\n# mid\nb:{SHA512}\nc:{PBKDF2}"));
    let new = create(Scheme::Sha512, b"new");
    file.set("b", new.clone()).expect("a valid name");
    file.set("d", new.clone()).expect("a valid name");
    assert!(file.remove("c"));
    assert!(!file.remove("c"));
    assert_eq!(file.to_string(), format!("# head\n\n a : {PBKDF2}\n# mid\nb:{new}\nd:{new}\n"));
    assert!(
        file.verify("b", b"new") && file.verify("d", b"new") && !file.verify("c", b"wonderland")
    );
}

#[test]
fn names_that_would_not_be_read_back_are_refused() {
    let mut file = PasswordFile::default();
    let too_long = "x".repeat(65_536);
    for name in ["", " a", "a ", "#a", "a:b", "a\nb", "a\r", "\u{feff}a", &too_long] {
        assert!(file.set(name, create(Scheme::Sha512, b"x")).is_err(), "{name:?}");
    }
    assert_eq!(file.to_string(), "");
    file.set("ça va", create(Scheme::Sha512, b"x")).expect("a valid name");
    assert!(parse(&file.to_string()).verify("ça va", b"x"));
}

#[test]
fn an_unknown_user_costs_what_most_users_cost() {
    let other = PBKDF2.replace("$101$", "$5000$");
    let text = format!("a:{SHA512}\nb:{other}\nc:{PBKDF2}\nd:{PBKDF2}\n");
    let mut file = parse(&text);
    assert!(file.decoy().derivation == hash(PBKDF2).derivation);
    assert_eq!(file.decoy().salt.len(), 12);
    assert!(!file.verify("nobody", b"wonderland"));

    file.remove("c");
    assert!(file.decoy().derivation == hash(SHA512).derivation, "the first of equals");

    let argon2 = parse(&format!("a:{ARGON2_LANES}"));
    assert!(argon2.decoy().derivation == hash(ARGON2_LANES).derivation);
    assert!(parse("").decoy().to_string().starts_with("$argon2id$v=19$m=47104,t=1,p=1$"));
}

#[test]
fn fingerprints_tell_passwords_salts_and_parameters_apart() {
    let hashes = [
        create(Scheme::Sha512, b"a"),
        create(Scheme::Sha512, b"b"),
        Hash::create(Scheme::Sha512, b"a", &[8; 12]).expect("a hash"),
        create(Scheme::Pbkdf2 { iterations: 1 }, b"a"),
        create(Scheme::Pbkdf2 { iterations: 2 }, b"a"),
    ];
    for (i, one) in hashes.iter().enumerate() {
        for (j, other) in hashes.iter().enumerate() {
            assert_eq!(one.fingerprint() == other.fingerprint(), i == j);
        }
    }
    assert_eq!(hash(PBKDF2).fingerprint(), hash(PBKDF2).fingerprint());
}

#[test]
fn the_cache_knows_exactly_what_was_right() {
    let (alice, bob) = (hash(PBKDF2), hash(SHA512));
    let mut cache = VerifiedCache::new(&[1; 32], 10);
    assert!(!cache.lookup("alice", &alice, b"wonderland"));
    cache.insert("alice", &alice, b"wonderland");
    assert!(cache.lookup("alice", &alice, b"wonderland"));
    assert!(!cache.lookup("alice", &alice, b"wonderlan"));
    assert!(!cache.lookup("alice", &bob, b"wonderland"), "the line was changed");
    assert!(!cache.lookup("alic", &alice, b"ewonderland"));
    assert!(!cache.lookup("bob", &alice, b"wonderland"));
    cache.clear();
    assert!(cache.is_empty() && !cache.lookup("alice", &alice, b"wonderland"));
}

#[test]
fn a_full_cache_forgets_the_oldest() {
    let hash = hash(SHA512);
    let mut cache = VerifiedCache::new(&[1; 32], 2);
    for user in ["a", "a", "b", "c"] {
        cache.insert(user, &hash, b"x");
    }
    assert_eq!(cache.len(), 2);
    let known = ["a", "b", "c"].map(|user| cache.lookup(user, &hash, b"x"));
    assert_eq!(known, [false, true, true]);

    let mut none = VerifiedCache::new(&[1; 32], 0);
    none.insert("a", &hash, b"x");
    assert!(none.is_empty());
}

#[test]
fn upgrade_hashes_plain_passwords_and_keeps_the_rest() {
    let text = format!("# c\nalice: wonder land \r\n\nbob:{SHA512}\ncarol:a:b\n");
    let mut salts = 0;
    let file = upgrade(&text, Scheme::Pbkdf2 { iterations: 101 }, |bytes| {
        salts += 1;
        vec![salts; bytes]
    })
    .unwrap_or_else(|errors| panic!("{errors:?}"));
    // mosquitto_passwd -U, too, takes the spaces off.
    assert!(file.verify("alice", b"wonder land"));
    assert!(file.verify("bob", b"correct horse"));
    assert!(file.verify("carol", b"a:b"));
    assert_eq!(salts, 2, "each password has a salt of its own");
    let text = file.to_string();
    assert!(
        text.starts_with("# c\nalice:$7$101$") && text.contains(&format!("\n\nbob:{SHA512}\n"))
    );

    let again = upgrade(&text, Scheme::Sha512, |_| panic!("nothing is left to hash"));
    assert_eq!(again.unwrap_or_else(|errors| panic!("{errors:?}")).to_string(), text);
}

#[test]
fn upgrade_reports_every_line_it_cannot_take() {
    let errors = upgrade("a\nb:\nc:$6$broken\nd:fine\nd:twice", Scheme::Sha512, |n| vec![0; n]);
    let lines: Vec<usize> = errors.err().expect("errors").iter().map(|error| error.line).collect();
    assert_eq!(lines, [1, 2, 3, 5]);
}
