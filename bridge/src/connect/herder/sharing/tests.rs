use std::collections::BTreeSet;
use std::sync::{Mutex, Weak};
use std::time::{Duration, Instant};

use super::*;
use crate::connect::distributed::Known;
use crate::connect::distributed::records;
use crate::connect::stage::{SOURCE, Stage};

/// What the workers of a test share, instead of Kafka's topics.
#[derive(Default)]
struct Topics {
    known: Mutex<Known>,
    told: Mutex<BTreeMap<(String, Unit), Condition>>,
    workers: Mutex<Vec<Weak<Herder>>>,
}

/// One worker's seat: it has the tasks whose numbers are in `shares`.
struct Seat {
    topics: Arc<Topics>,
    shares: Mutex<BTreeSet<usize>>,
    /// Kafka has been read.
    ready: Mutex<bool>,
}

impl Group for Seat {
    fn ready(&self) -> Result<(), String> {
        if *self.ready.lock().unwrap() { Ok(()) } else { Err("it is being read".to_owned()) }
    }

    fn write(&self, name: &str, change: &Change) -> Result<(), String> {
        for (key, value) in records(name, change) {
            let heard = self.topics.known.lock().unwrap().read(key.as_bytes(), value.as_deref())?;
            let Some((name, heard)) = heard else { continue };
            let workers = self.topics.workers.lock().unwrap().clone();
            for worker in workers.iter().filter_map(Weak::upgrade) {
                worker.heard(&name, heard.clone());
            }
        }
        Ok(())
    }

    fn owns(&self, _: &str, unit: Unit) -> bool {
        let number = match unit {
            Unit::Connector => 0,
            Unit::Task(number) => number,
        };
        self.shares.lock().unwrap().contains(&number)
    }

    fn may_run(&self, name: &str, task: usize) -> bool {
        self.owns(name, Unit::Task(task))
    }

    fn tell(&self, name: &str, unit: Unit, condition: Option<&Condition>) {
        let mut told = self.topics.told.lock().unwrap();
        match condition {
            Some(condition) => drop(told.insert((name.to_owned(), unit), condition.clone())),
            None => drop(told.remove(&(name.to_owned(), unit))),
        }
    }

    fn told(&self, name: &str, unit: Unit) -> Option<Condition> {
        self.topics.told.lock().unwrap().get(&(name.to_owned(), unit)).cloned()
    }

    fn told_tasks(&self, name: &str) -> Vec<usize> {
        let told = self.topics.told.lock().unwrap();
        let tasks = told.keys().filter(|(of, _)| of == name).filter_map(|(_, unit)| match unit {
            Unit::Task(task) => Some(*task),
            Unit::Connector => None,
        });
        tasks.collect()
    }

    fn tell_topic(&self, _: &str, _: usize, _: &str) {}

    fn topics(&self, _: &str) -> BTreeSet<String> {
        BTreeSet::new()
    }

    fn forget_topics(&self, _: &str) {}

    fn flush(&self) {}
}

struct Worker {
    stage: Arc<Stage>,
    seat: Arc<Seat>,
    herder: Arc<Herder>,
}

impl Worker {
    fn join(topics: &Arc<Topics>, id: &str, shares: &[usize], copy: Definitions) -> Worker {
        let stage = Arc::new(Stage::default());
        let seat = Arc::new(Seat {
            topics: Arc::clone(topics),
            shares: Mutex::new(shares.iter().copied().collect()),
            ready: Mutex::new(false),
        });
        let group: Arc<dyn Group> = seat.clone();
        let herder =
            Herder::start_in_group(stage.clone(), copy, group, id.to_owned(), BTreeMap::new());
        Worker { stage, seat, herder: herder.unwrap() }
    }

    /// Hears all that there is.
    fn hears(self) -> Worker {
        let topics = &self.seat.topics;
        self.herder.heard_all(topics.known.lock().unwrap().definitions().clone());
        topics.workers.lock().unwrap().push(Arc::downgrade(&self.herder));
        *self.seat.ready.lock().unwrap() = true;
        self
    }

