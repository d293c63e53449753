//! Text for people: escaped names, columns, durations, counts.

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

/// Rows of cells below a head, printed in columns.
pub(crate) struct Table {
    head: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A name that begins with `>` is that of a column of numbers, which stand on the right.
    pub(crate) fn new(head: &[&'static str]) -> Table {
        let column = |name: &&'static str| match name.strip_prefix('>') {
            Some(name) => (name, Align::Right),
            None => (*name, Align::Left),
        };
        Table { head: head.iter().map(column).collect(), rows: Vec::new() }
    }

    /// Adds a row. Its cells are escaped.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.head.len());
        let escape = |cell: String| if is_plain(&cell) { cell } else { escaped(&cell) };
        self.rows.push(cells.into_iter().map(escape).collect());
    }

    /// Returns the lines, the head first, each cut to `columns`.
    pub(crate) fn lines(&self, columns: usize) -> Vec<String> {
        let mut widths: Vec<usize> = self.head.iter().map(|(name, _)| width(name)).collect();
        for row in &self.rows {
            for (cell, wide) in row.iter().zip(&mut widths) {
                *wide = width(cell).max(*wide);
            }
        }
        let head: Vec<_> = self.head.iter().map(|(name, _)| (*name).to_owned()).collect();
        let line = |row: &Vec<String>| {
            let mut line = String::new();
            for ((cell, wide), (_, align)) in row.iter().zip(&widths).zip(&self.head) {
                let space = std::iter::repeat_n(' ', wide - width(cell));
                match align {
                    Align::Left => {
                        line += cell;
                        line.extend(space);
                    }
                    Align::Right => {
                        line.extend(space);
                        line += cell;
                    }
                }
                line += "  ";
            }
            line.truncate(line.trim_end().len());
            if width(&line) > columns { cut(&line, columns) } else { line }
        };
        [&head].into_iter().chain(&self.rows).map(line).collect()
    }
}

/// A duration with two digits or more of precision: `250 µs`, `12.5 ms`, `3.2 s`, `2 min 5 s`.
pub(crate) fn duration(ms: f64) -> String {
    let seconds = (ms / 1000.0).max(0.0) as u64;
    match ms {
        _ if ms < 1.0 => format!("{:.0} µs", ms.max(0.0) * 1000.0),
        _ if ms < 100.0 => format!("{ms:.1} ms"),
        _ if ms < 1000.0 => format!("{ms:.0} ms"),
        _ if ms < 60_000.0 => format!("{:.1} s", ms / 1000.0),
        _ if seconds < 3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ if seconds < 86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
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
        assert_eq!(table.lines(80), [" N  NAME  AT", " 7  日本  x", "12  \\n"]);
        assert_eq!(table.lines(5)[0], " N  …");
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
