//! Writes the vectors of the tests as seeds: one directory a target, below the one given.

#[path = "../tests/codec/malformed.rs"]
#[allow(dead_code)]
mod malformed;
#[path = "../tests/codec/vectors.rs"]
#[allow(dead_code)]
mod vectors;
#[path = "../tests/codec/wire.rs"]
mod wire;

use std::path::Path;
use std::{env, fs, io};

use midge_codec::ProtocolVersion;

fn main() -> io::Result<()> {
    let corpus = env::args_os().nth(1).expect("usage: seeds DIRECTORY");
    let valid = vectors::canonical().into_iter().chain(vectors::accepted());
    let mut seeds: Vec<_> = valid.map(|vector| (vector.version, wire::wire(vector.wire))).collect();
    seeds.extend(
        malformed::malformed()
            .iter()
            .map(|bad| (bad.version.unwrap_or(ProtocolVersion::V5), wire::wire(bad.wire))),
    );
    for target in ["decode", "decode_connect", "round_trip"] {
        let directory = Path::new(&corpus).join(target);
        fs::create_dir_all(&directory)?;
        for (index, (version, wire)) in seeds.iter().enumerate() {
            let seed = match target {
                "decode_connect" => wire.clone(),
                _ => [&[*version as u8, wire.len() as u8 / 2], &wire[..]].concat(),
            };
            fs::write(directory.join(format!("seed-{index:03}")), seed)?;
        }
    }
    println!("{} seeds a target", seeds.len());
    Ok(())
}
