//! One HTML page of many reports: contents, tables, charts, and the command that makes each again.
//!
//! Self-contained: no scripts, nothing fetched; all text is escaped. Knows no scenario.

use super::Report;
use super::table::escape;

const STYLE: &str = "body{max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b222b;\
background:#fff;font:16px/1.5 system-ui,sans-serif}h2{margin-top:3rem;border-top:1px solid #d8dee6;\
padding-top:1rem}table{border-collapse:collapse;margin:1rem 0;font-size:.9rem;\
font-variant-numeric:tabular-nums;display:block;overflow-x:auto}\
caption{text-align:left;font-weight:600;padding:.3rem 0}th,td{padding:.2rem .8rem .2rem 0;\
text-align:left;border-bottom:1px solid #e4e9ef}.n{text-align:right}\
code{background:#f1f4f7;padding:.1rem .3rem;border-radius:3px}.run{color:#5b6672;font-size:.85rem}\
figure{margin:1rem 0}svg{max-width:100%;height:auto;border-radius:6px}";

/// The page of these reports, in this order.
#[must_use]
pub fn page(title: &str, reports: &[Report]) -> String {
    let title = escape(title);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n<ol>\n"
    );
    for (i, report) in reports.iter().enumerate() {
        let (name, about) = (escape(report.scenario), escape(&report.about));
        html += &format!("<li><a href=\"#r{i}\">{name}</a>: {about}</li>\n");
    }
    html += "</ol>\n";
    for (i, report) in reports.iter().enumerate() {
        html += &section(i, report);
    }
    html + "</body></html>\n"
}

fn section(number: usize, report: &Report) -> String {
    let mut html = format!(
        "<h2 id=\"r{number}\">{}</h2>\n<p>{}</p>\n",
        escape(report.scenario),
        escape(&report.about)
    );
    if !report.findings.is_empty() {
        let finding = |text: &String| format!("<li>{}</li>\n", escape(text));
        let findings: String = report.findings.iter().map(finding).collect();
        html += &format!("<ul>\n{findings}</ul>\n");
    }
    for chart in &report.charts {
        html += &format!("<figure>{}</figure>\n", chart.to_svg());
    }
    for table in &report.tables {
        html += &table.to_html();
    }
    let (command, run) = (escape(&report.command()), escape(&report.run.to_string()));
    html + &format!("<p class=\"run\"><code>{command}</code><br>{run}</p>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_lists_what_it_holds_and_escapes_it() {
        let report = Report {
            scenario: "join",
            about: "a < b?".to_owned(),
            findings: vec!["b & c".to_owned()],
            ..Report::default()
        };
        let html = page("all", &[report.clone(), report]);
        assert_eq!(html.matches("<h2").count(), 2);
        assert!(html.contains("href=\"#r1\"") && html.contains("id=\"r1\""));
        assert!(html.contains("a &lt; b?") && html.contains("b &amp; c"));
        assert!(html.contains("<code>trackless-sim run join --seed 0</code>"));
        assert!(!html.contains("<script"));
    }
}
