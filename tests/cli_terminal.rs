//! `evloop` on a terminal: colours, the live page of `top`, its keys, its size.

#![cfg(unix)]

mod fake_program;

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use fake_program::{Fake, header};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

const STATUS: &str = include_str!("fake_program/stuck.jsonl");
const PATIENCE: Duration = Duration::from_secs(60);

/// `evloop` on the inner side of a pseudo terminal, and what it has written so far.
struct Terminal {
    outer: File,
    child: Child,
    pieces: Receiver<String>,
    written: String,
}

impl Terminal {
    fn new(mut command: Command, columns: u16) -> Terminal {
        let outer = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&outer).unwrap();
        unlockpt(&outer).unwrap();
        let name = ptsname(&outer, Vec::new()).unwrap().into_string().unwrap();
        let inner = File::options().read(true).write(true).open(name).unwrap();
        let outer = File::from(outer);
        resize(&outer, columns);
        let output = inner.try_clone().unwrap();
        let child = command.stdin(inner).stdout(output).spawn().unwrap();
        drop(command); // It holds the inner side, too.
        let (sender, pieces) = mpsc::channel();
        let mut reader = outer.try_clone().unwrap();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Reading fails once the inner side is closed.
            while let Ok(len @ 1..) = reader.read(&mut bytes) {
                let _ = sender.send(String::from_utf8_lossy(&bytes[..len]).into_owned());
            }
        });
        Terminal { outer, child, pieces, written: String::new() }
    }

    /// Waits until this was written after what the last call waited for.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.written.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            let piece = self.pieces.recv_timeout(left);
            self.written += &piece.unwrap_or_else(|_| panic!("no {text:?} in {:?}", self.written));
        }
        let at = self.written.find(text).unwrap();
        self.written.drain(..at);
    }

    fn press(&mut self, keys: &str) {
        std::io::Write::write_all(&mut self.outer, keys.as_bytes()).unwrap();
    }

    fn status(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

/// A failed test leaves no process behind.
impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn resize(outer: &File, columns: u16) {
    let size = Winsize { ws_row: 12, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(outer, size).unwrap();
}

fn stuck() -> Fake {
    let task = "{\"loop\":1,\"task\":2,\"name\":\"resize\",\"state\":\"ready\",\"polls\":1}\n";
    let fake = Fake::new(&[("tasks", &task.repeat(50)), ("status", STATUS)]);
    let sample = header("sample")
        + "{\"loop\":1,\"busy_share\":1.0}\n{\"loop\":1,\"task\":2,\"busy_share\":1.0}\n";
    fake.answer("sample 1", &sample);
    fake
}

#[test]
fn a_stuck_loop_is_red() {
    let fake = stuck();
    let mut terminal = Terminal::new(fake.command("status PID"), 200);
    terminal.wait_for("\x1b[1;31mloop 1 main is stuck");
    assert_eq!(terminal.status(), Some(0));

    let mut command = fake.command("status PID");
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::new(command, 200);
    terminal.wait_for("\r\nloop 1 main is stuck");
    assert_eq!(terminal.status(), Some(0));
}

#[test]
fn top_fills_the_page_and_follows_its_size() {
    let fake = stuck();
    let mut terminal = Terminal::new(fake.command("top PID --every 1ms"), 60);
    terminal.wait_for("\x1b[?1049h");
    terminal.wait_for("100.0%");
    // A page has 12 lines, and begins with this.
    terminal.wait_for("\x1b[H");
    terminal.wait_for("\x1b[J");
    resize(&terminal.outer, 30);
    terminal.wait_for("is stuck in a tur…");
    terminal.press("xq");
    terminal.wait_for("\x1b[?25h\x1b[?1049l");
    assert_eq!(terminal.status(), Some(0));
}

#[test]
fn ctrl_c_ends_top_and_restores_the_terminal() {
    let fake = stuck();
    let mut terminal = Terminal::new(fake.command("top PID --every 1ms"), 80);
    terminal.wait_for("100.0%");
    terminal.press("\x03");
    terminal.wait_for("\x1b[?1049l");
    assert_eq!(terminal.status(), Some(0));
}

#[test]
fn signals_end_top_and_the_terminal_is_restored() {
    use rustix::process::{Pid, Signal, kill_process};
    use rustix::termios::{LocalModes, tcgetattr};

    for (signal, number) in [(Signal::TERM, 15), (Signal::HUP, 1), (Signal::INT, 2)] {
        let fake = stuck();
        let mut terminal = Terminal::new(fake.command("top PID --every 1ms"), 80);
        terminal.wait_for("100.0%");
        let modes = tcgetattr(&terminal.outer).unwrap().local_modes;
        assert!(!modes.contains(LocalModes::ECHO));
        kill_process(Pid::from_child(&terminal.child), signal).unwrap();
        terminal.wait_for("\x1b[?25h\x1b[?1049l");
        assert_eq!(terminal.status(), Some(128 + number));
        assert!(tcgetattr(&terminal.outer).unwrap().local_modes.contains(LocalModes::ECHO));
    }
}

#[test]
fn top_says_why_it_ends() {
    let fake = stuck();
    let mut command = fake.command("top PID --every 1ms");
    command.stderr(std::process::Stdio::piped());
    let mut terminal = Terminal::new(command, 80);
    terminal.wait_for("100.0%");
    fake.answer("sample 1", "");
    terminal.wait_for("\x1b[?1049l");
    assert_eq!(terminal.status(), Some(1));
    let mut sentence = String::new();
    terminal.child.stderr.take().unwrap().read_to_string(&mut sentence).unwrap();
    assert!(sentence.contains("closed the connection"), "{sentence}");
}
