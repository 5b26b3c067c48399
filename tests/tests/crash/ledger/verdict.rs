//! Holding what came against what was promised.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use midge_codec::QoS;

use super::{Fault, Ledger, Moment, Period, Receipt, Sent, Subscription, Wrong};

/// Faults told of one subscription and topic: the first ones say it all.
const TOLD: usize = 3;

impl Period {
    fn demands(&self, sent: &Sent) -> bool {
        let (Some(granted), Some(acknowledged)) = (self.granted, sent.acknowledged) else {
            return false;
        };
        granted < sent.first && self.leaving.is_none_or(|leaving| acknowledged < leaving)
    }

    fn allows(&self, sent: &Sent) -> bool {
        sent.acknowledged.is_none_or(|acknowledged| self.asked < acknowledged)
            && self.left.is_none_or(|left| sent.first < left)
    }
}

impl Subscription {
    fn demands(&self, sent: &Sent) -> bool {
        self.periods.iter().any(|period| period.demands(sent))
    }

    fn allows(&self, sent: &Sent) -> bool {
        self.periods.iter().any(|period| period.allows(sent))
    }
}

/// Whether a topic matches a filter (4.7).
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        match (wanted, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// The subscriptions one message has to satisfy together: one, or all of a shared group.
struct Claim<'a> {
    name: String,
    shared: bool,
    subscriptions: Vec<&'a Subscription>,
}

