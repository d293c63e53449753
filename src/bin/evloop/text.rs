//! Text for people: escaped names, columns, durations, counts.

use std::fmt::{self, Write};

/// Escapes what would change a terminal's state or the order of its text: control characters,
/// and the characters that direct the writing (bidi). Names come from the inspected program, which
/// may have taken them from its own clients.
pub(crate) fn escaped(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        let is_direction = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}');
        if c.is_control() || is_direction {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Most texts are: then there is nothing to escape, and each byte takes a column.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// How many columns of a terminal the text takes. An estimate: terminals differ.
pub(crate) fn width(text: &str) -> usize {
    if is_plain(text) {
        return text.len();
    }
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    match u32::from(c) {
        // Combining marks.
        0x300..=0x36f | 0x1ab0..=0x1aff | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        // East Asian characters and pictures.
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
        0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1f64f => 2,
        0x1f900..=0x1f9ff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Cuts the text to `columns`; the last one is then `…`.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let (mut short, mut used) = (String::new(), 1);
    for c in text.chars() {
        used += char_width(c);
        if used > columns {
            break;
        }
        short.push(c);
    }
    if columns > 0 {
        short.push('…');
    }
    short
}

/// How the cells of a column stand.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows of cells below a head, printed in columns. A program may have 100,000 tasks: the cells are
/// in one text, and are measured as they are added.
pub(crate) struct Table {
    head: Vec<(&'static str, Align)>,
    widths: Vec<usize>,
    text: String,
    /// The ends of the cells in the text, and their widths, row by row.
    cells: Vec<(usize, usize)>,
}

impl Table {
    /// A name that begins with `>` is that of a column of numbers, which stand on the right.
    pub(crate) fn new(head: &[&'static str]) -> Table {
        let column = |name: &&'static str| match name.strip_prefix('>') {
            Some(name) => (name, Align::Right),
            None => (*name, Align::Left),
        };
        let head: Vec<_> = head.iter().map(column).collect();
        let mut table = Table {
            widths: vec![0; head.len()],
            text: String::new(),
            cells: Vec::new(),
            head: head.clone(),
        };
        head.iter().for_each(|(name, _)| table.cell(name));
        table
    }

    /// Adds a row. Its cells are escaped.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.head.len());
        cells.iter().for_each(|cell| self.cell(cell));
    }

    /// Adds the next cell of a row, escaped.
    pub(crate) fn cell(&mut self, cell: &(impl fmt::Display + ?Sized)) {
        let begin = self.text.len();
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{cell}");
        let mut wide = self.text.len() - begin;
        if !is_plain(&self.text[begin..]) {
            let cell = escaped(&self.text[begin..]);
            self.text.replace_range(begin.., &cell);
            wide = width(&cell);
        }
        let column = self.cells.len() % self.head.len();
        self.widths[column] = self.widths[column].max(wide);
        self.cells.push((self.text.len(), wide));
    }

    /// Returns the lines, the head first, each cut to `columns`.
    pub(crate) fn lines(&self, columns: usize) -> impl Iterator<Item = String> {
        let mut begin = 0;
        self.cells.chunks(self.head.len()).map(move |cells| {
            let mut line = String::with_capacity(self.widths.iter().map(|wide| wide + 2).sum());
            for ((&(end, wide), widest), (_, align)) in
                cells.iter().zip(&self.widths).zip(&self.head)
            {
                let cell = &self.text[begin..end];
                begin = end;
                match align {
                    Align::Left => {
                        line += cell;
                        push_spaces(&mut line, widest - wide);
                    }
                    Align::Right => {
                        push_spaces(&mut line, widest - wide);
                        line += cell;
                    }
                }
                line += "  ";
            }
            line.truncate(line.trim_end_matches(' ').len());
            // A character has as many bytes as columns, or more.
            if line.len() > columns { cut(&line, columns) } else { line }
        })
    }
}

fn push_spaces(line: &mut String, mut count: usize) {
    const SPACES: &str = "                                ";
    while count > 0 {
        let some = count.min(SPACES.len());
        line.push_str(&SPACES[..some]);
        count -= some;
    }
}

/// A duration in milliseconds, written with two digits or more of precision: `250 µs`, `12.5 ms`,
/// `3.2 s`, `2 min 5 s`.
pub(crate) struct Millis(pub(crate) f64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0;
        let seconds = (ms / 1000.0).max(0.0) as u64;
        match ms {
            _ if ms < 1.0 => write!(f, "{:.0} µs", ms.max(0.0) * 1000.0),
            _ if ms < 100.0 => write!(f, "{ms:.1} ms"),
            _ if ms < 1000.0 => write!(f, "{ms:.0} ms"),
            _ if ms < 60_000.0 => write!(f, "{:.1} s", ms / 1000.0),
            _ if seconds < 3600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            _ if seconds < 86_400 => write!(f, "{} h {} min", seconds / 3600, seconds / 60 % 60),
            _ => write!(f, "{} d {} h", seconds / 86_400, seconds / 3600 % 24),
        }
    }
}

/// Returns the text of a duration in milliseconds.
pub(crate) fn duration(ms: f64) -> String {
    Millis(ms).to_string()
}

/// `1 task`, `2 tasks`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A share as a percentage: `31.0%`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(escaped("a\u{1b}[2Jb\r\n\t"), "a\\u{1b}[2Jb\\r\\n\\t");
        assert_eq!(escaped("\u{9b}1m \u{202e}x\u{7f}"), "\\u{9b}1m \\u{202e}x\\u{7f}");
        assert_eq!(escaped("é 日本 😀"), "é 日本 😀");
    }

    #[test]
    fn text_is_cut_to_columns() {
        assert_eq!((width("日本"), width("e\u{301}"), width("é")), (4, 1, 1));
        assert_eq!(
            (cut("abcd", 4), cut("abcd", 3), cut("a", 0)),
            ("abcd".into(), "ab…".into(), "".into())
        );
        assert_eq!(cut("日本語", 4), "日…");
    }

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&[">N", "NAME", "AT"]);
        table.row(["7".into(), "日本".into(), "x".into()]);
        table.row(["12".into(), "\n".into(), "".into()]);
        let lines = |columns| table.lines(columns).collect::<Vec<_>>();
        assert_eq!(lines(80), [" N  NAME  AT", " 7  日本  x", "12  \\n"]);
        assert_eq!(lines(5)[0], " N  …");
    }

    #[test]
    fn durations_have_units() {
        let texts = [0.0, 0.25, 12.5, 250.0, 3200.0, 125_000.0, 7_260_000.0, 90_000_000.0];
        let texts = texts.map(duration);
        let expected =
            ["0 µs", "250 µs", "12.5 ms", "250 ms", "3.2 s", "2 min 5 s", "2 h 1 min", "1 d 1 h"];
        assert_eq!(texts, expected);
    }
}
