//! What a chart keeps: small, the same each time, nothing that is not a number.

use super::super::axis::Format;
use super::*;

fn chart(count: usize) -> Chart {
    let curve = |slow: f64| -> Vec<(f64, f64)> {
        let at = |i: usize| (i as f64 + 0.5) / count as f64;
        (0..count)
            .map(|i| (0.4 * slow * libm::pow(at(i) / (1.0 - at(i)), 0.5), at(i)))
            .collect()
    };
    Chart {
        title: "Time to the first peer <and first byte>".into(),
        x: Axis::log("time").with(Format::Seconds),
        y: Axis::share("share of runs"),
        series: vec![
            Series::new("first peer, cached nodes", Style::Steps, curve(1.0)),
            Series::new("first peer, cold start", Style::Line, curve(4.0)),
            Series::new("first byte, cold start", Style::Points, curve(9.0)),
            Series::new(
                "what others measured in the live network",
                Style::Dashed,
                curve(20.0),
            ),
            Series::new("nothing", Style::Line, vec![(f64::NAN, 1.0), (-1.0, 0.5)]),
        ],
        notes: vec!["Made-up numbers.".into()],
    }
}

#[test]
fn a_chart_is_small_and_the_same_each_time() {
    let svg = chart(20_000).to_svg();
    assert!(svg.len() <= 40_960, "{} bytes", svg.len());
    assert_eq!(svg, chart(20_000).to_svg());
    assert!(!svg.contains("NaN"));
    assert!(svg.contains("&lt;and"));
}

#[test]
fn every_dot_is_drawn_unless_there_are_too_many() {
    let dots = |count| chart(count).to_svg().matches("<circle").count();
    // One more in the legend.
    assert_eq!(dots(40), 41);
    assert_eq!(dots(20_000), DOTS + 1);
}

#[test]
fn a_line_with_points_has_both() {
    let mut swept = chart(40);
    swept
        .series
        .iter_mut()
        .for_each(|s| s.style = Style::LinePoints);
    let svg = swept.to_svg();
    // Four curves of 40 points and five keys.
    assert_eq!(svg.matches("<circle").count(), 165);
    assert!(svg.matches("<polyline").count() >= 4);
    let mut many = chart(20_000);
    many.series
        .iter_mut()
        .for_each(|s| s.style = Style::LinePoints);
    assert!(many.to_svg().len() <= 40_960, "{}", many.to_svg().len());
}

#[test]
fn thinning_keeps_both_ends() {
    let points: Vec<_> = (0..1000).map(|i| (i, i)).collect();
    let thinned = thin(points, 10);
    assert_eq!(
        (thinned.len(), thinned[0], thinned[9]),
        (10, (0, 0), (999, 999))
    );
}

#[test]
fn series_of_one_name_share_a_colour_and_a_key() {
    let line = |name: &str, style, y: f64| Series::new(name, style, vec![(1.0, y), (2.0, y)]);
    let chart = Chart {
        title: String::new(),
        x: Axis::linear("x"),
        y: Axis::linear("y"),
        series: vec![
            line("ours", Style::Line, 1.0),
            line("theirs", Style::Line, 2.0),
            line("ours", Style::Dashed, 3.0),
        ],
        notes: Vec::new(),
    };
    assert_eq!(chart.hues(), [0, 1, 0]);
    let svg = chart.to_svg();
    assert_eq!(
        [svg.matches("ours").count(), svg.matches("theirs").count()],
        [1, 1]
    );
}
