//! A tap of a stream: every record as it is put, at the reader's pace.
//!
//! A separate event source mapping feeds it, so a slow reader slows down the tap and never the pipeline. It holds a
//! fixed number of batches and reads no further until one is taken.

use aws_lambda_events::event::kinesis::KinesisEvent;
use local_aws::event_source_mapping::limits::MAX_FUNCTION_TIMEOUT;
use local_aws::event_source_mapping::{EventSourceMapping, Function, MappingConfig, MappingProgress};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::error::LocalError;
use crate::functions::decoded;

/// Maximum records per batch.
pub const BATCH_RECORDS: usize = 100;

/// Maximum batches that wait for the reader. An event has at most 6 MiB, so they stay below 24 MiB, however large the
/// records are.
pub const BATCHES_AHEAD: usize = 4;

/// Batches of records as bytes, in order per partition key.
pub type Batches = mpsc::Receiver<Vec<Vec<u8>>>;

/// A running tap. Dropping it ends the tap and its batches.
#[derive(Debug)]
pub struct Tap {
    mapping: EventSourceMapping,
}

impl Tap {
    /// Starts to read a stream from its first record, with the stream name and poll intervals of `config`.
    pub(crate) fn start(client: aws_sdk_kinesis::Client, config: MappingConfig) -> Result<(Self, Batches), LocalError> {
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        // A batch that waits for the reader until the time-out is redelivered, so any time-out works; the longest one
        // needs the fewest attempts.
        let config = MappingConfig { batch_size: BATCH_RECORDS, function_timeout: MAX_FUNCTION_TIMEOUT, ..config };
        let stream = config.stream_name.clone();
        let mapping = EventSourceMapping::start(client, config, PassOn { batches: sender })
            .map_err(|source| LocalError::MappingConfig { stream, source })?;
        Ok((Self { mapping }, batches))
    }

    /// Its progress.
    #[must_use]
    pub fn progress(&self) -> MappingProgress {
        self.mapping.progress()
    }

    /// Waits until `records` records were passed on, then ends the tap. Meanwhile, the batches must be received
    /// or their receiver dropped. Waiting batches can still be received afterwards.
    ///
    /// # Errors
    /// If the tap's mapping ends early.
    pub async fn finish(self, records: u64) -> Result<(), LocalError> {
        self.mapping.progress().wait_until_done(records).await?;
        self.mapping.stop().await?;
        Ok(())
    }

    /// Ends the tap after its reader has dropped the batches.
    ///
    /// # Errors
    /// If the tap's mapping ended with an error.
    pub async fn stop(self) -> Result<(), LocalError> {
        self.mapping.stop().await?;
        Ok(())
    }
}

/// The function of the tap's mapping.
#[derive(Debug)]
struct PassOn {
    batches: mpsc::Sender<Vec<Vec<u8>>>,
}

impl Function for PassOn {
    async fn invoke(&self, event: String, _deadline: Instant) -> Result<String, String> {
        // First reserve capacity, then send the whole batch at once: an invocation dropped at its deadline has sent
        // nothing, so a redelivery repeats nothing.
        if let Ok(room) = self.batches.reserve().await {
            let records = decoded::<KinesisEvent>(&event)?.records;
            room.send(records.into_iter().map(|record| record.kinesis.data.0).collect());
        }
        // Otherwise the reader is gone, and the rest of the stream is discarded.
        Ok("{}".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use local_aws::{HandMadeRecord, hand_made_event};

    use super::*;

    /// Whether the tap accepts a batch with one boundary, `number`, without waiting. If not, the invocation is dropped,
    /// as at its deadline.
    fn takes(tap: &PassOn, number: usize) -> bool {
        let record = HandMadeRecord {
            sequence_number: number.to_string(),
            partition_key: "user".to_owned(),
            data: number.to_string().into_bytes(),
            arrival_ms: 0,
        };
        let event = hand_made_event("session-stream", "shardId-000000000000", vec![record]).unwrap();
        tap.invoke(event, Instant::now()).now_or_never().is_some_and(|answer| answer.is_ok())
    }

    #[tokio::test]
    async fn waiting_batches_are_bounded_and_none_is_lost_or_repeated() {
        let (sender, mut batches) = mpsc::channel(BATCHES_AHEAD);
        let tap = PassOn { batches: sender };
        for number in 0..BATCHES_AHEAD {
            assert!(takes(&tap, number), "there is room for batch {number}");
        }
        for _ in 0..3 {
            assert!(!takes(&tap, BATCHES_AHEAD), "none was received");
        }
        assert_eq!(batches.recv().await, Some(vec![b"0".to_vec()]));
        assert!(takes(&tap, BATCHES_AHEAD), "one was received");
        assert!(!takes(&tap, BATCHES_AHEAD + 1), "only one was received");
        drop(tap);
        for number in 1..=BATCHES_AHEAD {
            assert_eq!(batches.recv().await, Some(vec![number.to_string().into_bytes()]));
        }
        assert_eq!(batches.recv().await, None);
    }

    #[tokio::test]
    async fn dropped_reader_blocks_nothing() {
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        let tap = PassOn { batches: sender };
        drop(batches);
        for number in 0..2 * BATCHES_AHEAD {
            assert!(takes(&tap, number));
        }
    }
}
