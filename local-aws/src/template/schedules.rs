//! Reads the schedules of a function: events of type ScheduleV2 with a rate.

use std::time::Duration;

use super::TemplateError;
use super::intrinsics::Node;

/// A schedule that invokes a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSpec {
    /// The time from one invocation to the next.
    pub rate: Duration,
    /// The event, as JSON.
    pub input: String,
}

/// The schedule with these properties; `None` if it is disabled.
pub(super) fn schedule(event: &Node) -> Result<Option<ScheduleSpec>, TemplateError> {
    if let Some(state) = event.find("State")? {
        match state.text()?.as_str() {
            "ENABLED" => {}
            "DISABLED" => return Ok(None),
            other => return Err(state.fault(format!("unknown state {other}"))),
        }
    }
    let expression = event.get("ScheduleExpression")?;
    let text = expression.text()?;
    let rate = rate(&text).ok_or_else(|| expression.fault(format!("{text:?} is not a rate such as rate(1 minute)")))?;
    Ok(Some(ScheduleSpec { rate, input: event.get("Input")?.text()? }))
}

/// The syntax of EventBridge Scheduler: a whole number of minutes, hours or days.
fn rate(expression: &str) -> Option<Duration> {
    let (value, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let minutes = match unit.strip_suffix('s').unwrap_or(unit) {
        "minute" => 1,
        "hour" => 60,
        "day" => 24 * 60,
        _ => return None,
    };
    let value: u64 = value.parse().ok().filter(|value| *value > 0)?;
    Some(Duration::from_secs(value.checked_mul(minutes * 60)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_is_a_number_of_minutes_hours_or_days() {
        assert_eq!(rate("rate(1 minute)"), Some(Duration::from_secs(60)));
        assert_eq!(rate("rate(2 hours)"), Some(Duration::from_secs(7_200)));
        assert_eq!(rate("rate(1 day)"), Some(Duration::from_secs(86_400)));
        for wrong in ["rate(1 second)", "rate(0 minutes)", "rate(minute)", "cron(* * * * ? *)", "rate(1 minute"] {
            assert_eq!(rate(wrong), None, "{wrong}");
        }
        assert_eq!(rate(&format!("rate({} days)", u64::MAX)), None);
    }
}
