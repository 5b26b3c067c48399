//! `midge certs`: a development CA with a server and a client certificate.

use std::time::SystemTime;

use midge_certs::development::{self, DevelopmentError, Existing};

use super::options::CertsOptions;

/// Makes the files and says how to use them.
pub(super) fn run(options: &CertsOptions) -> Result<(), String> {
    let existing = if options.force { Existing::Replace } else { Existing::Keep };
    let now = SystemTime::now();
    let directory = &options.directory;
    if let Some(name) = &options.client {
        if !directory.join("ca.key").exists() {
            let directory = directory.display();
            return Err(format!(
                "{directory}/ca.key: there is no authority yet: make one with `midge certs {directory}` first"
            ));
        }
        let client = development::client(directory, name, existing, now).map_err(text)?;
        println!("client {name:?}: {} {}", client.certfile.display(), client.keyfile.display());
        return Ok(());
    }
    let mut hosts = options.hosts.clone();
    if hosts.is_empty() {
        hosts = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    }
    let files = development::create(directory, &hosts, existing, now).map_err(text)?;
    println!("# for development only: who has {} can be anyone", files.ca.keyfile.display());
    println!("# mosquitto.conf, for {}:", hosts.join(", "));
    println!("listener 8883");
    println!("allow_anonymous true");
    println!("cafile {}", absolute(&files.ca.certfile));
    println!("certfile {}", absolute(&files.server.certfile));
    println!("keyfile {}", absolute(&files.server.keyfile));
    println!("# for client certificates: require_certificate true");
    println!("#");
    println!(
        "# mosquitto_sub -p 8883 --cafile {} --cert {} --key {} -t '#' -v",
        absolute(&files.ca.certfile),
        absolute(&files.client.certfile),
        absolute(&files.client.keyfile),
    );
    Ok(())
}

#[allow(clippy::needless_pass_by_value)] // as map_err wants it
fn text(error: DevelopmentError) -> String {
    match error {
        DevelopmentError::Exists { path } => {
            format!("{} exists already, and nothing is replaced without --force", path.display())
        }
        error => error.to_string(),
    }
}

fn absolute(path: &std::path::Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}
