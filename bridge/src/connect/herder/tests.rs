use std::time::{Duration, Instant};

use super::*;
use crate::connect::stage::{SOURCE, Stage};

fn start(definitions: Definitions) -> (Arc<Stage>, Arc<Herder>) {
    let stage = Arc::new(Stage::default());
    let herder =
        Herder::start(stage.clone(), definitions, "here:8083".to_owned(), BTreeMap::new()).unwrap();
    (stage, herder)
}

fn config(pairs: &[(&str, &str)]) -> Properties {
    let class = [("connector.class", SOURCE), ("topic", "t")];
    let pairs = class.iter().chain(pairs);
    pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn states(herder: &Herder, name: &str) -> (RunState, Vec<RunState>) {
    let condition = herder.condition(name).unwrap();
    (condition.connector.state, condition.tasks.iter().map(|task| task.state).collect())
}

#[test]
fn a_connector_runs_rests_stops_and_goes() {
    let (stage, herder) = start(Definitions::in_memory());
    let two = config(&[("tasks.max", "2"), ("v", "1")]);
    herder.create("a", two, TargetState::Running).unwrap();
    eventually("it runs", || {
        states(&herder, "a") == (RunState::Running, vec![RunState::Running; 2])
    });
    assert_eq!(stage.running().len(), 2);
    herder.target("a", TargetState::Paused).unwrap();
    eventually("it rests", || {
        states(&herder, "a") == (RunState::Paused, vec![RunState::Paused; 2])
    });
    assert!(stage.running().iter().all(|running| running.3));
    herder.target("a", TargetState::Stopped).unwrap();
    eventually("it stops", || states(&herder, "a") == (RunState::Stopped, vec![]));
    assert!(stage.running().is_empty());
    herder.target("a", TargetState::Running).unwrap();
    eventually("it runs", || stage.running().len() == 2);
    herder.delete("a").unwrap();
    assert!(matches!(herder.describe("a"), Err(HerderError::NotFound(_))));
    eventually("it has ended", || stage.running().is_empty());
}

#[test]
fn other_properties_end_the_old_tasks_before_the_new_ones_start() {
    let (stage, herder) = start(Definitions::in_memory());
    for value in 0..50 {
        let value = value.to_string();
        let (new, _) = herder.put("a", config(&[("v", &value)])).unwrap();
        assert_eq!(new, value == "0");
    }
    eventually("the last one runs", || {
        let running = stage.running();
        running.len() == 1 && running[0].2 == "49"
    });
    assert_eq!(stage.most(), 1, "never two of one task");
    let changes =
        BTreeMap::from([("v".to_owned(), Some("50".to_owned())), ("other".to_owned(), None)]);
    assert_eq!(herder.patch("a", changes).unwrap().config, config(&[("v", "50")]));
}

#[test]
fn a_task_that_fails_says_why_and_runs_again_when_asked() {
    let (stage, herder) = start(Definitions::in_memory());
    herder.create("a", config(&[]), TargetState::Running).unwrap();
    eventually("it runs", || stage.running().len() == 1);
    stage.fail("a");
    eventually("it has ended", || stage.running().is_empty());
    let condition = herder.condition("a").unwrap();
    assert_eq!(condition.connector.state, RunState::Running);
    assert_eq!(condition.tasks[0].state, RunState::Failed);
    assert_eq!(condition.tasks[0].trace.as_deref(), Some("it broke\n\tat here"));
    herder.restart("a", false, false).unwrap();
    eventually("the connector", || states(&herder, "a").0 == RunState::Running);
    assert_eq!(states(&herder, "a").1, [RunState::Failed], "the task has not been asked for");
    herder.restart_task("a", 0).unwrap();
    eventually("it runs", || states(&herder, "a").1 == [RunState::Running]);
    stage.fail("a");
    herder.restart("a", true, true).unwrap();
    eventually("it runs", || states(&herder, "a").1 == [RunState::Running]);
    assert!(matches!(herder.restart_task("a", 7), Err(HerderError::NoTask(_, 7))));
}

#[test]
fn a_task_that_cannot_start_has_failed() {
    let (stage, herder) = start(Definitions::in_memory());
    stage.refuse(true);
    herder.create("a", config(&[]), TargetState::Running).unwrap();
    eventually("it fails", || states(&herder, "a").1 == [RunState::Failed]);
    stage.refuse(false);
    herder.restart_task("a", 0).unwrap();
    eventually("it runs", || states(&herder, "a").1 == [RunState::Running]);
}

#[test]
fn what_is_wrong_changes_nothing() {
    let (stage, herder) = start(Definitions::in_memory());
    let wrong = config(&[("tasks.max", "x")]);
    let error = herder.create("a", wrong.clone(), TargetState::Running).unwrap_err();
    assert!(matches!(error, HerderError::Invalid(_)), "{error}");
    assert!(herder.connectors().is_empty());
    herder.create("a", config(&[("v", "1")]), TargetState::Running).unwrap();
    assert!(herder.put("a", wrong).is_err());
    assert!(matches!(
        herder.create("a", config(&[]), TargetState::Running),
        Err(HerderError::Exists(_))
    ));
    eventually("it runs", || stage.running().len() == 1);
    assert_eq!(herder.describe("a").unwrap().config, config(&[("v", "1")]));
}

#[test]
fn connectors_come_back_as_they_were_and_those_of_files_stay_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let definitions = || Definitions::in_directory(directory.path().to_owned()).unwrap();
    let (_, herder) = start(definitions());
    herder.create("a", config(&[("v", "1")]), TargetState::Running).unwrap();
    herder.create("b", config(&[("v", "2")]), TargetState::Stopped).unwrap();
    herder.create("c", config(&[]), TargetState::Running).unwrap();
    herder.target("a", TargetState::Paused).unwrap();
    herder.delete("c").unwrap();
    herder.shutdown();

    let stage = Arc::new(Stage::default());
    let of_files = BTreeMap::from([("f".to_owned(), config(&[("v", "3")]))]);
    let herder =
        Herder::start(stage.clone(), definitions(), "here:8083".to_owned(), of_files).unwrap();
    assert_eq!(herder.connectors(), ["a", "b", "f"]);
    eventually("all are as they were", || {
        states(&herder, "a").0 == RunState::Paused
            && states(&herder, "b").0 == RunState::Stopped
            && states(&herder, "f").0 == RunState::Running
    });
    assert!(matches!(herder.put("f", config(&[])), Err(HerderError::OfFile(_))));
    assert!(matches!(herder.delete("f"), Err(HerderError::OfFile(_))));
    herder.target("f", TargetState::Paused).unwrap();
    eventually("it rests", || states(&herder, "f").0 == RunState::Paused);
    herder.shutdown();
    assert!(stage.running().is_empty());
}

