//! Tasks as a forest, by their parents or by what they wait for. The cycles in it are deadlocks.

use crate::snapshot::{On, Task};

/// Deeper nodes are drawn at this depth, with their depth in digits.
const DEPTH_DRAWN: usize = 40;

/// Finds a task of a snapshot by its loop and its number: those and the position, sorted.
pub(crate) struct Index(Vec<(u64, u64, usize)>);

/// A forest of tasks; a task is named by its position in the snapshot.
pub(crate) struct Forest {
    pub(crate) roots: Vec<usize>,
    pub(crate) children: Vec<Vec<usize>>,
}

/// A line of a drawn forest: what is left of the text, and the tasks that it stands for.
pub(crate) struct Branch {
    pub(crate) lines: String,
    pub(crate) depth: usize,
    pub(crate) tasks: Vec<usize>,
}

impl Index {
    pub(crate) fn new(tasks: &[Task]) -> Index {
        let entry = |(at, task): (usize, &Task)| (task.on_loop, task.id, at);
        let mut entries: Vec<_> = tasks.iter().enumerate().map(entry).collect();
        entries.sort();
        Index(entries)
    }

    fn find(&self, beside: &Task, id: u64) -> Option<usize> {
        let key = |&(on_loop, id, _): &(u64, u64, usize)| (on_loop, id);
        let found = self.0.binary_search_by_key(&(beside.on_loop, id), key);
        found.ok().map(|entry| self.0[entry].2)
    }

    /// Returns the task that spawned this one, if it still exists.
    pub(crate) fn parent(&self, task: &Task) -> Option<usize> {
        self.find(task, task.parent?)
    }

    /// Returns the tasks for whose end or whose lock this task waits.
    pub(crate) fn awaited(&self, task: &Task) -> Vec<usize> {
        let ids = match &task.on {
            _ if task.state != "waiting" => &[],
            On::Tasks(ids) | On::Lock(ids) => ids.as_slice(),
            _ => &[],
        };
        ids.iter().filter_map(|id| self.find(task, *id)).collect()
    }
}

impl Forest {
    /// `parents` has the parent of each task. In a cycle, the first task becomes a root.
    pub(crate) fn new(parents: &[Option<usize>]) -> Forest {
        let mut children = vec![Vec::new(); parents.len()];
        let mut forest = Forest { roots: Vec::new(), children: Vec::new() };
        let firsts = firsts_of_cycles(parents);
        for (at, parent) in parents.iter().enumerate() {
            match parent {
                Some(parent) if !firsts.contains(&at) => children[*parent].push(at),
                _ => forest.roots.push(at),
            }
        }
        forest.children = children;
        forest
    }

    /// Returns the forest line by line. Neighbours without children for which `alike` is true are
    /// one line.
    pub(crate) fn draw(&self, alike: impl Fn(usize, usize) -> bool) -> Vec<Branch> {
        let mut drawn = Vec::new();
        // What is still to be drawn, the next one last: tasks, their depth, the lines before them.
        let mut open: Vec<(Vec<usize>, usize, String, bool)> = Vec::new();
        let push = |open: &mut Vec<_>, nodes: &[usize], depth: usize, lines: &str| {
            let groups = self.groups(nodes, &alike);
            let last = groups.len();
            for (at, group) in groups.into_iter().enumerate().rev() {
                open.push((group, depth, lines.to_owned(), at + 1 == last));
            }
        };
        push(&mut open, &self.roots, 0, "");
        while let Some((tasks, depth, before, is_last)) = open.pop() {
            let (lines, below) = match depth {
                0 => (String::new(), String::new()),
                _ if depth > DEPTH_DRAWN => (format!("{before}{depth}: "), before),
                _ if is_last => (format!("{before}└─ "), format!("{before}   ")),
                _ => (format!("{before}├─ "), format!("{before}│  ")),
            };
            push(&mut open, &self.children[tasks[0]], depth + 1, &below);
            drawn.push(Branch { lines, depth, tasks });
        }
        drawn
    }

    fn groups(&self, nodes: &[usize], alike: impl Fn(usize, usize) -> bool) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let is_leaf = |node: usize| self.children[node].is_empty();
        for &node in nodes {
            match groups.last_mut() {
                Some(group) if is_leaf(node) && is_leaf(group[0]) && alike(group[0], node) => {
                    group.push(node);
                }
                _ => groups.push(vec![node]),
            }
        }
        groups
    }
}

/// Returns the first task of each cycle of parents.
fn firsts_of_cycles(parents: &[Option<usize>]) -> Vec<usize> {
    let mut firsts = Vec::new();
    // From which task the walk upwards came that has first met this one.
    let mut met_from = vec![usize::MAX; parents.len()];
    for start in 0..parents.len() {
        let mut at = Some(start);
        while let Some(above) = at.filter(|&at| met_from[at] == usize::MAX) {
            met_from[above] = start;
            at = parents[above];
        }
        let Some(first) = at.filter(|&at| met_from[at] == start) else { continue };
        let around = std::iter::successors(parents[first], |&at| parents[at]);
        let others = around.take_while(|&at| at != first);
        firsts.extend(others.chain([first]).min());
    }
    firsts
}

/// Returns the cycles of tasks that wait for each other. Each waits for all that it awaits, and for
/// nothing else, so none can go on.
pub(crate) fn deadlocks(tasks: &[Task], index: &Index) -> Vec<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        OnPath,
        Done,
    }
    // A task that something else may wake is in no deadlock.
    let needed = |at: usize| match tasks[at].is_on_alone {
        true => index.awaited(&tasks[at]),
        false => Vec::new(),
    };
    let (mut marks, mut cycles) = (vec![Mark::New; tasks.len()], Vec::new());
    for start in 0..tasks.len() {
        if marks[start] != Mark::New {
            continue;
        }
        marks[start] = Mark::OnPath;
        let mut path = vec![(start, needed(start))];
        while let Some((at, next)) = path.last_mut() {
            let Some(to) = next.pop() else {
                marks[*at] = Mark::Done;
                path.pop();
                continue;
            };
            match marks[to] {
                Mark::New => {
                    marks[to] = Mark::OnPath;
                    path.push((to, needed(to)));
                }
                Mark::OnPath => {
                    let cycle = path.iter().map(|(at, _)| *at).skip_while(|at| *at != to);
                    cycles.push(cycle.collect());
                }
                Mark::Done => {}
            }
        }
    }
    cycles
}

/// `deadlock: task 3 a waits for lock held by task 4 at src/x.rs:1:2; task 4 …`
pub(crate) fn deadlock_in_words(tasks: &[Task], cycle: &[usize]) -> String {
    let step = |&at: &usize| {
        let task = &tasks[at];
        let place = task.at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
        format!("task {} waits for {}{place}", task.title(), task.wait_in_words())
    };
    let steps: Vec<_> = cycle.iter().map(step).collect();
    format!("deadlock of {}: {}", crate::text::count(cycle.len(), "task"), steps.join("; "))
}

#[cfg(test)]
#[path = "forest_tests.rs"]
mod tests;
