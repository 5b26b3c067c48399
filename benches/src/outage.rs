//! Kafka away under load: the publishers' acknowledgements come from Midge's spool meanwhile, and
//! everything arrives in Kafka afterwards.
//!
//! The Kafka is a real one that is killed (SIGKILL) and started again in the middle of the run. A
//! message counts by the phase in which its acknowledgement came.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::kafka::Topic;
use crate::kafka::server::Server;
use crate::options::Options;
use crate::process::{Broker, Contender};

mod audit;
mod figures;
mod publish;

use audit::Watch;
pub(crate) use figures::Outcome;
use figures::Sample;
use publish::Board;

/// Messages a second over all publishers.
const RATE: f64 = 5_000.0;
const CLIENTS: usize = 50;
/// Each has one publisher, which numbers its messages.
const TOPICS: usize = 100;
const PAYLOAD_BYTES: usize = 256;

/// How long the load runs before Kafka is killed, and again after the backlog is gone.
const CALM: Duration = Duration::from_secs(10);
/// The backlog is gone when less than this much of the load lacks in Kafka.
const CAUGHT_UP: Duration = Duration::from_millis(500);
/// A Kafka that is back and takes nothing for so long ends the run.
const STALLED: Duration = Duration::from_secs(60);
const GLANCE: Duration = Duration::from_millis(250);

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The first records pay for connecting.
    Connecting,
    Before,
    /// From the SIGKILL until Kafka serves again.
    Away,
    CatchingUp,
    After,
}

impl Phase {
    const ALL: [Self; 5] =
        [Self::Connecting, Self::Before, Self::Away, Self::CatchingUp, Self::After];

    fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Before => "there",
            Self::Away => "away",
            Self::CatchingUp => "back, catching up",
            Self::After => "caught up",
        }
    }
}

/// Runs the load once, with Kafka away for as long as the options say a run is measured.
pub(crate) fn run(
    options: &Options,
    midge: &Contender,
    script: &Path,
    directory: &Path,
) -> io::Result<Outcome> {
    let directory = directory.join("outage");
    let data = directory.join("data");
    std::fs::create_dir_all(&data)?;
    let server = Server::start(script, &directory.join("kafka"))?;
    let topic = Topic::create(&server.address, "midge-bench-outage")?;
    let broker = start(midge, &topic, &directory)?;
    let outcome = measure(options.seconds, &server, &topic, &broker, data)
        .map_err(|error| broker.explain(&error.to_string()))?;
    eprintln!("outage, midge: {:.0} records/s after it", outcome.drain_per_second);
    Ok(outcome)
}

fn start(midge: &Contender, topic: &Topic, directory: &Path) -> io::Result<Broker> {
    let file = directory.join("midge.toml");
    std::fs::write(&file, midge_toml(topic))?;
    let program = midge.command.first().cloned().unwrap_or_default();
    let port = "MIDGE__LISTENERS__PLAIN__PORT={port}".to_owned();
    let command = vec!["env".into(), port, program, "-c".into(), file.display().to_string()];
    Contender { command, ..midge.clone() }.start(directory, &[])
}

fn midge_toml(topic: &Topic) -> String {
    format!(
        "[listeners.plain]\n\
         host = \"127.0.0.1\"\n\
         \n\
         [authentication]\n\
         allow_anonymous = true\n\
         \n\
         [persistence]\n\
         enabled = true\n\
         directory = \"data\"\n\
         \n\
         [kafka]\n\
         bootstrap_servers = {:?}\n\
         \n\
         [connectors.outage]\n\
         type = \"source\"\n\
         mqtt_filters = [\"outage/#\"]\n\
         kafka_topic = {:?}\n\
         ack = \"spool\"\n\
         spool_max_bytes = 21474836480\n",
        topic.servers(),
        topic.name
    )
}

fn measure(
    away: Duration,
    server: &Server,
    topic: &Topic,
    broker: &Broker,
    data: PathBuf,
) -> io::Result<Outcome> {
    let clients = publish::open(broker.port)?;
    let board = &Board::new();
    std::thread::scope(|scope| {
        let publishing = scope.spawn(move || publish::run(board, clients));
        let mut observer = Observer { broker, board, data, samples: Vec::new() };
        let phases = observer.phases(away, server, topic);
        board.stop();
        let published = publishing.join().map_err(|_| io::Error::other("publishers panicked"))?;
        let published = published?;
        // The publishers know better why the run could not go on.
        phases.map_err(|error| match published.faults.violations.first() {
            Some(violation) => io::Error::other(format!("{error}: {violation}")),
            None => error,
        })?;
        let sent: u64 = published.sent.iter().sum();
        let watch = Watch::new(topic)?;
        await_records(&watch, sent)?;
        let audit = audit::read_back(topic, &watch, &published.sent)?;
        Ok(figures::outcome(away, &observer.samples, published, audit))
    })
}

