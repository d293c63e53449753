//! Tests of the forest of tasks and of deadlocks.

use crate::forest::{Forest, Index, deadlock_in_words, deadlocks};
use crate::snapshot::{On, Task};

fn task(id: u64, on: On) -> Task {
    let is_on_alone = true;
    Task { on_loop: 1, id, state: "waiting".into(), on, is_on_alone, ..Task::default() }
}

fn drawn(parents: &[Option<usize>]) -> Vec<String> {
    let branches = Forest::new(parents).draw(|_, _| false);
    branches.iter().map(|branch| format!("{}{}", branch.lines, branch.tasks[0])).collect()
}

#[test]
fn a_forest_is_drawn() {
    let parents = [None, Some(0), Some(1), Some(0), None, Some(4)];
    assert_eq!(drawn(&parents), ["0", "├─ 1", "│  └─ 2", "└─ 3", "4", "└─ 5"]);
}

#[test]
fn leaves_that_are_alike_are_one_line() {
    let parents = [None, Some(0), Some(0), Some(0), Some(3), Some(0)];
    let branches = Forest::new(&parents).draw(|_, _| true);
    let tasks: Vec<_> = branches.into_iter().map(|branch| branch.tasks).collect();
    assert_eq!(tasks, [vec![0], vec![1, 2], vec![3], vec![4], vec![5]]);
}

#[test]
fn a_cycle_is_cut_at_its_first_task() {
    // 2 -> 1 -> 3 -> 2, and 0, 4 below them.
    assert_eq!(
        drawn(&[Some(3), Some(3), Some(1), Some(2), Some(2)]),
        ["1", "└─ 2", "   ├─ 3", "   │  └─ 0", "   └─ 4"]
    );
    assert_eq!(drawn(&[Some(0)]), ["0"]);
}

#[test]
fn a_chain_of_any_depth_is_drawn() {
    let parents: Vec<_> = (0..100_000_usize).map(|at| at.checked_sub(1)).collect();
    let lines = drawn(&parents);
    assert_eq!((lines.len(), lines[99_999].trim()), (100_000, "99999: 99999"));
    assert!(lines.iter().all(|line| line.len() < 200));
}

#[test]
fn cycles_of_joins_and_locks_are_deadlocks() {
    let tasks = [
        task(1, On::Tasks(vec![2])),
        task(2, On::Lock(vec![3])),
        task(3, On::Lock(vec![9, 4])),
        task(4, On::Tasks(vec![2])),
        task(5, On::Tasks(vec![5])),
        task(6, On::Tasks(vec![1])),
        task(7, On::DueMs(1.0)),
    ];
    let index = Index::new(&tasks);
    assert_eq!(deadlocks(&tasks, &index), [vec![1, 2, 3], vec![4]]);
    assert_eq!(
        deadlock_in_words(&tasks, &[1, 3]),
        "deadlock of 2 tasks: task 2 waits for lock held by task 3; task 4 waits for task 2"
    );
}

#[test]
fn a_task_that_runs_or_is_on_another_loop_is_in_no_deadlock() {
    let mut tasks = [task(1, On::Tasks(vec![2])), task(2, On::Tasks(vec![1]))];
    assert_eq!(deadlocks(&tasks, &Index::new(&tasks)).len(), 1);
    tasks[1].state = "ready".into();
    assert_eq!(deadlocks(&tasks, &Index::new(&tasks)).len(), 0);
    tasks[1].state = "waiting".into();
    tasks[1].is_on_alone = false;
    assert_eq!(deadlocks(&tasks, &Index::new(&tasks)).len(), 0, "something else may wake it");
    tasks[1].is_on_alone = true;
    tasks[1].on_loop = 2;
    assert_eq!(deadlocks(&tasks, &Index::new(&tasks)).len(), 0);
}
