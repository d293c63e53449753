//! Searches for a byte. The search of std is slower for short texts, and its fast variant for long
//! ones is not public.

/// The number of bytes that are searched at once, by vector instructions.
const BLOCK: usize = 32;
const WORD: usize = 8;

/// The lowest bit, and the highest bit, of each byte of a word.
const LOW: u64 = u64::from_ne_bytes([1; WORD]);
const HIGH: u64 = LOW << 7;

/// Returns the position of the first `byte`. Most often it is near: the calling function searches
/// the first word.
#[inline]
pub(crate) fn find_byte(bytes: &[u8], byte: u8) -> Option<usize> {
    match bytes.first_chunk() {
        Some(first) => find_in_word(first, byte).or_else(|| find_behind(bytes, byte)),
        None => bytes.iter().position(|it| *it == byte),
    }
}

/// Does the same for a byte that is not in the first word: searches the first block word by word,
/// and then block by block.
#[inline(never)]
fn find_behind(bytes: &[u8], byte: u8) -> Option<usize> {
    let near = bytes.len().min(BLOCK);
    let found = find_by_words(&bytes[..near], WORD, byte);
    found.or_else(|| find_by_blocks(bytes, near, byte))
}

/// Searches `bytes[from..]`.
fn find_by_blocks(bytes: &[u8], from: usize, byte: u8) -> Option<usize> {
    // No early end within a block: so the compiler uses vector instructions.
    let has_byte = |block: &[u8]| block.iter().fold(false, |found, &it| found | (it == byte));
    let mut passed = from;
    for block in bytes[from..].chunks_exact(BLOCK) {
        if has_byte(block) {
            break;
        }
        passed += BLOCK;
    }
    find_by_words(bytes, passed, byte)
}

/// Does the same word by word.
#[inline]
fn find_by_words(bytes: &[u8], from: usize, byte: u8) -> Option<usize> {
    let mut words = bytes[from..].chunks_exact(WORD);
    let mut passed = from;
    for word in &mut words {
        if let Some(found) = find_in_word(word.try_into().expect("a word"), byte) {
            return Some(passed + found);
        }
        passed += WORD;
    }
    let last = words.remainder().iter().position(|it| *it == byte);
    last.map(|found| passed + found)
}

#[inline]
fn find_in_word(word: &[u8; WORD], byte: u8) -> Option<usize> {
    let word = u64::from_le_bytes(*word) ^ (LOW * u64::from(byte));
    // The lowest bit that is set belongs to the first byte that is zero.
    let zeros = word.wrapping_sub(LOW) & !word & HIGH;
    (zeros != 0).then(|| zeros.trailing_zeros() as usize / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_is_found_at_each_position_of_each_length() {
        for len in 0..150 {
            for fill in [0, b'\t', b'\x0b', 0x8a, 0xff] {
                let mut bytes = vec![fill; len];
                assert_eq!(find_byte(&bytes, b'\n'), None);
                for at in (0..len).rev() {
                    bytes[at] = b'\n';
                    assert_eq!(find_byte(&bytes, b'\n'), Some(at), "{len} {fill}");
                }
            }
        }
    }
}
