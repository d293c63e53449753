//! The options in the parentheses of an attribute.

use proc_macro::{Span, TokenStream, TokenTree};

use crate::error::Error;

#[derive(Default)]
pub(crate) struct Options {
    /// `debug = true`: the loop runs in debug mode.
    pub(crate) is_debug: bool,
    /// `crate = path`: the path of the crate `evloop`.
    pub(crate) path: Option<TokenStream>,
}

impl Options {
    /// Parses `name = value, …`.
    pub(crate) fn parse(tokens: TokenStream) -> Result<Options, Error> {
        let (mut options, mut tokens) = (Options::default(), tokens.into_iter());
        while let Some(name) = tokens.next() {
            let known = name.to_string();
            if !matches!(known.as_str(), "debug" | "crate") {
                let message = format!(
                    "unknown option `{name}`: the options are `debug = true` and `crate = path`"
                );
                return Err(Error::new(message, name.span()));
            }
            let equals = tokens.next();
            if !equals.as_ref().is_some_and(|token| is_punct(token, '=')) {
                let span = equals.map_or(name.span(), |token| token.span());
                return Err(Error::new(format!("write `{name} = …`"), span));
            }
            let is_value = |token: &TokenTree| !is_punct(token, ',');
            let value: Vec<TokenTree> = tokens.by_ref().take_while(is_value).collect();
            match known.as_str() {
                "debug" => options.is_debug = parse_bool(&value, name.span())?,
                _ if value.is_empty() => {
                    return Err(Error::new("write `crate = path`, as in `::evloop`", name.span()));
                }
                _ => options.path = Some(value.into_iter().collect()),
            }
        }
        Ok(options)
    }
}

fn parse_bool(value: &[TokenTree], name: Span) -> Result<bool, Error> {
    let text: String = value.iter().map(ToString::to_string).collect();
    match text.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => {
            let span = value.first().map_or(name, TokenTree::span);
            Err(Error::new("`debug` is `true` or `false`", span))
        }
    }
}

fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}
