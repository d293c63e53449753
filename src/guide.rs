//! How to write here what one would write elsewhere: nothing but documentation.

#[doc = include_str!("../docs/asyncio.md")]
pub mod asyncio {}

#[doc = include_str!("../docs/gevent.md")]
pub mod gevent {}
