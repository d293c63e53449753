//! The attributes `#[evloop::main]` and `#[evloop::test]`. The crate `evloop` exports and documents
//! them, with its feature `macros`.

#![allow(missing_docs, reason = "evloop documents them, with examples that need evloop")]

mod error;
mod function;
mod options;

use proc_macro::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

use crate::error::Error;
use crate::function::Function;
use crate::options::Options;

#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    expand("main", options, item).unwrap_or_else(|error| {
        // A program without `main` would be a second error.
        let main = "fn main() {}".parse::<TokenStream>().expect("valid tokens");
        error.into_tokens().into_iter().chain(main).collect()
    })
}

#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    expand("test", options, item).unwrap_or_else(Error::into_tokens)
}

/// Returns a function that runs the async function `item`, which becomes an item inside of it.
fn expand(macro_name: &str, options: TokenStream, item: TokenStream) -> Result<TokenStream, Error> {
    let options = Options::parse(options)?;
    let function = Function::parse(macro_name, item)?;
    let mut tokens = TokenStream::new();
    if macro_name == "test" {
        tokens.extend(parse("#[::core::prelude::v1::test]", function.name.span()));
    }
    tokens.extend(function.attributes);
    tokens.extend(function.visibility);
    tokens.extend(function.signature.clone());
    let mut body = parse("async", function.name.span());
    body.extend(function.signature);
    body.extend([function.body]);
    body.extend(call(&function.name, options));
    tokens.extend([TokenTree::from(Group::new(Delimiter::Brace, body))]);
    Ok(tokens)
}

/// Returns the expression that runs the async function `name` on a new loop.
fn call(name: &Ident, options: Options) -> TokenStream {
    let run = if options.is_debug {
        "::Runtime::builder().debug(true).build()
            .expect(\"block_on could not make an event loop\").block_on"
    } else {
        "::block_on"
    };
    let mut future = TokenStream::from(TokenTree::from(name.clone()));
    future.extend(parse("()", name.span()));
    let mut tokens = options.path.unwrap_or_else(|| parse("::evloop", name.span()));
    tokens.extend(parse(run, name.span()));
    tokens.extend([TokenTree::from(Group::new(Delimiter::Parenthesis, future))]);
    tokens
}

/// Returns the tokens of `code`, which errors and panics report at `place`. Names in it are looked
/// up where the macro is used.
fn parse(code: &str, place: Span) -> TokenStream {
    let span = Span::call_site().located_at(place);
    let tokens: TokenStream = code.parse().expect("valid tokens");
    let mut moved = Vec::new();
    for mut token in tokens {
        token.set_span(span);
        moved.push(token);
    }
    moved.into_iter().collect()
}
