use super::*;

fn worker(properties: &[(&str, &str)]) -> BTreeMap<String, String> {
    properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn all(directory: &Path) -> Providers {
    let allowed = directory.display().to_string();
    let (providers, wrong) = Providers::new(&worker(&[
        ("config.providers", "file, env,dir"),
        ("config.providers.file.class", &format!("{PACKAGE}FileConfigProvider")),
        ("config.providers.file.param.allowed.paths", &allowed),
        ("config.providers.env.class", "EnvVarConfigProvider"),
        ("config.providers.env.param.allowlist.pattern", "CARGO_.*"),
        ("config.providers.dir.class", &format!("{PACKAGE}DirectoryConfigProvider")),
    ]));
    assert_eq!(wrong, []);
    providers
}

fn replaced(providers: &Providers, text: &str) -> Result<String, String> {
    providers.replace(text).map(|replaced| replaced.text)
}

#[test]
fn references_are_replaced_by_properties_variables_and_files() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("s.properties"), "a=one\nb\\:c=t\\u0077o\na=three\n").unwrap();
    let providers = all(directory.path());
    let path = directory.path().display();
    let text = format!("x${{file:{path}/./s.properties:a}}y${{file:{path}/s.properties:b:c}}");
    assert_eq!(replaced(&providers, &text).unwrap(), "xthreeytwo");
    assert_eq!(
        replaced(&providers, "${env:CARGO_PKG_NAME}").unwrap(),
        std::env::var("CARGO_PKG_NAME").unwrap()
    );
    let whole = replaced(&providers, &format!("${{dir:{path}:s.properties}}")).unwrap();
    assert!(whole.starts_with("a=one\n"), "{whole}");
    let found = providers.replace(&text).unwrap().found;
    assert_eq!(found[1].1.expose(), "two");
    assert_eq!(found[1].0, format!("${{file:{path}/s.properties:b:c}}"));
}

#[test]
fn what_comes_in_is_not_looked_at_again_and_other_variables_stay() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("f"), "k=${env:CARGO_PKG_NAME}\n").unwrap();
    let providers = all(directory.path());
    let text = format!("${{topic}}-${{file:{}/f:k}}-${{timestamp", directory.path().display());
    assert_eq!(replaced(&providers, &text).unwrap(), "${topic}-${env:CARGO_PKG_NAME}-${timestamp");
}

#[test]
fn a_reference_that_stands_for_nothing_says_provider_path_and_key() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("f"), "k=v\n").unwrap();
    fs::create_dir(directory.path().join("d")).unwrap();
    let providers = all(directory.path());
    let path = directory.path().display().to_string();
    for (reference, why) in [
        ("${vault:a:b}".to_owned(), "no such provider, config.providers=dir,env,file"),
        ("${env:HOME}".to_owned(), "allowlist.pattern CARGO_.* does not allow it"),
        ("${env:CARGO_NO_SUCH}".to_owned(), "the environment has no such variable"),
        ("${env:p:CARGO_PKG_NAME}".to_owned(), "variables have none"),
        ("${file:/etc/passwd:root}".to_owned(), "allowed.paths does not allow the path"),
        (format!("${{file:{path}/../x:k}}"), "allowed.paths does not allow the path"),
        (format!("${{file:{path}/f:other}}"), "the file has no such key"),
        (format!("${{file:{path}/gone:k}}"), "Could not read properties from file"),
        (format!("${{file:{path}/d:k}}"), "it is not a file"),
        ("${file:k}".to_owned(), "found no path"),
        (format!("${{dir:{path}:../x}}"), "expected the name of a file"),
        (format!("${{dir:{path}:gone}}"), "Could not read file gone"),
    ] {
        let error = replaced(&providers, &reference).unwrap_err();
        assert!(error.starts_with(&format!("Could not resolve {reference}: provider ")), "{error}");
        assert!(error.contains(why), "{error}, expected {why}");
    }
    let none = replaced(&Providers::default(), "${env:HOME}").unwrap_err();
    assert_eq!(
        none,
        "Could not resolve ${env:HOME}: provider env, path \"\", key \"HOME\": the worker's \
         properties name no config.providers"
    );
}

#[test]
fn what_is_wrong_with_providers_is_told_beside_each_property() {
    let (_, wrong) = Providers::new(&worker(&[
        ("config.providers", "a,b,c,d"),
        ("config.providers.b.class", "com.example.Vault"),
        ("config.providers.c.class", "FileConfigProvider"),
        ("config.providers.c.param.allowed.paths", "secrets"),
        ("config.providers.d.class", "EnvVarConfigProvider"),
        ("config.providers.d.param.allowlist.pattern", "("),
    ]));
    let keys: Vec<&str> = wrong.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "config.providers.a.class",
            "config.providers.b.class",
            "config.providers.c.param.allowed.paths",
            "config.providers.d.param.allowlist.pattern"
        ]
    );
    assert_eq!(wrong[2].1, "Path secrets is not absolute");
}
