//! Who gets which stripe from whom, and how that changes.

use crate::banyan::parents;
use crate::scene::Viewer;
use anyhow::Result;
use std::collections::BTreeMap;
use std::time::Duration;

/// Stripe to parent, for each viewer by name.
pub type Places = BTreeMap<String, BTreeMap<String, String>>;

/// One stripe of one viewer that has another parent than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The viewer's name.
    pub viewer: String,
    /// The stripe.
    pub stripe: String,
    /// Its parent before.
    pub from: String,
    /// Its parent now; empty if there is none.
    pub to: String,
}

/// Where everybody is, by a `stats` newer than the call.
pub fn places(viewers: &[Viewer]) -> Result<Places> {
    let marks: Vec<usize> = viewers
        .iter()
        .map(|viewer| viewer.watch.program.events().count())
        .collect();
    let place = |(viewer, mark): (&Viewer, usize)| {
        let stats = viewer
            .watch
            .program
            .wait_from(mark, "stats", Duration::from_secs(5), |_| true)?;
        Ok((viewer.name().to_owned(), parents(&stats)))
    };
    viewers.iter().zip(marks).map(place).collect()
}

/// What moved between `before` and `after`, of those who are in both.
pub fn moves(before: &Places, after: &Places) -> Vec<Move> {
    let both = before
        .iter()
        .filter_map(|(viewer, old)| Some((viewer, old, after.get(viewer)?)));
    both.flat_map(|(viewer, old, new)| changed(viewer, old, new))
        .collect()
}

fn changed(viewer: &str, old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<Move> {
    let moved = old
        .iter()
        .filter(|(stripe, parent)| new.get(*stripe) != Some(parent));
    let moved = moved.map(|(stripe, from)| Move {
        viewer: viewer.to_owned(),
        stripe: stripe.clone(),
        from: from.clone(),
        to: new.get(stripe).cloned().unwrap_or_default(),
    });
    moved.collect()
}

/// How often each stripe of a viewer got another parent in its `stats` after the first `mark` events; the greatest number.
pub fn most_moves_of_a_stripe(viewer: &Viewer, mark: usize) -> usize {
    let all: Vec<_> = viewer
        .watch
        .program
        .events()
        .since(mark, "stats")
        .iter()
        .map(parents)
        .collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (old, new) in all.iter().zip(all.iter().skip(1)) {
        for moved in changed(viewer.name(), old, new)
            .into_iter()
            .filter(|moved| !moved.to.is_empty())
        {
            *counts.entry(moved.stripe).or_default() += 1;
        }
    }
    counts.into_values().max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(stripe, parent)| ((*stripe).to_owned(), (*parent).to_owned()))
            .collect()
    }

    #[test]
    fn only_what_changed_moved() {
        let before = Places::from([
            ("a".into(), place(&[("1.0", "x"), ("1.1", "y")])),
            ("gone".into(), place(&[])),
        ]);
        let after = Places::from([
            ("a".into(), place(&[("1.0", "x"), ("1.1", "z")])),
            ("new".into(), place(&[])),
        ]);
        let moved = moves(&before, &after);
        assert_eq!(moved.len(), 1);
        assert_eq!(
            (
                moved[0].stripe.as_str(),
                moved[0].from.as_str(),
                moved[0].to.as_str()
            ),
            ("1.1", "y", "z")
        );
    }
}
