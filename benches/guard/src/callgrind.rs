//! Reads what callgrind has counted.
//!
//! One run under callgrind gives all three figures. Instructions are its sum; allocations are the
//! calls of the allocator's entrances; system calls are counted by `--collect-systime`, by function.
//! The format is described in valgrind's manual, "Callgrind Format Specification".

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write;

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

/// What a file of callgrind says.
#[derive(Debug, Default)]
pub(crate) struct Profile<'a> {
    pub(crate) counts: Counts,
    /// How often a function has called another.
    calls: HashMap<(&'a str, &'a str), u64>,
}

/// Reads a file of callgrind.
pub(crate) fn read(text: &str) -> Result<Profile<'_>, String> {
    let mut columns: Vec<&str> = Vec::new();
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut counts = Counts::default();
    let mut edges: HashMap<(&str, &str), u64> = HashMap::new();
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
            let calls = number(calls.split_whitespace().next(), line)?;
            // An entrance may lead to another: a realloc of nothing is a malloc.
            if is_allocator(called) && !is_allocator(current) {
                counts.allocations += calls;
            }
            *edges.entry((current, called)).or_default() += calls;
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
    Ok(Profile { counts, calls: edges })
}

impl Profile<'_> {
    /// Who has allocated, and who has called those, most calls first; by message, of so many. What
    /// is less than a thousandth is left out.
    pub(crate) fn allocations(&self, messages: usize) -> String {
        let mut text = String::new();
        let share = |calls: u64| calls as f64 / messages as f64;
        let allocating = self.callers(is_allocator);
        for (function, calls) in allocating {
            if is_allocator(function) || share(calls) < 0.001 {
                continue;
            }
            let _ = writeln!(text, "{:8.3} {function}", share(calls));
            for (caller, calls) in self.callers(|callee| callee == function) {
                if share(calls) >= 0.001 {
                    let _ = writeln!(text, "         {:8.3} {caller}", share(calls));
                }
            }
        }
        text
    }

    fn callers(&self, called: impl Fn(&str) -> bool) -> Vec<(&str, u64)> {
        let mut callers: HashMap<&str, u64> = HashMap::new();
        for ((caller, callee), calls) in &self.calls {
            if called(callee) {
                *callers.entry(caller).or_default() += calls;
            }
        }
        let mut callers: Vec<(&str, u64)> = callers.into_iter().collect();
        callers.sort_by_key(|(name, calls)| (Reverse(*calls), *name));
        callers
    }
}

fn is_allocator(function: &str) -> bool {
    ALLOCATORS.contains(&entrance(function))
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

fn=(5) grow
-2 80
cfn=(6) realloc'2
calls=1 9
+1 40

fn=(6)
9 20
cfn=(2)
calls=1 40
40 20
totals: 330 4 100
";

    #[test]
    fn entrances_of_the_allocator_are_counted_and_clocks_are_no_system_calls() {
        let profile = read(FILE).expect("a file of callgrind");
        let expected = Counts { instructions: 330, allocations: 4, system_calls: 2 };
        assert_eq!(profile.counts, expected);
    }

    #[test]
    fn who_allocates_is_told_by_message() {
        let profile = read(FILE).expect("a file of callgrind");
        assert_eq!(profile.allocations(2), "   1.500 midge::turn\n   0.500 grow\n");
    }

    #[test]
    fn an_allocator_of_an_unknown_name_is_told_rather_than_counted_as_none() {
        let error = read(&FILE.replace("alloc", "grab")).expect_err("nothing to count");
        assert!(error.contains("allocator"), "{error}");
    }

    #[test]
    fn a_file_without_system_calls_is_told() {
        let error = read(&FILE.replace("sysCount", "Dr")).expect_err("nothing to count");
        assert!(error.contains("sysCount"), "{error}");
    }
}
