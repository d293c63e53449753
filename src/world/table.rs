//! A table whose keys are not reused: a key of a removed value finds nothing.

use slab::Slab;

/// The key of a value of a [`Table`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id {
    index: u32,
    /// Which value of this index, counted over the whole table.
    serial: u32,
}

/// Values by key, with memory for those that exist.
#[derive(Debug)]
pub(super) struct Table<T> {
    values: Slab<(u32, T)>,
    serial: u32,
}

impl<T> Table<T> {
    pub(super) fn new() -> Table<T> {
        Table { values: Slab::new(), serial: 0 }
    }

    pub(super) fn insert(&mut self, value: T) -> Id {
        self.serial = self.serial.wrapping_add(1);
        let index = self.values.insert((self.serial, value)) as u32;
        Id { index, serial: self.serial }
    }

    pub(super) fn get(&self, id: Id) -> Option<&T> {
        let (serial, value) = self.values.get(id.index as usize)?;
        (*serial == id.serial).then_some(value)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        let (serial, value) = self.values.get_mut(id.index as usize)?;
        (*serial == id.serial).then_some(value)
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<T> {
        self.get(id)?;
        let (_, value) = self.values.remove(id.index as usize);
        if self.values.is_empty() {
            // The memory of a rush of sockets ends with them.
            self.values.shrink_to_fit();
        }
        Some(value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        let id = |index, serial| Id { index: index as u32, serial };
        self.values.iter().map(move |(index, (serial, value))| (id(index, *serial), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_removed_value_finds_no_later_one() {
        let mut table = Table::new();
        let first = table.insert('a');
        assert_eq!(table.remove(first), Some('a'));
        let second = table.insert('b');
        assert_eq!((table.remove(first), table.get(first)), (None, None));
        assert_eq!(table.get(second), Some(&'b'));
        assert_eq!(table.iter().collect::<Vec<_>>(), [(second, &'b')]);
    }
}