impl Ledger {
    fn claims(&self) -> Vec<Claim<'_>> {
        let mut groups: BTreeMap<&str, Vec<&Subscription>> = BTreeMap::new();
        let mut claims = Vec::new();
        for subscription in &self.subscriptions {
            match subscription.group {
                Some(group) => groups.entry(group).or_default().push(subscription),
                None => {
                    let inbox = &self.inboxes[subscription.receiver].name;
                    let name = format!("{inbox} ({})", subscription.filter);
                    claims.push(Claim { name, shared: false, subscriptions: vec![subscription] });
                }
            }
        }
        claims.extend(groups.into_iter().map(|(group, subscriptions)| Claim {
            name: format!("the shared group {group} ({})", subscriptions[0].filter),
            shared: true,
            subscriptions,
        }));
        claims
    }

    /// What came of one topic, as far as a claim goes.
    fn receipts<'a>(
        &'a self,
        claim: &'a Claim<'_>,
        topic: &'a Arc<str>,
    ) -> impl Iterator<Item = &'a Receipt> {
        let inboxes = claim.subscriptions.iter().map(|one| &self.inboxes[one.receiver]);
        inboxes.filter_map(move |inbox| inbox.topics.get(topic)).flatten()
    }

    /// Nothing is missing any more.
    pub(crate) fn is_complete(&self) -> bool {
        self.claims().iter().all(|claim| {
            self.matching(claim).all(|(topic, messages)| {
                let mut came = vec![false; messages.len()];
                self.receipts(claim, topic).for_each(|receipt| came[receipt.number] = true);
                let demanded = |sent: &Sent| claim.subscriptions.iter().any(|s| s.demands(sent));
                messages.iter().zip(came).all(|(sent, came)| came || !demanded(sent))
            })
        })
    }

    fn matching<'a>(
        &'a self,
        claim: &'a Claim<'_>,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Vec<Sent>)> {
        let filter = &claim.subscriptions[0].filter;
        self.topics.iter().filter(move |(topic, _)| matches(filter, topic))
    }

    /// All that is wrong, each with an account of the message concerned.
    pub(crate) fn verdict(&self) -> Vec<Fault> {
        let mut faults = self.faults.clone();
        for claim in self.claims() {
            for (topic, messages) in self.matching(&claim) {
                self.judge(&claim, topic, messages, &mut faults);
            }
        }
        faults
    }

    fn judge(
        &self,
        claim: &Claim<'_>,
        topic: &Arc<str>,
        messages: &[Sent],
        faults: &mut Vec<Fault>,
    ) {
        let mut counts = vec![0_usize; messages.len()];
        self.receipts(claim, topic).for_each(|receipt| counts[receipt.number] += 1);
        let mut found = Vec::new();
        for (number, sent) in messages.iter().enumerate() {
            let subscriptions = &claim.subscriptions;
            if counts[number] == 0 && subscriptions.iter().any(|one| one.demands(sent)) {
                found.push((Wrong::Lost, number));
            }
            let granted = subscriptions.iter().map(|one| one.qos).min();
            if counts[number] > 1 && sent.qos.min(granted.unwrap_or_default()) == QoS::ExactlyOnce {
                found.push((Wrong::Twice, number));
            }
            if counts[number] > 0 && !subscriptions.iter().any(|one| one.allows(sent)) {
                found.push((Wrong::Unasked, number));
            }
        }
        if !claim.shared {
            found.extend(self.disorder(claim, topic).map(|number| (Wrong::Disorder, number)));
        }
        let more = found.len().saturating_sub(TOLD);
        for (wrong, number) in found.into_iter().take(TOLD) {
            let mut text = self.account(claim, topic, number);
            if more > 0 {
                let _ = write!(text, "\n    and {more} more of this topic");
            }
            faults.push(Fault { wrong, text });
        }
    }

    /// The first message that came for the first time behind a later one. One that was under way
    /// before its subscription was there may have been passed over, and come when it was sent again.
    fn disorder(&self, claim: &Claim<'_>, topic: &Arc<str>) -> Option<usize> {
        let messages = &self.topics[topic];
        let mut came = vec![false; messages.len()];
        let mut highest = None;
        for receipt in self.receipts(claim, topic) {
            let again = std::mem::replace(&mut came[receipt.number], true);
            let demanded = || claim.subscriptions[0].demands(&messages[receipt.number]);
            if again || !demanded() {
                continue;
            }
            if highest > Some(receipt.number) {
                return Some(receipt.number);
            }
            highest = Some(receipt.number);
        }
        None
    }

    /// The story of one message and its neighbours.
    fn account(&self, claim: &Claim<'_>, topic: &Arc<str>, number: usize) -> String {
        let mut text = format!("{topic} number {number}, for {}", claim.name);
        let messages = &self.topics[topic];
        let near = number.saturating_sub(2)..(number + 3).min(messages.len());
        for index in near.clone() {
            let sent = &messages[index];
            let acknowledged = or_never(sent.acknowledged);
            let (qos, first) = (sent.qos as u8, sent.first);
            let _ = write!(
                text,
                "\n    {index}: QoS {qos}, first sent {first}, acknowledged {acknowledged}"
            );
        }
        for subscription in &claim.subscriptions {
            let inbox = &self.inboxes[subscription.receiver];
            let close = |period: &&Period| period.allows(&messages[number]);
            for period in subscription.periods.iter().filter(close) {
                let _ = write!(
                    text,
                    "\n    {}: SUBSCRIBE {}, SUBACK {}, UNSUBSCRIBE {}, UNSUBACK {}",
                    inbox.name,
                    period.asked,
                    or_never(period.granted),
                    or_never(period.leaving),
                    or_never(period.left)
                );
            }
            for receipt in inbox.topics.get(topic).into_iter().flatten() {
                if near.contains(&receipt.number) {
                    let Receipt { number, qos, dup, at } = receipt;
                    let (dup, qos) = (if *dup { " DUP" } else { "" }, *qos as u8);
                    let name = &inbox.name;
                    let _ = write!(text, "\n    {name}: {number} came {at}, QoS {qos}{dup}");
                }
            }
        }
        text
    }

    /// What has to be retained of each topic at least: the newest acknowledged number.
    pub(crate) fn retained_promise(&self) -> BTreeMap<Arc<str>, Option<usize>> {
        let newest = |messages: &[Sent]| messages.iter().rposition(|it| it.acknowledged.is_some());
        self.retained.iter().map(|(topic, of)| (Arc::clone(topic), newest(of))).collect()
    }

    /// Whether what a new subscriber got of a topic keeps that promise.
    pub(crate) fn keeps(&self, topic: &str, promise: Option<usize>, got: Option<usize>) -> bool {
        let messages = &self.retained[topic];
        let from = promise.unwrap_or(0);
        let cleared = || promise.is_none() || messages[from..].iter().any(|sent| sent.clears);
        match got {
            Some(number) => promise.is_none_or(|promise| number >= promise),
            None => cleared(),
        }
    }
}

