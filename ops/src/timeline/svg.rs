//! The picture's SVG: sizes in pixels, times in Unix milliseconds.

use std::fmt::Write;

use shared::boundary::Boundary;
use shared::event_time::EventTime;
use shared::session::Status;

use super::Lane;
use crate::text_table::escaped;

const NAMES_WIDTH: f64 = 160.0;
const TIMES_WIDTH: f64 = 1_000.0;
const LANE_HEIGHT: usize = 30;
const BAR_HEIGHT: usize = 18;
const AXIS_HEIGHT: usize = 34;

/// A bar is never narrower, so that a session of one click can be seen.
const MIN_BAR_WIDTH: f64 = 3.0;

/// Most characters of a user's name; the whole one is in the title.
const MAX_NAME_CHARS: usize = 20;

/// Steps of the axis, in seconds.
const STEPS_SECONDS: [u64; 14] =
    [1, 5, 15, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_592_000, 31_536_000];

/// Most steps of the axis, whose labels then do not overlap.
const MAX_STEPS: u64 = 8;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#1b2432}.grid{stroke:#d5dbe3}.closed{fill:#667388}\
    .open{fill:#1d4ed8}\
    @media(prefers-color-scheme:dark){svg{background:#131920}text{fill:#e6ebf2}.grid{stroke:#333d4a}}";

/// The picture of these `lanes`.
pub(super) fn of(lanes: &[Lane<'_>]) -> String {
    let sessions = || lanes.iter().flat_map(|(_, sessions)| sessions);
    let begin = sessions().map(|session| session.session_timestamp.ms()).min().unwrap_or_default();
    let end = sessions().map(|session| end_ms(session)).max().unwrap_or_default().max(begin + 1);
    let scale = Scale { begin, end };
    let (width, height) = (NAMES_WIDTH + TIMES_WIDTH + 20.0, AXIS_HEIGHT + lanes.len() * LANE_HEIGHT + 10);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"Sessions of {} users\">\n<style>{STYLE}</style>\n",
        lanes.len()
    );
    axis(&mut svg, scale, height);
    for (lane, (user_id, sessions)) in lanes.iter().enumerate() {
        let top = AXIS_HEIGHT + lane * LANE_HEIGHT;
        let name = escaped(user_id.as_str()).to_string();
        let short: String = name.chars().take(MAX_NAME_CHARS).collect();
        let short = if short.len() < name.len() { short + "…" } else { short };
        push(
            &mut svg,
            format_args!("<text x=\"8\" y=\"{}\">{}<title>{}</title></text>\n", top + 18, xml(&short), xml(&name)),
        );
        sessions.iter().for_each(|session| bar(&mut svg, scale, top + 5, session));
    }
    svg + "</svg>\n"
}

#[derive(Clone, Copy)]
struct Scale {
    begin: u64,
    end: u64,
}

impl Scale {
    #[allow(clippy::cast_precision_loss)] // a pixel is far more than what is lost
    fn x(self, ms: u64) -> f64 {
        let share = ms.saturating_sub(self.begin) as f64 / (self.end - self.begin) as f64;
        NAMES_WIDTH + share.min(1.0) * TIMES_WIDTH
    }
}

fn end_ms(session: &Boundary) -> u64 {
    match session.status {
        Some(Status::Closed { end, .. }) => end.ms(),
        _ => session.session_timestamp.ms(),
    }
}

fn axis(svg: &mut String, scale: Scale, height: usize) {
    let span = (scale.end - scale.begin) / 1_000;
    let step = STEPS_SECONDS.into_iter().find(|step| span / step <= MAX_STEPS).unwrap_or(u64::MAX / 1_000) * 1_000;
    let first = scale.begin.div_ceil(step) * step;
    for ms in (0..=MAX_STEPS).map(|place| first.saturating_add(place * step)).take_while(|ms| *ms <= scale.end) {
        let x = scale.x(ms);
        let label = EventTime::from_ms(ms).map(EventTime::to_utc_text).unwrap_or_default();
        push(
            svg,
            format_args!(
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{}\" y2=\"{height}\"/>\n",
                AXIS_HEIGHT - 8
            ),
        );
        push(
            svg,
            format_args!(
                "<text x=\"{x:.1}\" y=\"18\" text-anchor=\"middle\">{}</text>\n",
                label.get(5..).unwrap_or_default()
            ),
        );
    }
}

/// A closed session from its start to its end; of an open one only the start is known, so its bar is short.
fn bar(svg: &mut String, scale: Scale, top: usize, session: &Boundary) {
    let x = scale.x(session.session_timestamp.ms());
    let (class, width, text) = match session.status {
        Some(Status::Closed { end, event_count }) => {
            let seconds = end.ms_since(session.session_timestamp) / 1_000;
            ("closed", scale.x(end.ms()) - x, format!("{event_count} clicks in {seconds} s"))
        }
        _ => ("open", 4.0 * MIN_BAR_WIDTH, "open".to_owned()),
    };
    let title =
        format!("{}: {text}, from {} UTC", escaped(&session.session_id()), session.session_timestamp.to_utc_text());
    push(
        svg,
        format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{BAR_HEIGHT}\" rx=\"3\"><title>{}</title></rect>\n",
            width.max(MIN_BAR_WIDTH),
            xml(&title)
        ),
    );
}

fn push(svg: &mut String, what: std::fmt::Arguments<'_>) {
    let _ = svg.write_fmt(what); // a String takes everything
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
