//! The texts of `--help`.

/// Returns the text of a command; that of the program for no command. `None`: no such command.
pub(crate) fn text(command: &str) -> Option<&'static str> {
    Some(match command {
        "" => PROGRAM,
        "ps" => PS,
        "pstree" => PSTREE,
        "top" => TOP,
        "trace" => TRACE,
        "web" => WEB,
        "status" => STATUS,
        _ => return None,
    })
}

const PROGRAM: &str = "\
Shows what the tasks of a running program do, from outside.

Usage: evloop COMMAND [ARGUMENTS]

Commands:
  ps                  the programs that can be asked
  ps PID              the tasks of a program
  ps PID --by-place   tasks grouped by where they were spawned and wait: finds leaks
  pstree PID          which task spawned which; --awaits: which waits for which
  top PID             the busiest tasks, live
  status PID          what each loop does, also if it is stuck
  trace PID SECONDS   records every poll, for Perfetto
  web PID             a page in a browser

`evloop COMMAND --help` describes one. `--json` prints JSON, one object a line.

A program can be asked if EVLOOP_INSPECT=1 was in its environment when it started, or if it uses
`Builder::inspect`. Only the same user can ask.

Exit status: 0 success, 1 failure, 2 wrong arguments.
";

const PS: &str = "\
Lists the programs that can be asked, or the tasks of one.

Usage: evloop ps [--json]
       evloop ps PID [--loop N] [--json]
       evloop ps PID --by-place [--every TIME] [--since FILE] [--loop N] [--json]

  --by-place     groups the tasks by where they were spawned, and where and for what they wait
  --every TIME   looks again and again, and shows how the groups have changed: `5s`, `500ms`
  --since FILE   shows the change since `evloop ps PID --json >FILE`
  --loop N       only the tasks of this loop
  --json         one object a line; without --by-place, as the program sends them

A group that only grows is a leak of tasks. Sockets that nobody listens at are removed.
";

const PSTREE: &str = "\
Shows tasks as a tree.

Usage: evloop pstree PID [--awaits] [--all] [--dot | --json] [--loop N]

  --awaits   below each task stand those that wait for it: for its end, or for a lock it holds.
             Otherwise, below each task stand those that it spawned
  --all      one line for each task. Otherwise, `3 × ` stands before tasks that are alike
  --dot      prints both as a graph for graphviz: `evloop pstree PID --dot | dot -Tsvg`
  --json     one object a line, in the order of the tree, with its depth
  --loop N   only the tasks of this loop

Tasks that wait for each other in a circle are named as a deadlock.
";

const TOP: &str = "\
Shows the tasks that keep the loops busy, live. `q` or Ctrl-C ends it.

Usage: evloop top PID [--every TIME] [-n COUNT] [--json]

  --every TIME   how long to watch for each page: `500ms`; 1 s by default
  -n COUNT       prints so many pages, one after the other
  --json         one object a task, the busiest first

A share is the part of the time in which the task was being polled, found by looking a thousand
times a second. If the output is no terminal, the pages follow each other.
";

const TRACE: &str = "\
Records every poll of every task for some seconds.

Usage: evloop trace PID SECONDS [-o FILE] [--json]

  -o FILE   where to write; `evloop-PID.json` by default
  --json    prints the number of events as JSON

The file is in Chrome's Trace Event Format: open it at https://ui.perfetto.dev. While it records,
the program reads the clock for each poll. What does not fit in its memory is counted.
";

const WEB: &str = "\
Serves a page about a program, on this machine only.

Usage: evloop web PID [--port PORT] [--ipv6] [--json]

  --port PORT   the port of 127.0.0.1; any free one by default
  --ipv6        listens at [::1] instead
  --json        prints the address as JSON

The address has a secret after its `#`. Without it, other users of the machine see nothing.
Ctrl-C ends it.
";

const STATUS: &str = "\
Shows what each loop of a program does. Asks its watching thread, so a stuck loop is seen, too.

Usage: evloop status PID [--json]

  --json   one object a line, as the program sends them
";
