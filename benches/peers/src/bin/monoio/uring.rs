//! monoio on its io_uring driver.

use std::io;

use monoio::IoUringDriver as Driver;

mod adaptor;
mod servers;

fn main() -> io::Result<()> {
    if !monoio::utils::detect_uring() {
        return Err(io::Error::other("this kernel does not allow io_uring"));
    }
    adaptor::main()
}
