mod errors;
mod explained;
mod grammar;
mod uses;

use super::*;

/// What `text` means; it has to be right.
fn parsed(text: &str) -> Kcql {
    Kcql::parse(text).unwrap_or_else(|error| panic!("{}", error.drawn()))
}

/// The one statement of `text`.
fn one(text: &str) -> Statement {
    let mut statements = parsed(text).statements;
    assert_eq!(statements.len(), 1, "{text}");
    statements.remove(0)
}

/// The columns as they are understood, in words.
fn columns(statement: &Statement) -> Vec<String> {
    let columns = statement.selection.columns.iter();
    columns
        .map(|column| match &column.taken {
            Taken::AllOfValue(path) => format!("all of value {}", dotted(path)),
            Taken::AllOfKey(path) => format!("all of key {}", dotted(path)),
            Taken::One { field, name } => format!("{field} AS {name}"),
        })
        .collect()
}

fn path(text: &str) -> Vec<String> {
    text.split('.').map(str::to_owned).collect()
}
