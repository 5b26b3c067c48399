//! Prints the reference tables of `docs/configuration.md`.

fn main() {
    print!("{}", midge_config::markdown());
}