    fn gets(&self, shares: &[usize]) {
        *self.seat.shares.lock().unwrap() = shares.iter().copied().collect();
        self.herder.shares_changed();
    }

    fn tasks(&self) -> Vec<usize> {
        let mut tasks: Vec<usize> = self.stage.running().iter().map(|run| run.1).collect();
        tasks.sort_unstable();
        tasks
    }

    /// The states of a connector's tasks and by whom, as this worker shows them.
    fn shows(&self, name: &str) -> Vec<(RunState, String)> {
        let Ok(condition) = self.herder.condition(name) else { return Vec::new() };
        condition.tasks.into_iter().map(|task| (task.state, task.worker_id)).collect()
    }
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn config(pairs: &[(&str, &str)]) -> Properties {
    let class = [("connector.class", SOURCE), ("topic", "t")];
    let pairs = class.iter().chain(pairs);
    pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn two() -> (Worker, Worker) {
    let topics = Arc::new(Topics::default());
    let one = Worker::join(&topics, "one:1", &[0, 2], Definitions::in_memory()).hears();
    let two = Worker::join(&topics, "two:2", &[1, 3], Definitions::in_memory()).hears();
    (one, two)
}

#[test]
fn each_worker_runs_its_own_tasks_and_shows_those_of_all() {
    let (one, two) = two();
    one.herder.create("a", config(&[("tasks.max", "4")]), TargetState::Running).unwrap();
    eventually("all run", || one.tasks() == [0, 2] && two.tasks() == [1, 3]);
    let expected: Vec<_> = ["one:1", "two:2", "one:1", "two:2"]
        .map(|worker| (RunState::Running, worker.to_owned()))
        .into();
    for worker in [&one, &two] {
        eventually("it is shown", || worker.shows("a") == expected);
        assert_eq!(worker.herder.connectors(), ["a"]);
    }
    // Either of them may say what becomes of it.
    two.herder.target("a", TargetState::Paused).unwrap();
    eventually("all rest", || one.shows("a").iter().all(|task| task.0 == RunState::Paused));
    assert!(one.stage.running().iter().chain(&two.stage.running()).all(|run| run.3));
    one.herder.target("a", TargetState::Stopped).unwrap();
    eventually("all have ended", || one.tasks().is_empty() && two.tasks().is_empty());
    eventually("nothing is said of tasks", || two.shows("a").is_empty());
    eventually("its offsets may be moved", || two.herder.alter_offsets("a", &Vec::new()).is_ok());
    two.herder.delete("a").unwrap();
    assert!(one.herder.connectors().is_empty());
    eventually("nobody speaks of it", || one.seat.topics.told.lock().unwrap().is_empty());
}

#[test]
fn tasks_move_with_their_shares_and_nobody_runs_what_is_another_s() {
    let (one, two) = two();
    two.herder.create("a", config(&[("tasks.max", "4")]), TargetState::Running).unwrap();
    eventually("all run", || one.tasks() == [0, 2] && two.tasks() == [1, 3]);
    one.gets(&[]);
    eventually("they have ended", || one.herder.is_idle() && one.tasks().is_empty());
    assert_eq!(one.shows("a")[0].0, RunState::Unassigned);
    two.gets(&[0, 1, 2, 3]);
    eventually("they run here", || two.tasks() == [0, 1, 2, 3]);
    eventually("that is shown", || {
        one.shows("a").iter().all(|task| *task == (RunState::Running, "two:2".to_owned()))
    });
    two.herder.shutdown();
    eventually("nobody has them", || {
        one.shows("a").iter().all(|task| task.0 == RunState::Unassigned)
    });
}

#[test]
fn a_failed_task_is_shown_and_restarted_from_anywhere() {
    let (one, two) = two();
    one.herder.create("a", config(&[("tasks.max", "2")]), TargetState::Running).unwrap();
    eventually("all run", || one.tasks() == [0] && two.tasks() == [1]);
    two.stage.fail("a");
    let failed = || one.herder.condition("a").unwrap().tasks[1].clone();
    eventually("it is shown", || failed().state == RunState::Failed);
    assert_eq!(failed().trace.as_deref(), Some("it broke\n\tat here"));
    assert!(matches!(one.herder.restart_task("a", 2), Err(HerderError::NoTask(_, 2))));
    one.herder.restart_task("a", 1).unwrap();
    eventually("it runs", || two.tasks() == [1] && failed().state == RunState::Running);
    two.stage.fail("a");
    eventually("it is shown", || failed().state == RunState::Failed);
    let told = one.herder.restart("a", true, true).unwrap();
    assert_eq!(told.tasks[1].state, RunState::Restarting);
    assert_eq!(told.tasks[0].state, RunState::Running);
    eventually("it runs", || two.tasks() == [1] && failed().state == RunState::Running);
}

#[test]
fn a_worker_that_has_lost_its_seat_takes_nothing_more_and_begins_anew_with_the_next() {
    let (one, two) = two();
    one.herder.create("a", config(&[]), TargetState::Running).unwrap();
    eventually("it runs", || one.tasks() == [0]);
    one.herder.fence();
    assert!(one.stage.running().iter().all(|run| run.3), "it rests at once");
    // The seat is there again before anything has ended.
    one.herder.shares_changed();
    eventually("it runs again", || {
        one.herder.is_idle() && one.stage.running().iter().any(|run| !run.3)
    });
    assert_eq!((one.stage.most(), two.tasks().len()), (1, 0));
}

#[test]
fn what_a_broker_s_own_clients_publish_is_taken_at_every_worker() {
    let (one, two) = two();
    let own = config(&[("of_this_broker", "yes")]);
    one.herder.create("a", own, TargetState::Running).unwrap();
    eventually("both run it", || one.tasks() == [0] && two.tasks() == [0]);
    one.gets(&[]);
    two.gets(&[]);
    eventually("both have looked", || one.herder.is_idle() && two.herder.is_idle());
    assert_eq!((one.tasks(), two.tasks()), (vec![0], vec![0]));
    two.stage.fail("a");
    eventually("one that has failed is shown", || {
        one.shows("a") == [(RunState::Failed, "two:2".to_owned())]
    });
}

#[test]
fn without_kafka_a_worker_begins_with_its_copy_and_then_does_what_the_group_wants() {
    let directory = tempfile::tempdir().unwrap();
    let copy = || Definitions::in_directory(directory.path().to_owned()).unwrap();
    let topics = Arc::new(Topics::default());
    let one = Worker::join(&topics, "one:1", &[0], copy()).hears();
    let own = |value: &str| config(&[("of_this_broker", "yes"), ("v", value)]);
    for (name, value) in [("changes", "1"), ("goes", "2"), ("stays", "3")] {
        one.herder.create(name, own(value), TargetState::Running).unwrap();
    }
    eventually("all run", || one.stage.running().len() == 3);
    one.herder.shutdown();
    drop(one);
    let other = Worker::join(&topics, "two:2", &[], Definitions::in_memory()).hears();
    other.herder.put("changes", own("4")).unwrap();
    other.herder.delete("goes").unwrap();

    let again = Worker::join(&topics, "one:1", &[0], copy());
    let values = |worker: &Worker| {
        let mut values: Vec<String> = worker.stage.running().into_iter().map(|run| run.2).collect();
        values.sort();
        values
    };
    eventually("the copy runs", || values(&again) == ["1", "2", "3"]);
    assert!(matches!(again.herder.ready(), Err(HerderError::Starting(_))));
    let refused = again.herder.put("new", own("5"));
    assert!(matches!(refused, Err(HerderError::Starting(_))), "{refused:?}");
    let again = again.hears();
    eventually("the group's runs", || values(&again) == ["3", "4"]);
    assert!(again.herder.ready().is_ok());
    assert_eq!(copy().load().unwrap().len(), 2);
}
