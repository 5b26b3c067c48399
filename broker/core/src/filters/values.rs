//! The values of one filter: mostly one, which then needs no memory of its own.

#[derive(Debug, Default)]
pub(super) enum Values<V> {
    #[default]
    None,
    One(V),
    /// Never fewer than two but while it shrinks.
    Many(Vec<V>),
}

impl<V> Values<V> {
    pub(super) fn as_slice(&self) -> &[V] {
        match self {
            Values::None => &[],
            Values::One(value) => std::slice::from_ref(value),
            Values::Many(values) => values,
        }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [V] {
        match self {
            Values::None => &mut [],
            Values::One(value) => std::slice::from_mut(value),
            Values::Many(values) => values,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    pub(super) fn push(&mut self, value: V) {
        *self = match std::mem::take(self) {
            Values::None => Values::One(value),
            Values::One(first) => Values::Many(vec![first, value]),
            Values::Many(mut values) => {
                values.push(value);
                Values::Many(values)
            }
        };
    }

    /// Removes those that `gone` picks.
    pub(super) fn remove(&mut self, mut gone: impl FnMut(&V) -> bool) {
        *self = match std::mem::take(self) {
            Values::One(value) if !gone(&value) => Values::One(value),
            Values::None | Values::One(_) => Values::None,
            Values::Many(mut values) => {
                values.retain(|value| !gone(value));
                match values.len() {
                    0 | 1 => values.pop().map_or(Values::None, Values::One),
                    _ => Values::Many(values),
                }
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_and_go_in_their_order() {
        let mut values = Values::default();
        for number in 1..=4 {
            values.push(number);
            assert_eq!(values.as_slice(), (1..=number).collect::<Vec<_>>());
        }
        values.remove(|value| value % 2 == 0);
        assert_eq!(values.as_mut_slice(), &mut [1, 3]);
        values.remove(|value| *value == 1);
        assert!(matches!(values, Values::One(3)), "{values:?}");
        values.remove(|value| *value == 1);
        assert_eq!(values.len(), 1);
        values.remove(|value| *value == 3);
        assert!(values.is_empty());
    }
}
