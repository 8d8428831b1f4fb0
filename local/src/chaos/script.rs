//! The stream of a run, and what to expect of it.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_kinesis::types::Record;
use fastrand::Rng;
use sessionizer_fn::state_log_entry::{Position, ShardKey};
use shared::click::{Click, LatestBelievable};
use shared::click_format::ClickFormat;
use shared::sequence_number::SequenceNumber;
use shared::session::SessionGap;
use shared::session_cut::SessionCut;
use shared::session_window::WindowRule;
use shared::user_id::UserId;

use crate::chaos::columns;
use crate::chaos::expected::Expected;
use crate::chaos::packing::Parts;
use crate::chaos::replay::Shards;
use crate::chaos::stream::{self, Disorder, Phase, Sent, Size};
use crate::error::LocalError;
use crate::input::Input;
use crate::lines::Content;
use crate::producer::Route;

/// The template's session gap, lateness and clock skew, which these runs do not change.
pub(crate) const RULE: WindowRule =
    WindowRule { gap: SessionGap::from_ms(10_000), lateness_ms: 3_600_000, cut: SessionCut::None };
const MAX_CLOCK_SKEW_MS: u64 = 900_000;

/// The size of a random stream.
const SIZE: Size = Size { phases: 6, records: 40, users: 6 };

/// A stream and its expected result.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) phases: Vec<Phase>,
    /// What clicks look like, and what sessions carry.
    pub(crate) format: ClickFormat,
    /// The declaration of the columns.
    pub(crate) declaration: &'static str,
    /// Whether the records of a phase may be put in any order, under any partition key.
    pub(crate) any_order: bool,
    /// `None` where only the order of the commits decides.
    pub(crate) expected: Option<Expected>,
}

impl Script {
    /// A random stream.
    pub(crate) fn random(rng: &mut Rng, is_late: bool) -> Self {
        let disorder = if is_late { Disorder::BeyondLateness } else { Disorder::WithinLateness };
        let phases = stream::random(rng, SIZE, RULE, disorder);
        let declaration = if rng.bool() { columns::DECLARATION } else { "" };
        let format = columns::click_format(declaration);
        let clicks = clicks(phases.iter().flatten().map(|sent| &sent.data), &format);
        let expected = (!is_late).then(|| Expected::of_sorted(clicks, RULE, format.columns()));
        Self { expected, phases, format, declaration, any_order: true }
    }

    /// Everyone who clicks.
    pub(crate) fn users(&self) -> Vec<UserId> {
        let names = self.phases.iter().flatten().filter_map(|sent| Some(sent.click.as_ref()?.0.as_str()));
        let names: BTreeSet<_> = names.collect();
        names.into_iter().filter_map(|name| UserId::new(name).ok()).collect()
    }

    /// The file's records in order. The session rule itself computes the expected result.
    pub(crate) async fn of_file(path: &std::path::Path) -> Result<Self, LocalError> {
        let mut lines = Input::open(path)?.into_lines()?;
        let mut phase = Phase::new();
        while let Some(line) = lines.recv().await {
            let line = line?;
            // Lines too long for a Kinesis record are left out: they cannot be put.
            if let Content::Record(data) = line.content {
                let route = Route::of(line.number, &data, &ClickFormat::default(), 0, MAX_CLOCK_SKEW_MS);
                phase.push(Sent { click: Some((route.partition_key, 0)), data });
            }
        }
        let format = ClickFormat::default();
        let clicks = clicks(phase.iter().map(|sent| &sent.data), &format);
        let expected = Some(Expected::in_order(&clicks, RULE, format.columns()));
        Ok(Self { expected, phases: vec![phase], format, declaration: "", any_order: false })
    }
}

fn clicks<'d>(records: impl Iterator<Item = &'d Vec<u8>>, format: &ClickFormat) -> Vec<Click> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let latest = LatestBelievable::after_arrival(u64::try_from(now).unwrap_or(u64::MAX), MAX_CLOCK_SKEW_MS);
    records.flat_map(|data| Parts::of(data, format, latest).clicks).map(|(_, click)| click).collect()
}

/// The clicks in the stream, and the bytes of what is rejected, as the functions read them in this `format`.
pub(crate) fn contents(
    stream: &str,
    format: &ClickFormat,
    records: Vec<(String, Record)>,
) -> Result<(Shards, Vec<Vec<u8>>), String> {
    let (mut shards, mut rejected) = (Shards::new(), Vec::new());
    for (shard, record) in records {
        let arrival = record.approximate_arrival_timestamp.and_then(|time| time.to_millis().ok()).unwrap_or_default();
        let latest = LatestBelievable::after_arrival(u64::try_from(arrival).unwrap_or_default(), MAX_CLOCK_SKEW_MS);
        let sequence_number = SequenceNumber::parse(&record.sequence_number).map_err(|error| error.to_string())?;
        let parts = Parts::of(record.data.as_ref(), format, latest);
        rejected.extend(parts.rejected);
        let clicks = parts.clicks.into_iter().map(|(place, click)| {
            let sequence_number = sequence_number.clone();
            (Position { sequence_number, place }, click)
        });
        shards.entry(ShardKey::new(format!("{stream}/{shard}"))).or_default().extend(clicks);
    }
    Ok((shards, rejected))
}
