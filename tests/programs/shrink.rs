//! Shortens a failing program.

use super::program::{Program, Script};

/// Removes steps, and replaces steps with their inner scripts, while the program still fails.
pub fn shrink(mut program: Program, mut fails: impl FnMut(&Program) -> bool) -> Program {
    let mut place = 0;
    loop {
        let mut is_shorter = false;
        for change in [Change::Remove, Change::Inline] {
            let mut candidate = program.clone();
            match edit(&mut candidate, place, change) {
                Edited::None => return program,
                Edited::Unchanged => continue,
                Edited::Shorter => {}
            }
            if fails(&candidate) {
                program = candidate;
                is_shorter = true;
                break;
            }
        }
        if is_shorter {
            place = 0;
        } else {
            place += 1;
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Change {
    Remove,
    Inline,
}

enum Edited {
    /// There is no such step.
    None,
    Unchanged,
    Shorter,
}

/// Changes the step at `place`, counted in the written order. Loops come first.
fn edit(program: &mut Program, mut place: usize, change: Change) -> Edited {
    if place < program.loops.len() {
        if change == Change::Inline || program.loops.len() == 1 {
            return Edited::Unchanged;
        }
        program.loops.remove(place);
        return Edited::Shorter;
    }
    place -= program.loops.len();
    for life in &mut program.loops {
        if let Some(edited) = edit_script(&mut life.root, &mut place, change) {
            return edited;
        }
    }
    Edited::None
}

fn edit_script(script: &mut Script, place: &mut usize, change: Change) -> Option<Edited> {
    for index in 0..script.len() {
        if *place == 0 {
            let mut step = script.remove(index);
            if change == Change::Inline {
                let inside: Script =
                    step.scripts_mut().into_iter().flat_map(std::mem::take).collect();
                if inside.is_empty() {
                    return Some(Edited::Unchanged);
                }
                script.splice(index..index, inside);
            }
            return Some(Edited::Shorter);
        }
        *place -= 1;
        for inner in script[index].scripts_mut() {
            if let Some(edited) = edit_script(inner, place, change) {
                return Some(edited);
            }
        }
    }
    None
}
