//! Searches for a byte. The search of std is slower for short texts, and its fast variant for long
//! ones is not public.

/// The number of bytes that are searched at once, by vector instructions.
const BLOCK: usize = 32;
const WORD: usize = 8;

/// The lowest bit, and the highest bit, of each byte of a word.
const LOW: u64 = u64::from_ne_bytes([1; WORD]);
const HIGH: u64 = LOW << 7;

/// Returns the position of the first `byte`. Most often it is near: the first block is searched
/// word by word.
#[inline]
pub(crate) fn find_byte(bytes: &[u8], byte: u8) -> Option<usize> {
    let Some((first, rest)) = bytes.split_at_checked(BLOCK) else {
        return find_by_words(bytes, byte);
    };
    find_by_words(first, byte).or_else(|| find_by_blocks(rest, byte).map(|found| BLOCK + found))
}

/// Does the same for a byte that is far, block by block.
fn find_by_blocks(bytes: &[u8], byte: u8) -> Option<usize> {
    let mut blocks = bytes.chunks_exact(BLOCK);
    // No early end within a block: so the compiler uses vector instructions.
    let has_byte = |block: &&[u8]| block.iter().fold(false, |found, &it| found | (it == byte));
    let passed = blocks.by_ref().take_while(|block| !has_byte(block)).count() * BLOCK;
    find_by_words(&bytes[passed..], byte).map(|found| passed + found)
}

/// Does the same for a byte that is near, word by word.
#[inline]
fn find_by_words(bytes: &[u8], byte: u8) -> Option<usize> {
    let sought = LOW * u64::from(byte);
    let mut words = bytes.chunks_exact(WORD);
    let mut passed = 0;
    for word in &mut words {
        let word = u64::from_le_bytes(word.try_into().expect("a word")) ^ sought;
        // The lowest bit that is set belongs to the first byte that is zero.
        let zeros = word.wrapping_sub(LOW) & !word & HIGH;
        if zeros != 0 {
            return Some(passed + zeros.trailing_zeros() as usize / 8);
        }
        passed += WORD;
    }
    let last = words.remainder().iter().position(|it| *it == byte);
    last.map(|found| passed + found)
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
