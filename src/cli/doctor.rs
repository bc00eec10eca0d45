//! `trackless doctor`: what stands between this machine and a download, one line a check.
//!
//! Invariant: every sentence says what was measured, never what was guessed; a guess is a hint. A
//! check that fails gives the command its exit code (the first one's), a warning gives none.

mod machine;
mod reach;

use serde::Serialize;

use super::exit::{ExitCode, Failure};
use super::format::{bytes, escape};
use super::network;
use super::plan::DoctorPlan;
use super::report::{Reporter, Style};

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// Nothing to do.
    Ok,
    /// Downloads work, some of them worse than they could.
    Warning,
    /// Something will not work.
    Failure,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Failure => "FAILURE",
        }
    }
}

/// The result of one check.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Finding {
    /// What was checked.
    name: &'static str,
    verdict: Verdict,
    /// What was measured.
    message: String,
    /// What to try.
    hint: Option<String>,
    /// How the command ends if this is the first failure.
    code: ExitCode,
}

impl Finding {
    fn ok(name: &'static str, message: impl Into<String>) -> Finding {
        Finding {
            name,
            verdict: Verdict::Ok,
            message: message.into(),
            hint: None,
            code: ExitCode::Ok,
        }
    }

    fn warning(name: &'static str, message: impl Into<String>) -> Finding {
        Finding {
            verdict: Verdict::Warning,
            ..Finding::ok(name, message)
        }
    }

    fn failure(name: &'static str, code: ExitCode, message: impl Into<String>) -> Finding {
        Finding {
            verdict: Verdict::Failure,
            code,
            ..Finding::ok(name, message)
        }
    }

    fn hint(self, hint: impl Into<String>) -> Finding {
        Finding {
            hint: Some(hint.into()),
            ..self
        }
    }
}

/// The event of a check.
#[derive(Serialize)]
struct Event<'a> {
    r#type: &'static str,
    name: &'a str,
    verdict: Verdict,
    message: &'a str,
    hint: Option<&'a str>,
}

/// What was found so far; each finding is told at once.
struct Chart<'a> {
    reporter: &'a mut Reporter,
    findings: Vec<Finding>,
}

impl Chart<'_> {
    fn add(&mut self, finding: Finding) {
        if self.reporter.style() == Style::Json {
            self.reporter.print_json(&Event {
                r#type: "check",
                name: finding.name,
                verdict: finding.verdict,
                message: &finding.message,
                hint: finding.hint.as_deref(),
            });
        } else {
            self.reporter.print(&lines(&finding));
        }
        self.findings.push(finding);
    }

    fn count(&self, verdict: Verdict) -> usize {
        let found = self.findings.iter();
        found.filter(|finding| finding.verdict == verdict).count()
    }
}

/// A finding for people; its hint stands below it.
fn lines(finding: &Finding) -> String {
    let (name, word) = (finding.name, finding.verdict.word());
    let mut text = format!("{word:<8} {name:<10} {}\n", escape(&finding.message));
    if let Some(hint) = &finding.hint {
        text += &format!("{:<19} hint: {}\n", "", escape(hint));
    }
    text
}

/// Runs it.
///
/// # Errors
/// That checks failed, with the code of the first.
pub(super) fn run(plan: DoctorPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let mut chart = Chart {
        reporter,
        findings: Vec::new(),
    };
    chart.add(machine::clock(std::time::SystemTime::now()));
    network::block_on(async {
        reach::examine(&plan, &mut chart).await;
        Ok(())
    })?;
    chart.add(machine::disk("disk", &plan.output));
    chart.add(machine::disk("state", &plan.network.state_dir));
    chart.add(machine::limits());
    budgets(&mut chart, machine::open_files());
    let (failures, warnings) = (chart.count(Verdict::Failure), chart.count(Verdict::Warning));
    let checks = chart.findings.len();
    if chart.reporter.style() == Style::Json {
        chart.reporter.print_json(&serde_json::json!({
            "type": "doctor", "checks": checks,
            "warnings": warnings, "failures": failures,
        }));
    }
    let first = chart
        .findings
        .iter()
        .find(|finding| finding.verdict == Verdict::Failure);
    match first {
        None => Ok(ExitCode::Ok),
        Some(first) => Err(Failure::new(
            first.code,
            format!("{failures} of {checks} checks failed, {} first", first.name),
        )),
    }
}

/// What peers and strangers may take of this machine at most: a line each for people, `budget` events for
/// programs.
fn budgets(chart: &mut Chart<'_>, files: Option<u64>) {
    let all = crate::budget::all(files);
    if chart.reporter.style() == Style::Json {
        for budget in all {
            chart.reporter.print_json(&serde_json::json!({
                "type": "budget", "name": budget.name,
                "limit": budget.limit, "unit": budget.unit,
            }));
        }
        return;
    }
    let mut text = "budgets: what peers may take at most\n".to_owned();
    for budget in all {
        let name = budget.name.replace('_', " ");
        let limit = if budget.unit.contains("bytes") {
            bytes(budget.limit)
        } else {
            budget.limit.to_string()
        };
        let unit = budget.unit.trim_start_matches("bytes").trim_start();
        text += format!("         {name:<24} {limit} {unit}").trim_end();
        text.push('\n');
    }
    chart.reporter.print(&text);
}

#[cfg(test)]
mod tests;
