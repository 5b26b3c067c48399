//! rumqttd with the configuration in the file that is named, without a log.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("expected a configuration file")?;
    let text = std::fs::read_to_string(&file)?;
    let config: rumqttd::Config = toml::from_str(&text)?;
    rumqttd::Broker::new(config).start()?;
    Ok(())
}
