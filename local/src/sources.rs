//! Recipes: the template's parameters that make the pipeline read the events of other products.
//!
//! docs/sources.md explains each, and lists the sessions of its sample in events/sources (`tests/sources.rs`).

use clap::ValueEnum;

/// Whose events click-stream contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// The contract's own format, which needs no parameters.
    Walkthrough,
    /// Segment, as its Kinesis destination sends it.
    Segment,
    /// RudderStack, as its Kinesis destination sends it.
    Rudderstack,
    /// PostHog, as its Kinesis destination sends it.
    Posthog,
    /// Snowplow's enriched events, as JSON.
    Snowplow,
    /// Google Analytics 4, rows of its BigQuery export.
    Ga4,
    /// Matomo, the actions of its visits log.
    Matomo,
}

impl Source {
    /// Names of template parameters and their values.
    #[must_use]
    pub fn parameters(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Walkthrough => &[],
            Self::Segment => &[
                ("SessionGapSeconds", "1800"),
                ("UserIdField", "/userId,/anonymousId"),
                ("EventTimestampField", "/timestamp"),
                ("EventTimestampFormat", "iso8601"),
                ("EventNameField", "/event"),
                ("EventTypeField", "/type"),
                ("DeviceTypeField", "/context/device/type"),
                ("EventNamesIgnored", "Email Delivered,Email Bounced"),
            ],
            Self::Rudderstack => &[
                ("SessionGapSeconds", "1800"),
                ("UserIdField", "/anonymousId,/userId"),
                ("EventTimestampField", "/timestamp"),
                ("EventTimestampFormat", "iso8601"),
                ("EventNameField", "/event"),
                ("EventTypeField", "/type"),
                ("DeviceTypeField", "/context/device/type"),
            ],
            Self::Posthog => &[
                ("SessionGapSeconds", "1800"),
                ("UserIdField", "/event/properties/$device_id,/event/distinct_id"),
                ("EventTimestampField", "/event/timestamp"),
                ("EventTimestampFormat", "iso8601"),
                ("EventNameField", "/event/event"),
                ("EventTypeField", "/event/properties/$event_type"),
                ("DeviceTypeField", "/event/properties/$device_type"),
            ],
            Self::Snowplow => &[
                ("SessionGapSeconds", "1800"),
                ("UserIdField", "domain_userid,/contexts_com_snowplowanalytics_snowplow_client_session_1/0/userId"),
                ("EventTimestampField", "derived_tstamp"),
                ("EventTimestampFormat", "iso8601"),
                ("EventNameField", "event_name"),
                ("EventTypeField", "event"),
                ("DeviceTypeField", "/contexts_nl_basjes_yauaa_context_1/0/deviceClass"),
            ],
            Self::Ga4 => &[
                ("SessionGapSeconds", "1800"),
                ("AllowedLatenessSeconds", "86400"),
                ("UserIdField", "user_pseudo_id"),
                ("EventTimestampFormat", "microseconds"),
                ("DeviceTypeField", "/device/category"),
                ("EventNamesIgnored", "app_remove"),
            ],
            Self::Matomo => &[
                ("SessionGapSeconds", "1800"),
                ("UserIdField", "visitorId"),
                ("EventTimestampField", "timestamp"),
                ("EventTimestampFormat", "seconds"),
                ("EventNameField", "title"),
                ("EventTypeField", "type"),
                ("DeviceTypeField", "deviceType"),
            ],
        }
    }
}
