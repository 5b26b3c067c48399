//! Reads what callgrind has counted.
//!
//! One run under callgrind gives all three figures. Instructions are its sum; allocations are the
//! calls of the allocator's entrances; system calls are counted by `--collect-systime`, by function.
//! The format is described in valgrind's manual, "Callgrind Format Specification".

use std::collections::HashMap;

use crate::counts::Counts;

/// Where memory is asked for: in the C library and in the allocators that take its place. The
/// first of a call counts; what they call inside have other names.
const ALLOCATORS: &[&str] = &[
    "malloc",
    "calloc",
    "realloc",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "mi_malloc",
    "mi_malloc_aligned",
    "mi_zalloc",
    "mi_zalloc_aligned",
    "mi_realloc",
    "mi_realloc_aligned",
    "_rjem_malloc",
    "_rjem_mallocx",
    "_rjem_calloc",
    "_rjem_realloc",
    "_rjem_rallocx",
];

/// Reading the clock is a system call only under valgrind, which hides the vDSO.
const CLOCKS: &[&str] = &["clock_gettime", "__vdso_", "gettimeofday"];

/// The counts in a file of callgrind.
pub(crate) fn read(text: &str) -> Result<Counts, String> {
    let mut columns: Vec<&str> = Vec::new();
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut counts = Counts::default();
    let mut current = "";
    let mut called = "";
    // The line behind `calls=` is what the call cost in all; it is in the callee's own lines too.
    let mut inclusive = false;
    for line in text.lines() {
        if let Some(events) = line.strip_prefix("events: ") {
            columns = events.split_whitespace().collect();
        } else if let Some(name) = line.strip_prefix("fn=") {
            current = resolve(&mut names, name);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            called = resolve(&mut names, name);
        } else if let Some(calls) = line.strip_prefix("calls=") {
            if ALLOCATORS.contains(&entrance(called)) {
                counts.allocations += number(calls.split_whitespace().next(), line)?;
            }
            inclusive = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            if std::mem::take(&mut inclusive) {
                continue;
            }
            // Position, then a cost for each event; zeros at the end are left out.
            for (event, cost) in columns.iter().zip(line.split_whitespace().skip(1)) {
                let cost = number(Some(cost), line)?;
                match *event {
                    "Ir" => counts.instructions += cost,
                    "sysCount" if !CLOCKS.iter().any(|clock| current.starts_with(clock)) => {
                        counts.system_calls += cost;
                    }
                    _ => {}
                }
            }
        }
    }
    for event in ["Ir", "sysCount"] {
        if !columns.contains(&event) {
            return Err(format!("found the events {columns:?}, expected {event} among them"));
        }
    }
    // The start alone allocates thousands of times.
    if counts.allocations == 0 {
        return Err("no call of an allocator is there by a name known here".to_owned());
    }
    Ok(counts)
}

/// A name is written once, as `(12) name`, and is `(12)` from then on.
fn resolve<'a>(names: &mut HashMap<&'a str, &'a str>, written: &'a str) -> &'a str {
    match written.split_once(' ') {
        Some((number, name)) => {
            names.insert(number, name);
            name
        }
        None => names.get(written).copied().unwrap_or(written),
    }
}

/// The name without the version of its symbol and without callgrind's mark of a recursion.
fn entrance(name: &str) -> &str {
    let end = name.find(['@', '\'']).unwrap_or(name.len());
    &name[..end]
}

fn number(word: Option<&str>, line: &str) -> Result<u64, String> {
    let word = word.unwrap_or_default();
    word.parse().map_err(|_| format!("found {word:?} in {line:?}, expected a number"))
}

#[cfg(test)]
mod tests {
    use super::{Counts, read};

    const FILE: &str = "\
# callgrind format
positions: line
event: sysTime : sysTime (elapsed ms)
events: Ir sysCount sysTime
summary: 330 4 100

fl=(1) a.rs
fn=(1) midge::turn
12 100
+3 20
cfi=(2) malloc.c
cfn=(2) malloc
calls=3 40
* 60
cfn=(3) writev
calls=2 7
+1 40 2 90

fn=(2)
40 60

fn=(3)
7 40 2 90

fn=(4) clock_gettime@@GLIBC_2.17
9 10 2 10

fn=(5) realloc'2
-2 100
cfn=(2)
calls=1 40
40 20
totals: 330 4 100
";

    #[test]
    fn calls_of_the_allocator_are_counted_and_clocks_are_no_system_calls() {
        let counts = read(FILE).expect("a file of callgrind");
        assert_eq!(counts, Counts { instructions: 330, allocations: 4, system_calls: 2 });
    }

    #[test]
    fn an_allocator_of_an_unknown_name_is_told_rather_than_counted_as_none() {
        let error = read(&FILE.replace("malloc", "grab")).expect_err("nothing to count");
        assert!(error.contains("allocator"), "{error}");
    }

    #[test]
    fn a_file_without_system_calls_is_told() {
        let error = read(&FILE.replace("sysCount", "Dr")).expect_err("nothing to count");
        assert!(error.contains("sysCount"), "{error}");
    }
}
