//! The arguments of a command: options in any order, among the other words.

use std::collections::VecDeque;
use std::time::Duration;

use crate::failure::Failure;

/// The arguments that no one has taken yet.
pub(crate) struct Args {
    words: VecDeque<String>,
}

impl Args {
    /// Splits `--name=value` in two. After `--`, nothing is an option.
    pub(crate) fn new(words: impl IntoIterator<Item = String>) -> Args {
        let mut split = VecDeque::new();
        for word in words {
            match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => {
                    split.extend([name.to_owned(), value.to_owned()]);
                }
                _ => split.push_back(word),
            }
        }
        Args { words: split }
    }

    /// Takes the option, and returns whether it was there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        self.words.len() < before
    }

    /// Takes the option and the word after it.
    pub(crate) fn value(&mut self, name: &str) -> Result<Option<String>, Failure> {
        let Some(at) = self.words.iter().position(|word| word == name) else { return Ok(None) };
        self.words.remove(at);
        let value = self.words.remove(at);
        value.map(Some).ok_or_else(|| Failure::Usage(format!("{name} needs a value")))
    }

    /// Takes the option and the duration after it: `5s`, `500ms`, `2m`, or seconds.
    pub(crate) fn duration(&mut self, name: &str) -> Result<Option<Duration>, Failure> {
        self.value(name)?.map(|text| duration(name, &text)).transpose()
    }

    /// Takes the option and the number after it.
    pub(crate) fn number(&mut self, name: &str) -> Result<Option<u64>, Failure> {
        let Some(text) = self.value(name)? else { return Ok(None) };
        let wrong = |_| Failure::Usage(format!("{name} needs a number, not `{text}`"));
        text.parse().map(Some).map_err(wrong)
    }

    /// Takes the next word that is no option.
    pub(crate) fn word(&mut self) -> Option<String> {
        let at = self.words.iter().position(|word| !word.starts_with('-'))?;
        self.words.remove(at)
    }

    /// Takes the number of a process, if there is one.
    pub(crate) fn maybe_pid(&mut self) -> Result<Option<u32>, Failure> {
        let Some(word) = self.word() else { return Ok(None) };
        match word.parse() {
            Ok(pid) if pid > 0 => Ok(Some(pid)),
            _ => Err(Failure::Usage(format!("`{word}` is no number of a process"))),
        }
    }

    /// Takes the number of a process.
    pub(crate) fn pid(&mut self) -> Result<u32, Failure> {
        let missing = "the number of a process is missing: `evloop ps` lists those that listen";
        self.maybe_pid()?.ok_or_else(|| Failure::Usage(missing.into()))
    }

    /// Refuses what is left.
    pub(crate) fn end(self) -> Result<(), Failure> {
        match self.words.front() {
            None => Ok(()),
            Some(word) if word.starts_with('-') => {
                Err(Failure::Usage(format!("the option `{word}` is unknown")))
            }
            Some(word) => Err(Failure::Usage(format!("`{word}` is one argument too many"))),
        }
    }
}

/// Reads a duration; a number without a unit is in seconds.
pub(crate) fn duration(name: &str, text: &str) -> Result<Duration, Failure> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let scale = match unit {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => f64::NAN,
    };
    let seconds = number.parse().unwrap_or(f64::NAN) * scale;
    if seconds > 0.0 && seconds <= 86_400.0 {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err(Failure::Usage(format!("{name} needs a duration such as `5s` or `500ms`, not `{text}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(text: &str) -> Args {
        Args::new(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_stand_anywhere() {
        let mut args = args("--every 500ms 17 --json --since=a=b");
        assert_eq!(args.duration("--every"), Ok(Some(Duration::from_millis(500))));
        assert_eq!(args.value("--since"), Ok(Some("a=b".into())));
        assert!(args.flag("--json") && !args.flag("--json"));
        assert_eq!((args.pid(), args.end()), (Ok(17), Ok(())));
    }

    #[test]
    fn wrong_arguments_are_named() {
        let usage = |failure: Failure| match failure {
            Failure::Usage(sentence) => sentence,
            other => panic!("{other:?}"),
        };
        assert_eq!(usage(args("--x 1").end().unwrap_err()), "the option `--x` is unknown");
        assert_eq!(usage(args("1 2").end().unwrap_err()), "`1` is one argument too many");
        assert_eq!(usage(args("0").pid().unwrap_err()), "`0` is no number of a process");
        assert!(usage(args("").pid().unwrap_err()).contains("is missing"));
        assert_eq!(usage(args("-o").value("-o").unwrap_err()), "-o needs a value");
        for text in ["0", "-1", "1x", "", "1e9", "inf", "nan", "100000"] {
            assert!(usage(duration("--every", text).unwrap_err()).contains("such as"), "{text}");
        }
        assert_eq!(duration("", "1.5m"), Ok(Duration::from_secs(90)));
    }
}
