//! Searches for separators.

use crate::io::find_byte;

/// The position of a separator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) begin: usize,
    pub(super) end: usize,
}

/// Returns the separator in `bytes[from..]` that ends first; of several with this end, the longest.
pub(super) fn find_any(bytes: &[u8], from: usize, separators: &[&[u8]]) -> Option<Found> {
    let mut first: Option<Found> = None;
    for separator in separators {
        // A separator that ends behind the first one belongs to a later piece.
        let end = first.map_or(bytes.len(), |first| first.end);
        let Some(begin) = find(&bytes[from..end], separator) else { continue };
        let found = Found { begin: from + begin, end: from + begin + separator.len() };
        if first.is_none_or(|first| (found.end, found.begin) < (first.end, first.begin)) {
            first = Some(found);
        }
    }
    first
}

/// Returns the position of the first `needle`, which must not be empty.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, rest) = needle.split_first()?;
    let mut from = 0;
    loop {
        let at = from + find_byte(&haystack[from..], *first)?;
        if haystack[at + 1..].starts_with(rest) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn find_any_prefers_the_first_end_and_then_the_longest_separator() {
        let found = |text: &str, from, separators: &[&str]| {
            let separators: Vec<_> = separators.iter().map(|text| text.as_bytes()).collect();
            find_any(text.as_bytes(), from, &separators).map(|found| (found.begin, found.end))
        };
        assert_eq!(found("ab\r\ncd\n", 0, &["\n"]), Some((3, 4)));
        assert_eq!(found("ab\r\ncd\n", 0, &["\n", "\r\n"]), Some((2, 4)));
        assert_eq!(found("ab\r\ncd\n", 4, &["\r\n", "\n"]), Some((6, 7)));
        assert_eq!(found("aaaab", 0, &["aab"]), Some((2, 5)));
        assert_eq!(found("abcde", 0, &["bcde", "cd"]), Some((2, 4)));
        assert_eq!(found("abc", 0, &["cd", "x"]), None);
        assert_eq!(found("", 0, &["x"]), None);
        assert_eq!(found("x", 1, &["x"]), None);
    }
}
