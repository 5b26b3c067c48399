//! Properties: a verdict is what its topics say, text never panics, files are read back as written.

use midge_acl::{Access, Acl, Hash, PasswordFile, Scheme, Verdict, Who, upgrade};
use proptest::prelude::*;

/// Levels of the topics that are tried: those the rules name (`%c` is plain text in a `topic` line)
/// and one, `z`, that none names, which stands for all others.
const LEVELS: [&str; 5] = ["a", "b", "$x", "%c", "z"];

/// All topics of up to three levels, as deep as the rules go, and one below each of three: no rule
/// names a fourth level, so those stand for all that are deeper.
fn topics() -> Vec<String> {
    let below = |topics: &[String], levels: &[&str]| -> Vec<String> {
        topics.iter().flat_map(|topic| levels.iter().map(move |l| format!("{topic}/{l}"))).collect()
    };
    let one = LEVELS.map(String::from).to_vec();
    let two = below(&one, &LEVELS);
    let three = below(&two, &LEVELS);
    let four = below(&three, &["z"]);
    [one, two, three, four].concat()
}

/// The standard's rule, level by level, written apart from the crate's [MQTT-4.7.1] [MQTT-4.7.2-1].
fn matches(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) | ([], []) => true,
        ([level, filter @ ..], [found, topic @ ..]) => {
            (*level == "+" || level == found) && matches(filter, topic)
        }
        _ => false,
    }
}

fn filter_matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (filter, topic): (Vec<_>, Vec<_>) =
        (filter.split('/').collect(), topic.split('/').collect());
    matches(&filter, &topic)
}

fn filter(level: &'static [&'static str]) -> impl Strategy<Value = String> {
    let levels = prop::collection::vec(prop::sample::select(level), 0..=3);
    (levels, any::<bool>()).prop_map(|(mut levels, open)| {
        if open || levels.is_empty() {
            levels.truncate(2);
            levels.push("#");
        }
        levels.join("/")
    })
}

fn rule() -> impl Strategy<Value = (bool, &'static str, String)> {
    let access = prop::sample::select(vec!["read", "read", "readwrite", "write", "deny", "deny"]);
    (any::<bool>(), access, filter(&["a", "b", "$x", "+", "%c"]))
}

fn file(rules: &[(bool, &str, String)]) -> String {
    let lines = rules.iter().map(|(pattern, access, filter)| {
        format!("{} {access} {filter}\n", if *pattern { "pattern" } else { "topic" })
    });
    std::iter::once("user u\n".to_owned()).chain(lines).collect()
}

/// Deny first, then allow; the user's rules, then the patterns; written apart from the crate's.
fn allows(rules: &[(bool, &str, String)], access: Access, topic: &str) -> bool {
    for pattern in [false, true] {
        let applying: Vec<&str> = rules
            .iter()
            .filter(|(is_pattern, _, filter)| {
                let resolved = if *is_pattern { filter.replace("%c", "a") } else { filter.clone() };
                *is_pattern == pattern && filter_matches(&resolved, topic)
            })
            .map(|(_, access, _)| *access)
            .collect();
        if applying.contains(&"deny") {
            return false;
        }
        let word = if access == Access::Read { "read" } else { "write" };
        if applying.contains(&word) || applying.contains(&"readwrite") {
            return true;
        }
    }
    false
}

const WHO: Who<'_> = Who { username: Some("u"), client_id: "a" };

proptest! {
    // Cases by PROPTEST_CASES, 256 by default.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_verdict_is_what_all_its_topics_say(
        rules in prop::collection::vec(rule(), 0..8),
        asked in filter(&["a", "b", "$x", "+"]),
        write in any::<bool>(),
    ) {
        let access = if write { Access::Write } else { Access::Read };
        let acl = Acl::parse(&file(&rules)).expect("a valid file");
        let (mut any, mut all) = (false, true);
        for topic in topics() {
            let allowed = acl.allows(WHO, access, &topic);
            prop_assert_eq!(allowed, allows(&rules, access, &topic), "{}", topic);
            prop_assert!(!allowed || acl.explain(WHO, access, &topic).is_some(), "{}", topic);
            if filter_matches(&asked, &topic) {
                any |= allowed;
                all &= allowed;
            }
        }
        let expected = match (any, all) {
            (false, _) => Verdict::Never,
            (true, true) => Verdict::Always,
            (true, false) => Verdict::PerTopic,
        };
        prop_assert_eq!(acl.verdict(WHO, access, &asked), expected);
        let reason = acl.never_reason(WHO, access, &asked);
        prop_assert_eq!(reason.is_some(), expected == Verdict::Never);
    }

    #[test]
    fn arbitrary_text_is_parsed_without_panic(
        text in "(?s).{0,200}",
        lines in prop::collection::vec("(user|topic|pattern|u:\\$7\\$|u:\\$argon2id\\$)[ a-z$=,+#/%:0-9]{0,20}", 0..8),
        topic in "[a-z/$+#%é]{0,12}",
    ) {
        for text in [text, lines.join("\n")] {
            let _ = PasswordFile::parse(&text);
            let _ = upgrade(&text, Scheme::Sha512, |bytes| vec![0; bytes]);
            if let Ok(acl) = Acl::parse(&text) {
                for who in [WHO, Who { username: None, client_id: &topic }] {
                    let _ = acl.allows(who, Access::Write, &topic);
                    let _ = acl.subscription(who, &topic);
                    let _ = acl.never_reason(who, Access::Read, &topic);
                }
            }
        }
    }

    #[test]
    fn a_password_file_is_read_back_as_it_was_written(
        entries in prop::collection::btree_map("[a-zé$][a-zé #$]{0,6}[a-zé$]", (any::<[u8; 12]>(), 0..3u8), 0..6),
        comments in prop::collection::vec("#[a-z: ]{0,8}", 0..3),
    ) {
        let mut file = PasswordFile::parse(&comments.join("\n")).expect("comments");
        for (user, (salt, scheme)) in &entries {
            let scheme = match scheme {
                0 => Scheme::Sha512,
                iterations => Scheme::Pbkdf2 { iterations: (*iterations).into() },
            };
            let hash = Hash::create(scheme, user.as_bytes(), salt).expect("within the limits");
            file.set(user, hash).expect("a valid name");
        }
        let text = file.to_string();
        let again = PasswordFile::parse(&text).expect("what was written");
        prop_assert_eq!(again.to_string(), text);
        prop_assert_eq!(again.user_count(), entries.len());
        for user in entries.keys() {
            prop_assert!(again.verify(user, user.as_bytes()));
            prop_assert!(!again.verify(user, b"another"));
        }
    }
}
