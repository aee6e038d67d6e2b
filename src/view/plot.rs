//! The bounds over the coming days, drawn.

use std::error::Error;

use chrono::{DateTime, Utc};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::schedule::Changes;
use crate::domain::Bounds;

const WIDTH: u32 = 960;
/// Of the picture of one target.
const HEIGHT: u32 = 220;
const BETWEEN: RGBColor = RGBColor(158, 202, 225);
const BELOW: RGBColor = RGBColor(49, 130, 189);
/// Labels of the time axis that fit.
const MOST_LABELS: usize = 12;

/// Draws the minimum and the maximum of each target over time as SVG, one target below the other, by the clock of
/// the target's zone.
///
/// # Errors
/// A sentence when the drawing library fails, which is a fault of this program.
pub fn changes_svg(all: &[Changes]) -> Result<String, String> {
    let rows = u32::try_from(all.len().max(1)).unwrap_or(u32::MAX);
    let mut svg = String::new();
    {
        let size = (WIDTH, HEIGHT.saturating_mul(rows));
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let drawn = draw(&area, all).and_then(|()| area.present().map_err(Into::into));
        drawn.map_err(|error| format!("the picture could not be drawn: {error}"))?;
    }
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Outcome = Result<(), Box<dyn Error>>;

fn draw(area: &Area<'_>, all: &[Changes]) -> Outcome {
    area.fill(&WHITE)?;
    for (row, changes) in area.split_evenly((all.len().max(1), 1)).iter().zip(all) {
        draw_target(row, changes)?;
    }
    Ok(())
}

fn draw_target(area: &Area<'_>, changes: &Changes) -> Outcome {
    let end = changes.until.or(changes.changes.last().map(|c| c.at));
    let end = end.unwrap_or(changes.after);
    let seconds = |at: DateTime<Utc>| at.signed_duration_since(changes.after).num_seconds();
    let steps = steps(changes);
    let most = steps.iter().map(|(_, bounds)| bounds.max().get()).max();
    let top = most.unwrap_or(0).saturating_add(1);
    let mut chart = ChartBuilder::on(area)
        .caption(&changes.subject, ("sans-serif", 16))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(36)
        .build_cartesian_2d(0..seconds(end).max(1), 0..top)?;
    let label = |offset: &i64| {
        let at = changes.after + chrono::TimeDelta::seconds(*offset);
        changes.zone.local(at).format("%a %d %H:%M").to_string()
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(MOST_LABELS)
        .x_label_formatter(&label)
        .y_label_formatter(&|n| n.to_string())
        .draw()?;
    let ends = steps.iter().skip(1).map(|(at, _)| *at).chain([end]);
    for ((at, bounds), until) in steps.iter().zip(ends) {
        let (left, right) = (seconds(*at), seconds(until));
        let (min, max) = (bounds.min().get(), bounds.max().get());
        chart.draw_series([
            Rectangle::new([(left, 0), (right, min)], BELOW.filled()),
            Rectangle::new([(left, min), (right, max)], BETWEEN.filled()),
        ])?;
    }
    Ok(())
}

/// Since when which bounds hold.
fn steps(changes: &Changes) -> Vec<(DateTime<Utc>, Bounds)> {
    let first = (changes.after, changes.now.bounds);
    let later = changes.changes.iter().map(|c| (c.at, c.effective.bounds));
    std::iter::once(first).chain(later).collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::{BoundSource, Capacity, EffectiveBounds, Zone};

    #[test]
    fn each_step_of_each_target_is_drawn() {
        let bounds = |min, max| {
            let end = |n| Capacity::new(n).unwrap();
            EffectiveBounds {
                bounds: Bounds::new(end(min), end(max)).unwrap(),
                min_source: BoundSource::Base,
                max_source: BoundSource::Base,
            }
        };
        let after: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let change = |hours, min, max| crate::view::Change {
            at: after.checked_add_signed(TimeDelta::hours(hours)).unwrap(),
            effective: bounds(min, max),
        };
        let target = |subject: &str, changes| Changes {
            subject: subject.to_owned(),
            zone: Zone::UTC,
            here: None,
            after,
            until: after.checked_add_signed(TimeDelta::days(1)),
            now: bounds(1, 4),
            changes,
        };
        let all = [
            target("endpoint/a", vec![change(2, 2, 8), change(9, 1, 4)]),
            target("endpoint/b", Vec::new()),
        ];
        let svg = changes_svg(&all).unwrap();
        assert!(svg.contains("endpoint/a") && svg.contains("endpoint/b"));
        let fills = |color| svg.matches(color).count();
        assert_eq!((fills("#3182BD"), fills("#9ECAE1")), (4, 4));
        assert!(changes_svg(&[]).unwrap().ends_with("</svg>\n"));
    }
}
