//! monoio on its epoll driver.

use std::io;

use monoio::LegacyDriver as Driver;

mod adaptor;
mod servers;

fn main() -> io::Result<()> {
    adaptor::main()
}
