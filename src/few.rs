//! Sets of a few values.

use std::ops::Deref;

/// A set whose values lie behind each other, in order. A plan keeps several sets for each statement, most of them with one value or two,
/// for which a tree has a node of eleven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Few<T>(Vec<T>);

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Few<T> {
    /// No value.
    pub const fn new() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord> Few<T> {
    /// Adds a value, unless it is there: whether it was not.
    pub fn insert(&mut self, value: T) -> bool {
        let Err(at) = self.0.binary_search(&value) else { return false };
        // A vector makes room for four to begin with.
        if self.0.is_empty() {
            self.0.reserve_exact(1);
        }
        self.0.insert(at, value);
        true
    }

    /// Whether a value is there.
    pub fn contains(&self, value: &T) -> bool {
        self.0.binary_search(value).is_ok()
    }

    /// The values that another set does not have.
    pub fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a T> {
        self.0.iter().filter(|value| !other.contains(value))
    }

    /// Whether no value is in both.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        !self.0.iter().any(|value| other.contains(value))
    }

    /// Keeps the values that are asked for.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.0.retain(keep);
    }
}

/// What any list can be asked.
impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Ord> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        let before = self.0.len();
        let mut values = values.into_iter();
        if before == 0
            && let Some(first) = values.next()
        {
            self.insert(first);
        }
        self.0.extend(values);
        if self.0.len() > before {
            // Two runs that are in order are merged.
            self.0.sort();
            self.0.dedup();
        }
    }
}

impl<T: Ord> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut few = Self::new();
        few.extend(values);
        few
    }
}

impl<T: Ord, const N: usize> From<[T; N]> for Few<T> {
    fn from(values: [T; N]) -> Self {
        values.into_iter().collect()
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::Few;

    proptest! {
        /// It is what a tree would be, whatever is put in one by one or at once.
        #[test]
        fn is_a_set(one in prop::collection::vec(0..9_u8, 0..9), at_once in prop::collection::vec(0..9_u8, 0..9), other in prop::collection::vec(0..9_u8, 0..9)) {
            let (mut few, mut tree) = (Few::new(), BTreeSet::new());
            for value in one {
                prop_assert_eq!(few.insert(value), tree.insert(value));
            }
            few.extend(at_once.clone());
            tree.extend(at_once);
            let (few_other, tree_other): (Few<u8>, BTreeSet<u8>) = (other.iter().copied().collect(), other.into_iter().collect());
            prop_assert!(few.iter().eq(&tree));
            prop_assert!(few.difference(&few_other).eq(tree.difference(&tree_other)));
            prop_assert_eq!(few.is_disjoint(&few_other), tree.is_disjoint(&tree_other));
            prop_assert!((0..9).all(|value| few.contains(&value) == tree.contains(&value)));
        }
    }
}
