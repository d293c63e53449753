//! An error in the code that uses a macro.

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// A message, and the token that it is about.
pub(crate) struct Error {
    message: String,
    span: Span,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>, span: Span) -> Error {
        Error { message: message.into(), span }
    }

    /// Returns a call of `compile_error!` at the token.
    pub(crate) fn into_tokens(self) -> TokenStream {
        let message = TokenTree::from(Literal::string(&self.message));
        let colon = |spacing| TokenTree::from(Punct::new(':', spacing));
        let tokens = [
            colon(Spacing::Joint),
            colon(Spacing::Alone),
            Ident::new("core", self.span).into(),
            colon(Spacing::Joint),
            colon(Spacing::Alone),
            Ident::new("compile_error", self.span).into(),
            Punct::new('!', Spacing::Alone).into(),
            Group::new(Delimiter::Brace, message.into()).into(),
        ];
        let at_place = |mut token: TokenTree| {
            token.set_span(self.span);
            token
        };
        tokens.map(at_place).into_iter().collect()
    }
}
