//! Numbers for records inside librdkafka, small enough for its opaque pointer on any machine.

/// A table whose free places are used again.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    places: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Slots<T> {
    pub(crate) fn new() -> Slots<T> {
        Slots { places: Vec::new(), free: Vec::new() }
    }

    pub(crate) fn insert(&mut self, item: T) -> usize {
        match self.free.pop() {
            Some(place) => {
                self.places[place] = Some(item);
                place
            }
            None => {
                self.places.push(Some(item));
                self.places.len() - 1
            }
        }
    }

    pub(crate) fn change(&mut self, place: usize, change: impl FnOnce(&mut T)) {
        if let Some(Some(item)) = self.places.get_mut(place) {
            change(item);
        }
    }

    pub(crate) fn remove(&mut self, place: usize) -> Option<T> {
        let item = self.places.get_mut(place)?.take()?;
        self.free.push(place);
        Some(item)
    }

    pub(crate) fn clear(&mut self) {
        self.places.clear();
        self.free.clear();
    }
}
