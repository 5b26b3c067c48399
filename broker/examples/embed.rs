//! A broker inside another program: starts one on a free port, publishes through it and receives
//! the message with a plain socket.
//!
//! Run it with `cargo run -p midge --example embed`.

use std::io::{Read, Write};
use std::net::TcpStream;

use midge::{Broker, Config, QoS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = Broker::start(config()?)?;
    let address = broker.addresses()[0];
    println!("broker listens on {address}");

    // CONNECT as "embed" with MQTT 3.1.1, SUBSCRIBE to "#": any client library does this.
    let mut socket = TcpStream::connect(address)?;
    socket.write_all(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05embed")?;
    socket.write_all(b"\x82\x06\x00\x01\x00\x01#\x00")?;
    let mut answers = [0; 4 + 5];
    socket.read_exact(&mut answers)?;
    if answers != *b"\x20\x02\x00\x00\x90\x03\x00\x01\x00" {
        return Err(format!("found {answers:02x?}, expected CONNACK and SUBACK").into());
    }

    broker.publish("greeting", "hello from inside", QoS::AtLeastOnce, false).await?;

    let mut publish = [0; 2 + 2 + 8 + 17];
    socket.read_exact(&mut publish)?;
    println!("received {}", String::from_utf8_lossy(&publish[4 + 8..]));
    println!("{} message(s) sent", broker.stats().await.shard.publish_sent);

    broker.shutdown().await;
    Ok(())
}

/// The defaults, on a free port of the loopback.
fn config() -> Result<Config, Box<dyn std::error::Error>> {
    let sources = midge::Sources { ports: vec![0], ..midge::Sources::default() };
    midge::load(&sources).map_err(|errors| errors[0].to_string().into())
}
