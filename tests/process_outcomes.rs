//! Commands that fail to start or end with an error, and outputs that share a pipe.

#![cfg(all(unix, feature = "process"))]

use std::future::Future;
use std::io;
use std::time::Duration;

use evloop::process::{Command, ExitError, Stdio};
use evloop::signal::SignalKind;
use evloop::time::timeout;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("the test hangs") })
}

#[test]
fn check_output_returns_the_status_and_the_end_of_stderr() {
    run(async {
        let output = Command::shell("echo out; echo err >&2").check_output().await.unwrap();
        assert_eq!((&*output.stdout, &*output.stderr), (&b"out\n"[..], &b"err\n"[..]));

        let error =
            Command::shell("echo out; echo err >&2; exit 3").check_output().await.unwrap_err();
        assert_eq!(error.to_string(), "\"/bin/sh\" failed with exit status: 3: err");
        let exit = ExitError::of(&error).unwrap();
        assert_eq!((exit.program().to_str(), exit.status().code()), (Some("/bin/sh"), Some(3)));
        assert_eq!(exit.output().stdout, b"out\n");

        let long = "i=0; while [ $i -lt 300 ]; do echo line $i >&2; i=$((i+1)); done; kill -9 $$";
        let message = Command::shell(long).check_output().await.unwrap_err().to_string();
        assert!(message.starts_with("\"/bin/sh\" failed with signal: 9"), "{message}");
        assert!(message.ends_with("line 298\nline 299"), "{message}");
        assert!(message.contains(": …") && message.len() < 1200, "{message}");

        Command::new("true").check_status().await.unwrap();
        let error = Command::new("false").check_status().await.unwrap_err();
        assert_eq!(error.to_string(), "\"false\" failed with exit status: 1");
        let error = Command::new("no-such-program").check_status().await.unwrap_err();
        assert!(ExitError::of(&error).is_none());
    });
}

#[test]
fn stderr_and_stdout_share_a_pipe_in_the_order_of_the_writes() {
    run(async {
        let line = "for i in 1 2 3; do echo out $i; echo err $i >&2; done";
        let expected = b"out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n";
        let mut command = Command::shell(line);
        command.stderr_to_stdout();
        // The command closes its ends of the pipe each time, so it can be started again.
        for _ in 0..2 {
            let output = command.output().await.unwrap();
            assert_eq!((&*output.stdout, &*output.stderr), (&expected[..], &b""[..]));
        }
        let mut child = command.spawn_async().await.unwrap();
        assert!(child.stderr.is_none());
        assert_eq!(child.output().await.unwrap().stdout, expected);
        let mut child = command.spawn().unwrap();
        assert_eq!(child.output().await.unwrap().stdout, expected);
        // A later setting ends the merge, and the other output is piped alone.
        let output = command.stderr(Stdio::null()).output().await.unwrap();
        assert_eq!(output.stdout, b"out 1\nout 2\nout 3\n");
    });
}

#[test]
fn a_program_that_is_not_found_says_where_it_was_looked_for() {
    run(async {
        let error = Command::new("no-such-program").spawn().unwrap_err();
        assert!(error.to_string().ends_with(" (no folder of PATH has it)"), "{error}");
        let error = Command::new("ls -l").spawn().unwrap_err();
        assert!(error.to_string().ends_with("and Command::shell runs a line)"), "{error}");
        let error = Command::new("/").spawn().unwrap_err();
        assert!(error.to_string().ends_with(" (it is a folder)"), "{error}");
        let error = Command::new("/etc/passwd").spawn().unwrap_err();
        assert!(error.to_string().contains("chmod +x"), "{error}");
    });
}

#[test]
fn a_signal_to_the_group_reaches_what_a_child_has_left_behind() {
    run(async {
        let mut command = Command::shell("sleep 1000 & exit 3");
        let mut child = command.stdout(Stdio::piped()).process_group(0).spawn()?;
        assert_eq!(child.wait().await?.code(), Some(3));
        child.send_signal_to_group(SignalKind::kill())?;
        // The pipe ends only when the process that was left behind has closed it.
        assert_eq!(child.stdout.take().unwrap().read(&mut [0]).await?, 0);

        let mut child = Command::new("sleep").arg("1000").kill_on_drop(true).spawn()?;
        let error = child.send_signal_to_group(SignalKind::kill()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("start it with Command::process_group(0)"), "{error}");
        child.kill()?;
        child.wait().await?;
        child.send_signal_to_group(SignalKind::kill())
    })
    .unwrap();
}

#[test]
fn a_missing_working_directory_is_named_and_not_the_program() {
    run(async {
        let mut command = Command::new("true");
        command.current_dir("/no-such-folder");
        let expected = "could not start \"true\": the working directory \"/no-such-folder\" is not \
                        a directory: No such file or directory (os error 2)";
        for error in [command.spawn().unwrap_err(), command.spawn_async().await.unwrap_err()] {
            assert_eq!(error.to_string(), expected);
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
        let mut command = Command::new("/no-such-program");
        let error = command.current_dir("/").spawn().unwrap_err();
        let expected = "could not start \"/no-such-program\": No such file";
        assert!(error.to_string().starts_with(expected), "{error}");
        assert_eq!(command.as_std().get_program(), "/no-such-program");
        assert_eq!(command.into_std().get_current_dir().unwrap().to_str(), Some("/"));
    });
}
