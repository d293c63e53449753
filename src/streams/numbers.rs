//! Numbers in a stream: `read_u32`, `write_u32` and the like.

use std::io;

use super::reader::StreamReader;
use super::writer::StreamWriter;

/// Implements `read_…` and `write_…` for each type, in one order of bytes.
macro_rules! numbers {
    ($order:literal $from:ident $to:ident: $($type:ident $read:ident $write:ident),* $(,)?) => {
        /// Numbers in a stream.
        impl StreamReader {
            $(
                #[doc = concat!("Reads a `", stringify!($type), "`", $order, ".")]
                ///
                /// # Errors
                ///
                /// As [`read_exact`](StreamReader::read_exact).
                ///
                /// # Cancel safety
                ///
                /// Nothing is lost.
                pub async fn $read(&mut self) -> io::Result<$type> {
                    self.read_array().await.map($type::$from)
                }
            )*
        }

        /// Numbers in a stream.
        impl StreamWriter {
            $(
                #[doc = concat!(
                    "[Writes](StreamWriter::write) a `", stringify!($type), "`", $order, "."
                )]
                pub fn $write(&self, number: $type) {
                    self.write(number.$to());
                }
            )*
        }
    };
}

numbers!("" from_be_bytes to_be_bytes:
    u8 read_u8 write_u8,
    i8 read_i8 write_i8,
);

numbers!(" in big-endian order, that of the network" from_be_bytes to_be_bytes:
    u16 read_u16 write_u16,
    i16 read_i16 write_i16,
    u32 read_u32 write_u32,
    i32 read_i32 write_i32,
    u64 read_u64 write_u64,
    i64 read_i64 write_i64,
    u128 read_u128 write_u128,
    i128 read_i128 write_i128,
    f32 read_f32 write_f32,
    f64 read_f64 write_f64,
);

numbers!(" in little-endian order" from_le_bytes to_le_bytes:
    u16 read_u16_le write_u16_le,
    i16 read_i16_le write_i16_le,
    u32 read_u32_le write_u32_le,
    i32 read_i32_le write_i32_le,
    u64 read_u64_le write_u64_le,
    i64 read_i64_le write_i64_le,
    u128 read_u128_le write_u128_le,
    i128 read_i128_le write_i128_le,
    f32 read_f32_le write_f32_le,
    f64 read_f64_le write_f64_le,
);