fn or_never(moment: Option<Moment>) -> String {
    moment.map_or_else(|| "never".to_owned(), |moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_matches_as_the_standard_says() {
        assert!(matches("a/#", "a"));
        assert!(matches("a/+/c", "a/b/c"));
        assert!(!matches("a/+", "a/b/c"));
        assert!(!matches("a/b/c", "a/b"));
    }

    /// One subscriber of QoS 2, one topic of three messages, which came in this order.
    fn ledger(order: &[usize]) -> Ledger {
        let mut ledger = Ledger::new();
        let inbox = ledger.inbox("inbox");
        let subscription = ledger.subscription(inbox, "t/#", None, QoS::ExactlyOnce);
        ledger.asked(subscription, true);
        ledger.answered(subscription, true);
        let topic: Arc<str> = "t/1".into();
        for number in 0..3 {
            ledger.sent(&topic, QoS::ExactlyOnce, None);
            ledger.acknowledged(&topic, number, false);
        }
        for &number in order {
            let at = ledger.now();
            let receipt = Receipt { number, qos: QoS::ExactlyOnce, dup: false, at };
            ledger.received(inbox, &topic, receipt);
        }
        ledger
    }

    fn wrongs(ledger: &Ledger) -> Vec<Wrong> {
        ledger.verdict().iter().map(|fault| fault.wrong).collect()
    }

    #[test]
    fn every_broken_promise_is_found() {
        assert_eq!(wrongs(&ledger(&[0, 1, 2])), []);
        assert_eq!(wrongs(&ledger(&[0, 2])), [Wrong::Lost]);
        assert_eq!(wrongs(&ledger(&[0, 1, 1, 2])), [Wrong::Twice]);
        assert_eq!(wrongs(&ledger(&[0, 2, 1])), [Wrong::Disorder]);
        assert!(!ledger(&[0, 2]).is_complete());
    }

    #[test]
    fn what_was_sent_after_the_unsuback_may_not_come() {
        let mut ledger = ledger(&[0, 1, 2]);
        ledger.asked(0, false);
        ledger.answered(0, false);
        let topic: Arc<str> = "t/1".into();
        ledger.sent(&topic, QoS::ExactlyOnce, None);
        ledger.acknowledged(&topic, 3, false);
        assert_eq!(wrongs(&ledger), []);
        let at = ledger.now();
        ledger.received(0, &topic, Receipt { number: 3, qos: QoS::ExactlyOnce, dup: false, at });
        assert_eq!(wrongs(&ledger), [Wrong::Unasked]);
    }

    #[test]
    fn a_retained_message_older_than_the_acknowledged_one_is_found() {
        let mut ledger = Ledger::new();
        let topic: Arc<str> = "s".into();
        for clears in [false, false, true, false] {
            ledger.sent(&topic, QoS::AtLeastOnce, Some(clears));
        }
        ledger.acknowledged(&topic, 1, true);
        assert_eq!(ledger.retained_promise()[&topic], Some(1));
        assert!(!ledger.keeps(&topic, Some(1), Some(0)));
        assert!(ledger.keeps(&topic, Some(1), Some(1)));
        // The third message clears it, acknowledged or not.
        assert!(ledger.keeps(&topic, Some(1), None));
        assert!(!ledger.keeps(&topic, Some(3), None));
    }
}
