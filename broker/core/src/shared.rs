//! Shared subscriptions (4.8.2): groups of members, one of which gets each message.
//!
//! A group lives in one shard, found by its name; members tell it when they come, go, connect and
//! disconnect. Members that are connected take turns; those that are not get a message only when
//! nobody else is there.

use std::sync::Arc;

use hashbrown::HashMap;
use midge_codec::{SubscriptionIdentifier, SubscriptionOptions, TopicFilter};
use slab::Slab;

use crate::ShardId;
use crate::message::Client;

/// A member as its group knows it.
#[derive(Clone, Debug)]
pub struct Member {
    pub(crate) shard: ShardId,
    pub(crate) session: u32,
    pub(crate) incarnation: u32,
    pub(crate) options: SubscriptionOptions,
    pub(crate) identifier: Option<SubscriptionIdentifier>,
    /// Whose right to read is asked for each topic; `None`: all of them.
    pub(crate) judged: Option<Arc<Client>>,
    pub(crate) online: bool,
    /// Whether its session is stored.
    pub(crate) stored: bool,
}

impl Member {
    pub(crate) fn is(&self, shard: ShardId, session: u32, incarnation: u32) -> bool {
        (self.shard, self.session, self.incarnation) == (shard, session, incarnation)
    }
}

#[derive(Debug)]
pub(crate) struct Group {
    /// As clients write it, `$share/…`.
    pub(crate) filter: Arc<TopicFilter>,
    members: Vec<Member>,
    next: usize,
}

impl Group {
    /// Adds a member, or replaces what was known of it.
    pub(crate) fn join(&mut self, member: Member) {
        match self.find(member.shard, member.session, member.incarnation) {
            Some(known) => *known = member,
            None => self.members.push(member),
        }
    }

    /// Removes a member; true when it was the last.
    pub(crate) fn leave(&mut self, shard: ShardId, session: u32, incarnation: u32) -> bool {
        self.members.retain(|member| !member.is(shard, session, incarnation));
        self.members.is_empty()
    }

    pub(crate) fn find(
        &mut self,
        shard: ShardId,
        session: u32,
        incarnation: u32,
    ) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.is(shard, session, incarnation))
    }

    /// Whose turn it is among members that `may` take the message: connected ones first.
    /// `only_online`: the message is not worth waiting for (QoS 0).
    pub(crate) fn pick(
        &mut self,
        only_online: bool,
        may: impl Fn(&Member) -> bool,
    ) -> Option<&Member> {
        let count = self.members.len();
        let turn = (0..count).map(|step| (self.next + step) % count);
        let usable = |index: &usize| may(&self.members[*index]);
        let online = turn.clone().filter(|index| self.members[*index].online).find(usable);
        let chosen = match online {
            None if !only_online => turn.clone().find(usable)?,
            found => found?,
        };
        self.next = chosen + 1;
        Some(&self.members[chosen])
    }
}

/// The groups that live in one shard.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: Slab<Group>,
    by_filter: HashMap<TopicFilter, u32>,
}

impl Groups {
    pub(crate) fn find(&self, filter: &TopicFilter) -> Option<u32> {
        self.by_filter.get(filter).copied()
    }

    pub(crate) fn get_mut(&mut self, group: u32) -> Option<&mut Group> {
        self.groups.get_mut(group as usize)
    }

    /// The group of a filter, and whether it is new.
    pub(crate) fn find_or_create(&mut self, filter: &TopicFilter) -> (u32, bool) {
        if let Some(group) = self.find(filter) {
            return (group, false);
        }
        let filter = filter.detached();
        let group = self.groups.insert(Group {
            filter: Arc::new(filter.clone()),
            members: Vec::new(),
            next: 0,
        }) as u32;
        self.by_filter.insert(filter, group);
        (group, true)
    }

    pub(crate) fn remove(&mut self, group: u32) {
        let group = self.groups.remove(group as usize);
        self.by_filter.remove(&*group.filter);
    }

    /// Whether a group has a member whose session is stored.
    pub(crate) fn is_stored(&self, group: u32) -> bool {
        let group = self.groups.get(group as usize);
        group.is_some_and(|group| group.members.iter().any(|member| member.stored))
    }

    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(session: u32, online: bool) -> Member {
        Member {
            shard: ShardId(0),
            session,
            incarnation: 1,
            options: SubscriptionOptions::default(),
            identifier: None,
            judged: None,
            online,
            stored: false,
        }
    }

    fn group(members: Vec<Member>) -> Group {
        let filter = Arc::new(TopicFilter::try_from("$share/g/t").unwrap());
        Group { filter, members, next: 0 }
    }

    fn picks(group: &mut Group, count: usize) -> Vec<u32> {
        (0..count)
            .filter_map(|_| group.pick(false, |_| true).map(|member| member.session))
            .collect()
    }

    #[test]
    fn connected_members_take_turns() {
        let mut group = group(vec![member(1, true), member(2, false), member(3, true)]);
        assert_eq!(picks(&mut group, 4), [1, 3, 1, 3]);
    }

    #[test]
    fn members_that_are_away_take_turns_when_nobody_else_is_there() {
        let mut group = group(vec![member(1, false), member(2, false)]);
        assert_eq!(picks(&mut group, 3), [1, 2, 1]);
        assert!(group.pick(true, |_| true).is_none(), "QoS 0 does not wait for anyone");
    }

    #[test]
    fn a_member_that_may_not_read_is_passed_over() {
        let mut group = group(vec![member(1, true), member(2, true)]);
        let picked = group.pick(false, |member| member.session != 1).map(|member| member.session);
        assert_eq!(picked, Some(2));
        assert!(group.pick(false, |_| false).is_none());
    }
}