/// Takes samples while it leads through the phases.
struct Observer<'a> {
    broker: &'a Broker,
    board: &'a Board,
    data: PathBuf,
    samples: Vec<Sample>,
}

impl Observer<'_> {
    fn phases(&mut self, away: Duration, server: &Server, topic: &Topic) -> io::Result<()> {
        let watch = Watch::new(topic)?;
        self.catch_up(Phase::Connecting, &watch)?;
        self.rest(Phase::Before, Some(&watch), CALM)?;
        drop(watch);

        eprintln!("outage: Kafka goes for {} s", away.as_secs_f64());
        server.kill()?;
        self.rest(Phase::Away, None, away)?;
        let started = server.resume(|| self.sample(Phase::Away, None).map(drop))?;
        eprintln!("outage: Kafka is back, {:.1} s later", started.as_secs_f64());

        let watch = Watch::new(topic)?;
        self.catch_up(Phase::CatchingUp, &watch)?;
        eprintln!("outage: Kafka has caught up");
        self.rest(Phase::After, Some(&watch), CALM)
    }

    fn rest(&mut self, phase: Phase, watch: Option<&Watch>, time: Duration) -> io::Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.sample(phase, watch)?;
        }
        Ok(())
    }

    /// Goes on until Kafka has nearly everything; gives up when it takes nothing any more.
    fn catch_up(&mut self, phase: Phase, watch: &Watch) -> io::Result<()> {
        let near = (RATE * CAUGHT_UP.as_secs_f64()) as u64;
        let (mut most, mut since) = (0, Instant::now());
        loop {
            let sample = self.sample(phase, Some(watch))?;
            let records = sample.records.unwrap_or(0);
            if records > 0 && sample.acknowledged.saturating_sub(records) <= near {
                return Ok(());
            }
            if records > most {
                (most, since) = (records, Instant::now());
            } else if since.elapsed() > STALLED {
                return Err(io::Error::other(format!("Kafka has {most} records and gets no more")));
            }
        }
    }

    /// Waits a moment, then looks at everything once.
    fn sample(&mut self, phase: Phase, watch: Option<&Watch>) -> io::Result<Sample> {
        self.board.enter(phase);
        std::thread::sleep(GLANCE);
        if self.board.has_failed() {
            return Err(io::Error::other("the publishers gave up"));
        }
        // Kafka first: what is acknowledged later cannot be there yet, so nothing waits less.
        let records = watch.map(Watch::records).transpose()?;
        let sample = Sample {
            at: self.board.now(),
            phase,
            acknowledged: self.board.acknowledged(),
            records,
            resident_bytes: self.broker.resident_bytes()?,
            disk_bytes: disk_bytes(&self.data)?,
            cpu: self.broker.cpu()?,
        };
        self.samples.push(sample.clone());
        Ok(sample)
    }
}

/// Waits until Kafka has as many records as were sent; the audit judges what is missing.
fn await_records(watch: &Watch, sent: u64) -> io::Result<()> {
    let until = Instant::now() + STALLED;
    while watch.records()? < sent && Instant::now() < until {
        std::thread::sleep(GLANCE);
    }
    Ok(())
}

/// What the files below a directory take on disk.
fn disk_bytes(directory: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        // A segment may go between the listing and the look at it.
        let Ok(metadata) = entry.metadata() else { continue };
        sum += if metadata.is_dir() { disk_bytes(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_all_levels_count_with_the_blocks_they_take() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(disk_bytes(directory.path()).unwrap(), 0);
        std::fs::create_dir(directory.path().join("below")).unwrap();
        for name in ["one", "below/two"] {
            std::fs::write(directory.path().join(name), vec![1; 100_000]).unwrap();
        }
        let found = disk_bytes(directory.path()).unwrap();
        assert!((200_000..400_000).contains(&found), "{found}");
    }
}
