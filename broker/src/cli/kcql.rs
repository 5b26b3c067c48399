//! `midge kcql`: what statements of KCQL do, in plain words, and what a sample becomes.
//!
//! Invariant: nothing is connected to and nothing is written but standard output; a sample goes the
//! way of the connectors' own code.

mod sample;

use std::fmt::Write as _;

use midge_rules::kcql::{Kcql, KcqlError, Line, Statement, Use, Warning};

use super::options::KcqlOptions;

/// The width of the column with what a line is about.
const LABEL: usize = 14;

/// Explains, or says everything that is wrong.
pub(super) fn run(options: &KcqlOptions) -> Result<(), String> {
    let (text, warnings) = explained(options)?;
    print!("{text}");
    for warning in warnings {
        eprintln!("Warning: {}", warning.drawn());
    }
    Ok(())
}

/// What is printed, and what is worth a word.
fn explained(options: &KcqlOptions) -> Result<(String, Vec<Warning>), String> {
    let kcql = Kcql::parse(&options.kcql).map_err(|error| error.drawn().to_string())?;
    let mut text = String::new();
    let mut warnings = kcql.warnings;
    let mut errors = Vec::new();
    let mut readers = Vec::new();
    for (index, statement) in kcql.statements.iter().enumerate() {
        let reader = options.reader.unwrap_or_else(|| statement.likely_use());
        readers.push(reader);
        match one(statement, reader, options) {
            Ok((lines, sample, more)) => {
                let number = index + 1;
                let _ = writeln!(text, "statement {number}, for {}", reader.named());
                write_lines(&mut text, "  ", &lines);
                if let Some(sample) = sample {
                    let _ = writeln!(text, "  the sample");
                    write_lines(&mut text, "    ", &sample);
                }
                warnings.extend(more);
            }
            Err(more) => errors.extend(more),
        }
    }
    if !errors.is_empty() {
        let errors: Vec<String> = errors.iter().map(|error| error.drawn().to_string()).collect();
        return Err(errors.join("\nError: "));
    }
    if options.message.is_some() && !readers.contains(&Use::Source) {
        return Err("--message is a sample for sources, and no statement is read as one".to_owned());
    }
    if options.record.is_some() && readers.iter().all(|reader| *reader == Use::Source) {
        return Err("--record is a sample for sinks, and no statement is read as one".to_owned());
    }
    if options.reader.is_none() {
        text.push_str("--as source, --as mqtt-sink or --as influx-sink reads it for another use\n");
    }
    Ok((text, warnings))
}

/// A statement's explanation, its sample, and what is worth a word.
type Explained = (Vec<Line>, Option<Vec<Line>>, Vec<Warning>);

fn one(
    statement: &Statement,
    reader: Use,
    options: &KcqlOptions,
) -> Result<Explained, Vec<KcqlError>> {
    match reader {
        Use::Source => {
            let (source, warnings) = statement.for_source()?;
            let message = options.message.as_ref();
            let sample = message.map(|message| sample::of_source(&source, message));
            Ok((source.explained(), sample, warnings))
        }
        Use::MqttSink => {
            let (sink, warnings) = statement.for_mqtt_sink()?;
            let record = options.record.as_ref();
            let sample = record.map(|record| sample::of_mqtt_sink(&sink, record));
            Ok((sink.explained(), sample, warnings))
        }
        Use::Influx => {
            let (sink, warnings) = statement.for_influx()?;
            let record = options.record.as_ref();
            let sample = record.map(|record| sample::of_influx_sink(&sink, record));
            Ok((sink.explained(), sample, warnings))
        }
    }
}

fn write_lines(text: &mut String, indent: &str, lines: &[Line]) {
    for (label, words) in lines {
        let _ = writeln!(text, "{indent}{label:LABEL$}{words}");
    }
}

#[cfg(test)]
mod tests;