#[test]
fn a_task_that_runs_says_what_keeps_it_from_its_work() {
    let (stage, herder) = start(Definitions::in_memory());
    herder.create("a", config(&[]), TargetState::Running).unwrap();
    eventually("it runs", || states(&herder, "a") == (RunState::Running, vec![RunState::Running]));
    assert_eq!(herder.condition("a").unwrap().tasks[0].trace, None);
    stage.set_trouble("a", "the broker is away");
    let condition = herder.condition("a").unwrap();
    assert_eq!(condition.tasks[0].state, RunState::Running);
    assert_eq!(condition.tasks[0].trace.as_deref(), Some("the broker is away"));
    herder.target("a", TargetState::Paused).unwrap();
    eventually("it rests", || states(&herder, "a").1 == [RunState::Paused]);
    assert_eq!(herder.condition("a").unwrap().tasks[0].trace, None);
}

#[test]
fn a_task_that_fails_while_it_is_started_stays_failed_until_somebody_asks() {
    let (stage, herder) = start(Definitions::in_memory());
    stage.fail_at_start(true);
    herder.create("a", config(&[]), TargetState::Running).unwrap();
    eventually("all is done", || herder.is_idle());
    let task = herder.condition("a").unwrap().tasks.remove(0);
    assert_eq!((task.state, task.trace.as_deref()), (RunState::Failed, Some("it broke at once")));
    assert!(stage.running().is_empty(), "what is left of it has ended");
    stage.fail_at_start(false);
    herder.restart_task("a", 0).unwrap();
    eventually("it runs", || states(&herder, "a").1 == [RunState::Running]);
}
