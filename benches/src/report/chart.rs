//! Horizontal bars by load and broker, as an SVG of its own.
//!
//! Colours are such that they can be read on a light and on a dark page; every bar has its figure.

use super::table::{Table, cell};

const WIDTH: f64 = 800.0;
/// Where bars begin, and where the longest ends.
const LEFT: f64 = 160.0;
const RIGHT: f64 = 710.0;
const BAR: f64 = 14.0;
const LINE: f64 = 18.0;
const HEAD: f64 = 34.0;
const GROUP_HEAD: f64 = 24.0;
const SUBJECT: &str = "#1f77d0";
const OTHER: &str = "#9aa7b4";
const TEXT: &str = "#768390";

/// The bars of one load.
pub(super) struct Group {
    pub(super) load: String,
    /// Broker and figure, the first broker's first.
    pub(super) bars: Vec<(String, f64)>,
}

/// The charts of one value of a table: loads that begin alike, up to the first comma, share one.
pub(super) fn charts(table: &Table, value: usize) -> Vec<(String, Vec<Group>)> {
    let mut charts: Vec<(String, Vec<Group>)> = Vec::new();
    for row in &table.rows {
        let Some(figure) = row.median(value) else { continue };
        let title = row.load.split(',').next().unwrap_or_default();
        if !charts.iter().any(|(known, _)| known == title) {
            charts.push((title.to_owned(), Vec::new()));
        }
        let Some((_, groups)) = charts.iter_mut().find(|(known, _)| known == title) else {
            continue;
        };
        let load = row.load.strip_prefix(title).unwrap_or_default().trim_start_matches([',', ' ']);
        match groups.iter_mut().find(|group| group.load == load) {
            Some(group) => group.bars.push((row.broker.clone(), figure)),
            None => groups
                .push(Group { load: load.to_owned(), bars: vec![(row.broker.clone(), figure)] }),
        }
    }
    charts
}

/// One chart; all bars have the same scale.
pub(super) fn svg(title: &str, unit: &str, digits: usize, groups: &[Group]) -> String {
    let bars = || groups.iter().flat_map(|group| &group.bars);
    let most = bars().map(|(_, figure)| *figure).fold(f64::MIN_POSITIVE, f64::max);
    let heads = groups.iter().filter(|group| !group.load.is_empty()).count() as f64;
    let height = HEAD + heads * GROUP_HEAD + bars().count() as f64 * LINE + 10.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" font-family=\"sans-serif\" \
         font-size=\"12\" fill=\"{TEXT}\">\n<title>{title}: {unit}</title>\n\
         <text x=\"0\" y=\"18\" font-size=\"15\" font-weight=\"bold\">{title}</text>\n\
         <text x=\"{WIDTH}\" y=\"18\" text-anchor=\"end\">{unit}</text>\n",
        title = escaped(title),
        unit = escaped(unit),
    );
    let mut y = HEAD;
    for group in groups {
        if !group.load.is_empty() {
            y += GROUP_HEAD;
            let load = escaped(&group.load);
            out += &format!("<text x=\"0\" y=\"{}\" font-weight=\"bold\">{load}</text>\n", y - 8.0);
        }
        for (place, (broker, figure)) in group.bars.iter().enumerate() {
            let colour = if place == 0 { SUBJECT } else { OTHER };
            let length = (figure.max(0.0) / most * (RIGHT - LEFT)).max(1.0);
            let base = y + BAR - 3.0;
            out += &format!(
                "<text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{}</text>\
                 <rect x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\" \
                 fill=\"{colour}\"/><text x=\"{:.1}\" y=\"{base}\">{}</text>\n",
                LEFT - 8.0,
                escaped(broker),
                LEFT + length + 6.0,
                cell(Some(*figure), digits),
            );
            y += LINE;
        }
    }
    out + "</svg>\n"
}

/// A name of a file from any text: letters and digits, the rest becomes one hyphen.
pub(super) fn slug(text: &str) -> String {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-").to_lowercase()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Run;

    fn table() -> Table {
        let mut table = Table::new("saturated").median("cpu", "CPU µs", 2).chart("cpu");
        let runs = |value: f64| vec![Ok(Run::new([value]))];
        let brokers = |a, b| [("midge".to_owned(), runs(a)), ("a<b".to_owned(), runs(b))];
        table.add("pairs, QoS 0", brokers(1.0, 4.0));
        table.add("pairs, QoS 1", brokers(2.0, f64::NAN));
        table.add("idle", brokers(3.0, 3.0));
        table
    }

    #[test]
    fn loads_that_begin_alike_share_a_chart_and_what_was_not_measured_has_no_bar() {
        let charts = charts(&table(), 0);
        let shape: Vec<(&str, Vec<(&str, usize)>)> = charts
            .iter()
            .map(|(title, groups)| {
                let groups = groups.iter().map(|group| (group.load.as_str(), group.bars.len()));
                (title.as_str(), groups.collect())
            })
            .collect();
        assert_eq!(shape, [("pairs", vec![("QoS 0", 2), ("QoS 1", 1)]), ("idle", vec![("", 2)])]);
    }

    #[test]
    fn bars_are_as_long_as_their_figures_and_names_do_not_break_the_markup() {
        let (title, groups) = &charts(&table(), 0)[0];
        let text = svg(title, "CPU µs", 2, groups);
        let widths: Vec<f64> = text
            .split("<rect ")
            .skip(1)
            .map(|rect| rect.split("width=\"").nth(1).unwrap().split('"').next().unwrap())
            .map(|width| width.parse().unwrap())
            .collect();
        assert_eq!(widths, [137.5, 550.0, 275.0]);
        assert!(text.contains("a&lt;b") && !text.contains("a<b"));
        assert!(text.ends_with("</svg>\n"));
        assert_eq!(text.matches("<text").count(), text.matches("</text>").count());
    }

    #[test]
    fn file_names_are_plain() {
        assert_eq!(slug("fan-out 1→200, µs/message"), "fan-out-1-200-s-message");
    }
}
