# The commands of every day; `just` lists them.

_list:
    @just --list --unsorted

# Everything a commit must hold: format, tests, lints, dependencies, a short fuzz run.
check:
    .ci/run

# All tests; arguments go to `cargo test`, e.g. `just test -p midge-codec`.
test *arguments:
    tests/run {{ arguments }}

# The lints alone, as the check has them.
lint:
    cargo clippy --locked --workspace --all-targets -- -D warnings

# Format the sources.
fmt:
    cargo fmt --all

# Fuzz the codec, so many seconds a target.
fuzz seconds="60":
    broker/codec/fuzz/run {{ seconds }}

# Compare with the peers; arguments go to the load generator.
bench *arguments:
    benches/run {{ arguments }}

# The container image.
image tag="midge":
    docker build --tag {{ tag }} .
