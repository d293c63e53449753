//! Tasks grouped by where they were spawned and where they wait: a group that grows is a leak.

use std::collections::{BTreeMap, HashMap};

use crate::json::{Json, object};
use crate::snapshot::Task;

/// How many tasks of a group are named.
const EXAMPLES: usize = 3;

/// What the tasks of a group have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) spawned_at: Option<String>,
    /// The kind of what they wait for; their state, if they do not wait.
    pub(crate) waits_for: String,
    pub(crate) at: Option<String>,
}

/// How many tasks each place has.
pub(crate) type Counts = BTreeMap<Place, usize>;

/// The tasks of a place.
#[derive(Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) place: Place,
    pub(crate) tasks: usize,
    /// How many more than at the earlier look; `None` if there was none.
    pub(crate) change: Option<i64>,
    pub(crate) examples: Vec<u64>,
}

/// A place whose texts are those of a task.
type PlaceOf<'a> = (Option<&'a str>, &'a str, Option<&'a str>);

/// Returns the place of a task.
fn place(task: &Task) -> PlaceOf<'_> {
    let waits = task.waits_for.as_deref().filter(|_| task.state == "waiting");
    let at = task.at.as_deref().filter(|_| waits.is_some());
    (task.spawned_at.as_deref(), waits.unwrap_or(&task.state), at)
}

/// Returns the tasks of each place.
fn by_place(tasks: &[Task]) -> HashMap<PlaceOf<'_>, Vec<u64>> {
    let mut places = HashMap::<_, Vec<u64>>::new();
    for task in tasks {
        places.entry(place(task)).or_default().push(task.id);
    }
    places
}

fn owned((spawned_at, waits_for, at): PlaceOf<'_>) -> Place {
    let [spawned_at, at] = [spawned_at, at].map(|text| text.map(str::to_owned));
    Place { spawned_at, waits_for: waits_for.to_owned(), at }
}

/// Returns how many tasks each place has.
pub(crate) fn counts(tasks: &[Task]) -> Counts {
    by_place(tasks).into_iter().map(|(place, tasks)| (owned(place), tasks.len())).collect()
}

/// Returns the groups: first those that grew most since `before`, then the largest.
pub(crate) fn groups(tasks: &[Task], before: Option<&Counts>) -> Vec<Group> {
    let change = |now: usize, earlier: usize| now as i64 - earlier as i64;
    let group = |(place, mut ids): (PlaceOf<'_>, Vec<u64>)| {
        let tasks = ids.len();
        ids.truncate(EXAMPLES);
        let place = owned(place);
        (place.clone(), Group { place, tasks, change: None, examples: ids })
    };
    let mut groups: BTreeMap<Place, Group> = by_place(tasks).into_iter().map(group).collect();
    for (place, &earlier) in before.into_iter().flatten() {
        let gone = Group { place: place.clone(), tasks: 0, change: None, examples: Vec::new() };
        let group = groups.entry(place.clone()).or_insert(gone);
        group.change = Some(change(group.tasks, earlier));
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    for group in groups.iter_mut().filter(|group| before.is_some() && group.change.is_none()) {
        group.change = Some(change(group.tasks, 0));
    }
    groups.sort_by_key(|group| (-group.change.unwrap_or(0), usize::MAX - group.tasks));
    groups
}

impl Group {
    pub(crate) fn json(&self) -> Json<'_> {
        let change = self.change.map_or(Json::Null, |change| Json::Whole(change.into()));
        object([
            ("spawned_at", self.place.spawned_at.as_deref().into()),
            ("waits_for", self.place.waits_for.as_str().into()),
            ("at", self.place.at.as_deref().into()),
            ("tasks", (self.tasks as u64).into()),
            ("change", change),
            ("examples", Json::List(self.examples.iter().map(|&id| id.into()).collect())),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(places: &[(&str, usize)]) -> Vec<Task> {
        let task = |spawned_at: &str| Task {
            spawned_at: Some(spawned_at.into()),
            state: "waiting".into(),
            waits_for: Some("io".into()),
            at: Some("a.rs:9:9".into()),
            ..Task::default()
        };
        places.iter().flat_map(|(place, count)| vec![task(place); *count]).collect()
    }

    #[test]
    fn what_grew_most_is_first() {
        let before = counts(&tasks(&[("a", 9), ("b", 1), ("gone", 2)]));
        let now = tasks(&[("a", 9), ("b", 4), ("new", 2)]);
        let groups = groups(&now, Some(&before));
        let rows: Vec<_> = groups
            .iter()
            .map(|group| {
                (group.place.spawned_at.as_deref().unwrap(), group.tasks, group.change.unwrap())
            })
            .collect();
        assert_eq!(rows, [("b", 4, 3), ("new", 2, 2), ("a", 9, 0), ("gone", 0, -2)]);
    }

    #[test]
    fn without_an_earlier_look_the_largest_is_first() {
        let groups = groups(&tasks(&[("a", 1), ("b", 4)]), None);
        assert_eq!((groups[0].tasks, groups[0].change, groups[0].examples.len()), (4, None, 3));
        assert_eq!(groups[1].tasks, 1);
    }

    #[test]
    fn tasks_that_do_not_wait_have_no_place_of_waiting() {
        let mut task = tasks(&[("a", 1)]).remove(0);
        task.state = "ready".into();
        let place = place(&task);
        assert_eq!((place.1, place.2), ("ready", None));
    }
}
