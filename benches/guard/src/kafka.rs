//! A Kafka for the load of the bridge: the one inside `midge dev`, in a process that is not counted.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A Kafka that runs.
pub(crate) struct Kafka {
    child: Child,
    pub(crate) bootstrap_servers: String,
}

impl Kafka {
    /// Starts it on a free port.
    pub(crate) fn start(midge: &Path) -> Result<Kafka, String> {
        let child = Command::new(midge)
            .args(["dev", "--port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", midge.display()))?;
        // From here on it ends with this.
        let mut kafka = Kafka { child, bootstrap_servers: String::new() };
        let mut lines = BufReader::new(kafka.child.stdout.take().ok_or("no output")?).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| address(&line));
        kafka.bootstrap_servers = address.ok_or("`midge dev` did not say where its Kafka is")?;
        // A pipe that nobody empties would hold it up.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(kafka)
    }
}

/// The address in the line that names it.
fn address(line: &str) -> Option<String> {
    let rest = line.strip_prefix("Kafka is at ")?;
    let address = rest.split(". ").next()?;
    Some(address.to_owned())
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // Already dead is as good; there is nobody to tell otherwise.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn the_address_of_kafka_is_read_off_the_line_that_names_it() {
        let line = "Kafka is at 127.0.0.1:34921. It is not a real one: it forgets all.";
        assert_eq!(address(line).as_deref(), Some("127.0.0.1:34921"));
        assert_eq!(address("Midge 0.1.0 listens on localhost:28999."), None);
    }
}
