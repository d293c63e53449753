//! monoio on its epoll driver.

use std::io;

use monoio::LegacyDriver as Driver;

mod adaptor;

fn main() -> io::Result<()> {
    adaptor::main()
}
