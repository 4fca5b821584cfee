//! Rust source as a flat list of tokens with their lines: comments and strings cannot be mistaken for code.

use crate::workspace::File;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A token; brackets are tokens of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

pub(crate) fn stream(file: &File) -> TokenStream {
    file.text.parse().unwrap_or_else(|error| panic!("{}: cannot be read as Rust: {error}", file.path))
}

pub(crate) fn tokens(file: &File) -> Vec<Token> {
    let mut tokens = Vec::new();
    flatten(stream(file), &mut tokens);
    tokens
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = brackets(&group);
                tokens.push(Token { text: open.into(), line });
                let end = group.span_close().end().line;
                flatten(group.stream(), tokens);
                tokens.push(Token { text: close.into(), line: end });
            }
            other => tokens.push(Token { text: other.to_string(), line }),
        }
    }
}

fn brackets(group: &Group) -> (&'static str, &'static str) {
    match group.delimiter() {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}

/// Where `pattern`, its tokens separated by blanks, begins.
pub(crate) fn find(tokens: &[Token], pattern: &str) -> Vec<usize> {
    let pattern: Vec<&str> = pattern.split(' ').collect();
    let matches = |window: &[Token]| window.iter().zip(&pattern).all(|(token, text)| token.text == *text);
    tokens
        .windows(pattern.len())
        .enumerate()
        .filter(|(_, window)| matches(window))
        .map(|(at, _)| at)
        .collect()
}

#[test]
fn strings_and_comments_are_not_code() {
    let file =
        File::new("a.rs", "// static\nconst A: &str = \"static X\";\n/// static\nfn f() {\n g::h();\n}\n");
    let tokens = tokens(&file);
    assert!(find(&tokens, "static").is_empty());
    let call = find(&tokens, "g : : h");
    assert_eq!(call.iter().map(|at| tokens[*at].line).collect::<Vec<_>>(), [5]);
    assert_eq!(tokens.last().map(|token| token.line), Some(6));
}
