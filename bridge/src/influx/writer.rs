//! Points on their way into a database, on a thread of their own: nobody who polls waits for HTTP.
//!
//! What has come while a write was under way goes with the next one, up to bounds of points and
//! bytes. A write that the database refuses for some of its points is halved until each has its own
//! answer: one that is wrong takes no others with it.
//!
//! Invariant: every point has one outcome, unless nobody is there for it any more. The records under
//! way bound the points that wait.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};

use midge_codec::ReasonCode;

use super::{Database, WriteError};
use crate::sink::{Outcome, Outcomes};

/// Points at most of a write.
pub(crate) const POINTS_MAX: usize = 5_000;
/// Bytes at most of a write; a line that is larger goes by itself.
const BYTES_MAX: usize = 1 << 20;

/// A point in line protocol, and the ticket of its record.
pub(crate) type Line = (u64, String);

/// A handle on the thread, which ends after its write when this is gone.
pub(crate) struct Writer {
    queue: Sender<Vec<Line>>,
}

impl Writer {
    /// Starts the thread; it says in `outcomes` what became of points.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(crate) fn start(database: Database, outcomes: &Arc<Outcomes>) -> io::Result<Writer> {
        let (queue, came) = channel();
        let outcomes = Arc::downgrade(outcomes);
        let thread = std::thread::Builder::new().name("influxdb".to_owned());
        thread.spawn(move || run(&database, &came, &outcomes))?;
        Ok(Writer { queue })
    }

    /// Takes points, in order.
    ///
    /// # Errors
    /// The points, when nobody writes them any more.
    pub(crate) fn write(&self, lines: Vec<Line>) -> Result<(), Vec<Line>> {
        self.queue.send(lines).map_err(|error| error.0)
    }
}

fn run(database: &Database, came: &Receiver<Vec<Line>>, outcomes: &Weak<Outcomes>) {
    let mut waiting = VecDeque::new();
    while let Ok(lines) = came.recv() {
        waiting.extend(lines);
        while !waiting.is_empty() {
            waiting.extend(came.try_iter().flatten());
            let batch = batch(&mut waiting, database.points_max);
            write(&batch, |lines| database.write(lines), outcomes);
            if outcomes.strong_count() == 0 {
                return;
            }
        }
    }
}

/// What goes in one write: the first line at least.
fn batch(waiting: &mut VecDeque<Line>, points_max: usize) -> Vec<Line> {
    let mut bytes = 0;
    let fits = waiting.iter().take(points_max.clamp(1, POINTS_MAX)).take_while(|(_, line)| {
        bytes += line.len() + 1;
        bytes <= BYTES_MAX
    });
    let count = fits.count().max(1).min(waiting.len());
    waiting.drain(..count).collect()
}

/// Writes lines until each has an outcome.
fn write(
    lines: &[Line],
    mut post: impl FnMut(&str) -> Result<(), WriteError>,
    outcomes: &Weak<Outcomes>,
) {
    let mut parts = vec![lines];
    while let Some(part) = parts.pop() {
        let text: Vec<&str> = part.iter().map(|(_, line)| line.as_str()).collect();
        let outcome = match post(&text.join("\n")) {
            Ok(()) => Outcome::Answered(ReasonCode::Success),
            Err(error) if error.is_about_points && part.len() > 1 => {
                // The first half first: the order of what is written stays.
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
                continue;
            }
            Err(error) => Outcome::Refused(Arc::from(error.to_string())),
        };
        let Some(outcomes) = outcomes.upgrade() else { return };
        outcomes.came(part.iter().map(|(ticket, _)| (*ticket, outcome.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(is_about_points: bool) -> Result<(), WriteError> {
        let (database, why) = ("d".to_owned(), "no".to_owned());
        Err(WriteError { database, why, is_about_points })
    }

    fn lines(count: u64) -> Vec<Line> {
        (0..count).map(|number| (number, format!("m a={number}i"))).collect()
    }

    /// The tickets of what was taken, and those of what was not.
    fn outcomes(
        lines: &[Line],
        post: impl FnMut(&str) -> Result<(), WriteError>,
    ) -> (Vec<u64>, Vec<u64>) {
        let outcomes = Arc::new(Outcomes::default());
        write(lines, post, &Arc::downgrade(&outcomes));
        let all = outcomes.take();
        let (taken, refused): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(_, outcome)| matches!(outcome, Outcome::Answered(_)));
        let tickets =
            |all: Vec<(u64, Outcome)>| all.into_iter().map(|(ticket, _)| ticket).collect();
        (tickets(taken), tickets(refused))
    }

    #[test]
    fn one_wrong_point_takes_no_others_with_it() {
        let mut posts = Vec::new();
        let lines = lines(8);
        let found = outcomes(&lines, |text| {
            posts.push(text.lines().count());
            if text.lines().any(|line| line == "m a=5i") { refused(true) } else { Ok(()) }
        });
        assert_eq!(found, (vec![0, 1, 2, 3, 4, 6, 7], vec![5]));
        assert_eq!(posts, [8, 4, 4, 2, 1, 1, 2]);
    }

    #[test]
    fn what_is_not_about_points_is_the_outcome_of_them_all() {
        let mut posts = 0;
        let found = outcomes(&lines(8), |_| {
            posts += 1;
            refused(false)
        });
        assert_eq!((found.0, found.1.len(), posts), (vec![], 8, 1));
    }

    #[test]
    fn a_write_is_bounded_by_points_and_by_bytes() {
        let mut waiting: VecDeque<Line> = lines(10).into();
        assert_eq!(batch(&mut waiting, 4).len(), 4);
        assert_eq!((batch(&mut waiting, 100).len(), waiting.len()), (6, 0));
        let large = || (1, "x".repeat(BYTES_MAX / 2));
        waiting.extend([large(), large(), (1, "x".repeat(BYTES_MAX + 1)), large()]);
        let counts: Vec<usize> = (0..4).map(|_| batch(&mut waiting, 100).len()).collect();
        assert_eq!((counts, waiting.len()), (vec![1, 1, 1, 1], 0));
    }
}
