//! Whether Kafka is alive, judged from acknowledgements, complaints and the clock.
//!
//! A complaint alone means nothing: an idle connection that a broker closes is one too. Kafka counts
//! as away when it has not answered for a while after one, or when records wait too long.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;

/// How long records may wait for an acknowledgement before Kafka counts as slow.
const SLOW: Duration = Duration::from_secs(5);
/// How long a doubt may last before Kafka counts as away.
const DOUBT: Duration = Duration::from_secs(2);
/// How often an idle client asks whether Kafka is there, while that is in doubt.
const PROBE_EVERY: Duration = Duration::from_secs(2);
/// How long that question may take.
pub(in crate::kafka) const PROBE: Duration = Duration::from_millis(500);
/// How soon a client that has lost Kafka is given its addresses again, and how often at most: each
/// time costs librdkafka a copy of the list for the client's life.
const BROKERS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));
/// Between two looks at the clock while something waits.
const WATCH: Duration = Duration::from_millis(250);
/// Between two looks while nothing does.
const REST: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(in crate::kafka) struct Pulse {
    /// The last sign of life, or when something began to wait for one.
    since: Instant,
    doubt: Option<(Instant, String)>,
    probed: Instant,
    brokers: Backoff,
}

impl Pulse {
    pub(in crate::kafka) fn new(now: Instant) -> Pulse {
        let brokers = Backoff::new(BROKERS.0, BROKERS.1);
        Pulse { since: now, doubt: None, probed: now, brokers }
    }

    /// Something begins to wait for Kafka.
    pub(in crate::kafka) fn began(&mut self, now: Instant) {
        self.since = now;
    }

    /// Kafka has answered.
    pub(in crate::kafka) fn beat(&mut self, now: Instant) {
        self.since = now;
        self.doubt = None;
        self.brokers.reset();
    }

    /// A client complains that Kafka is away. That all brokers are down is only the sum of
    /// complaints that say more.
    pub(in crate::kafka) fn doubt(&mut self, now: Instant, code: Code, why: String) {
        match &mut self.doubt {
            None => self.doubt = Some((now, why)),
            Some(_) if code == Code::AllBrokersDown => {}
            Some((_, last)) => *last = why,
        }
    }

    /// Whether Kafka should be asked: nothing waits whose answer would tell.
    pub(in crate::kafka) fn wants_probe(&mut self, now: Instant, busy: bool) -> bool {
        let wants = !busy
            && self.doubt.is_some()
            && now.saturating_duration_since(self.probed) >= PROBE_EVERY;
        if wants {
            self.probed = now;
        }
        wants
    }

    /// Why Kafka counts as slow or away; `None` when it does not.
    pub(in crate::kafka) fn lost(&self, now: Instant, busy: bool) -> Option<String> {
        if let Some((since, why)) = &self.doubt
            && now.saturating_duration_since(*since) >= DOUBT
        {
            return Some(why.clone());
        }
        let slow = busy && now.saturating_duration_since(self.since) >= SLOW;
        slow.then(|| format!("no acknowledgement for {} seconds", SLOW.as_secs()))
    }

    /// Whether a client that has lost Kafka should be given its addresses again.
    pub(in crate::kafka) fn wants_brokers(&mut self, now: Instant) -> bool {
        let wants = self.brokers.is_over(now);
        if wants {
            self.brokers.begin(now);
        }
        wants
    }

    /// How long the thread may sleep when nobody wakes it.
    pub(in crate::kafka) fn pause(&self, waiting: bool, left: Option<Duration>) -> Duration {
        let pause = if waiting || self.doubt.is_some() { WATCH } else { REST };
        left.map_or(pause, |left| pause.min(left.max(Duration::from_millis(1))))
    }
}

/// How long to wait before something is tried again: longer each time, until it is reset.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    until: Option<Instant>,
    last: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Backoff {
        Backoff { first, longest, until: None, last: Duration::ZERO }
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.last = (self.last * 2).clamp(self.first, self.longest);
        self.until = Some(now + self.last);
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now >= until)
    }

    /// The next wait is a first one again; one that has begun goes on.
    pub(super) fn reset(&mut self) {
        self.last = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_counts_only_when_no_answer_follows() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start);
        pulse.doubt(start, Code::Resolve, "no such host".to_owned());
        pulse.doubt(start, Code::AllBrokersDown, "1/1 brokers are down".to_owned());
        assert_eq!(pulse.lost(start + DOUBT / 2, false), None);
        assert_eq!(pulse.lost(start + DOUBT, false).as_deref(), Some("no such host"));
        pulse.beat(start + DOUBT);
        assert_eq!(pulse.lost(start + DOUBT * 2, false), None);
    }

    #[test]
    fn records_that_wait_too_long_make_kafka_slow() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start);
        assert_eq!(pulse.lost(start + SLOW, false), None, "nothing waits");
        pulse.began(start + SLOW);
        assert_eq!(pulse.lost(start + SLOW * 2 - DOUBT, true), None);
        assert!(pulse.lost(start + SLOW * 2, true).is_some());
    }

    #[test]
    fn an_idle_client_in_doubt_asks_now_and_then() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start);
        assert!(!pulse.wants_probe(start + PROBE_EVERY, false), "no doubt");
        pulse.doubt(start, Code::AllBrokersDown, "down".to_owned());
        assert!(!pulse.wants_probe(start + PROBE_EVERY, true), "an acknowledgement will tell");
        assert!(pulse.wants_probe(start + PROBE_EVERY, false));
        assert!(!pulse.wants_probe(start + PROBE_EVERY, false), "asked just now");
    }

    #[test]
    fn a_client_that_has_lost_kafka_gets_its_addresses_again_ever_later() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start);
        assert!(pulse.wants_brokers(start));
        assert!(!pulse.wants_brokers(start + BROKERS.0 / 2), "just now");
        assert!(pulse.wants_brokers(start + BROKERS.0));
        assert!(!pulse.wants_brokers(start + BROKERS.0 * 2), "twice as long");
        pulse.beat(start + BROKERS.0 * 3);
        assert!(pulse.wants_brokers(start + BROKERS.0 * 3));
        assert!(pulse.wants_brokers(start + BROKERS.0 * 4), "a new episode");
    }

    #[test]
    fn what_fails_at_once_is_tried_again_ever_later() {
        let now = Instant::now();
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(30));
        let mut backoff = Backoff::new(first, longest);
        assert!(backoff.is_over(now));
        backoff.begin(now);
        assert!(!backoff.is_over(now) && backoff.is_over(now + first));
        for _ in 0..20 {
            backoff.begin(now);
        }
        assert!(!backoff.is_over(now + longest / 2));
        assert!(backoff.is_over(now + longest));
        backoff.reset();
        backoff.begin(now);
        assert!(backoff.is_over(now + first));
    }
}
