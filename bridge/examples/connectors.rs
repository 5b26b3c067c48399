//! Prints the reference tables of `docs/connectors`: `connectors PAGE`, or the names of the pages.

use midge_bridge::connect::class;

fn main() {
    match std::env::args().nth(1) {
        Some(name) => print!("{}", class::page(&name).expect("the name of a page")),
        None => class::names().for_each(|name| println!("{name}")),
    }
}
