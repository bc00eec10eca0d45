//! The truth that no node can see: brute force over all of them.

use dht::Id;

/// The `count` ids closest to `target`, closest first.
pub fn closest(ids: impl IntoIterator<Item = Id>, target: &Id, count: usize) -> Vec<Id> {
    let mut ids: Vec<Id> = ids.into_iter().collect();
    if ids.len() > count {
        ids.select_nth_unstable_by_key(count, |id| id.distance(target));
        ids.truncate(count);
    }
    ids.sort_unstable_by_key(|id| id.distance(target));
    ids
}

/// Which part of the truth was found, 0 to 1. An empty truth is found.
pub fn recall(truth: &[Id], found: &[Id]) -> f64 {
    if truth.is_empty() {
        return 1.0;
    }
    let hits = truth.iter().filter(|id| found.contains(id)).count();
    hits as f64 / truth.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> Id {
        Id::new([n; 20])
    }

    #[test]
    fn the_closest_are_sorted_by_distance() {
        let all = [1, 2, 3, 4, 5, 6, 7, 8].map(id);
        assert_eq!(closest(all, &id(6), 3), [6, 7, 4].map(id));
        assert_eq!(closest(all, &id(6), 99).len(), 8);
    }

    #[test]
    fn recall_counts_the_truth_that_was_found() {
        assert!((recall(&[1, 2, 3, 4].map(id), &[2, 4, 9].map(id)) - 0.5).abs() < f64::EPSILON);
        assert!((recall(&[], &[id(1)]) - 1.0).abs() < f64::EPSILON);
    }
}
