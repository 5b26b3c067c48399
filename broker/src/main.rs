//! The program `midge`; all of it is in the library's `cli`.

fn main() -> std::process::ExitCode {
    midge::cli::main()
}
