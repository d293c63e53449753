//! The function below an attribute.

use std::iter::Peekable;

use proc_macro::{Delimiter, Ident, Span, TokenStream, TokenTree, token_stream::IntoIter};

use crate::error::Error;

/// An async function without parameters.
pub(crate) struct Function {
    /// With the comments.
    pub(crate) attributes: TokenStream,
    pub(crate) visibility: TokenStream,
    /// From `fn` to the return type.
    pub(crate) signature: TokenStream,
    pub(crate) name: Ident,
    pub(crate) body: TokenTree,
}

type Tokens = Peekable<IntoIter>;

impl Function {
    pub(crate) fn parse(macro_name: &str, item: TokenStream) -> Result<Function, Error> {
        let mut tokens = item.into_iter().peekable();
        let attributes = parse_attributes(macro_name, &mut tokens)?;
        let visibility = parse_visibility(&mut tokens);
        expect(&mut tokens, "async", || format!("`#[evloop::{macro_name}]` is for an `async fn`"))?;
        let keyword = expect(&mut tokens, "fn", || {
            format!("`#[evloop::{macro_name}]` is for a function: `async fn`")
        })?;
        let name = match tokens.next() {
            Some(TokenTree::Ident(name)) => name,
            other => return Err(Error::new("a function has a name", span(other.as_ref()))),
        };
        let mut signature: TokenStream = [keyword, name.clone().into()].into_iter().collect();
        signature.extend([parse_parameters(&name, &mut tokens)?]);
        for token in tokens {
            match &token {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    let body = token;
                    return Ok(Function { attributes, visibility, signature, name, body });
                }
                TokenTree::Ident(word) if word.to_string() == "where" => {
                    return Err(Error::new(
                        format!("the function `{name}` cannot have a `where`"),
                        word.span(),
                    ));
                }
                _ => signature.extend([token]),
            }
        }
        Err(Error::new(format!("the function `{name}` has no body"), name.span()))
    }
}

fn parse_attributes(macro_name: &str, tokens: &mut Tokens) -> Result<TokenStream, Error> {
    let mut attributes = Vec::new();
    while let Some(hash) = tokens.next_if(|token| token.to_string() == "#") {
        attributes.push(hash);
        let attribute = tokens.next();
        let text = attribute.as_ref().map(ToString::to_string).unwrap_or_default();
        if macro_name == "test" && matches!(text.as_str(), "[test]" | "[core::prelude::v1::test]") {
            let message = "`#[evloop::test]` adds `#[test]` itself: remove this one";
            return Err(Error::new(message, span(attribute.as_ref())));
        }
        attributes.extend(attribute);
    }
    Ok(attributes.into_iter().collect())
}

/// Parses nothing, `pub` or `pub(…)`.
fn parse_visibility(tokens: &mut Tokens) -> TokenStream {
    let is_group = |token: &TokenTree| matches!(token, TokenTree::Group(_));
    let public = tokens.next_if(|token| token.to_string() == "pub");
    let scope = public.as_ref().and_then(|_| tokens.next_if(is_group));
    public.into_iter().chain(scope).collect()
}

/// Parses `()`.
fn parse_parameters(name: &Ident, tokens: &mut Tokens) -> Result<TokenTree, Error> {
    let token = tokens.next();
    let span = span(token.as_ref());
    match token {
        Some(TokenTree::Group(group)) if group.stream().is_empty() => Ok(group.into()),
        Some(TokenTree::Group(_)) => Err(Error::new(
            format!("the function `{name}` has no caller that could pass arguments"),
            span,
        )),
        _ => Err(Error::new(format!("the function `{name}` cannot be generic"), span)),
    }
}

/// Returns the next token if it is `word`, and an error at this token otherwise.
fn expect(
    tokens: &mut Tokens,
    word: &str,
    message: impl FnOnce() -> String,
) -> Result<TokenTree, Error> {
    match tokens.next() {
        Some(token) if token.to_string() == word => Ok(token),
        other => Err(Error::new(message(), span(other.as_ref()))),
    }
}

/// Returns the place of a token, or of the attribute if there is none.
fn span(token: Option<&TokenTree>) -> Span {
    token.map_or(Span::call_site(), TokenTree::span)
}
