//! A look into session-stream: every boundary as it lands, at the reader's pace.
//!
//! An event source mapping of its own feeds it, so a slow reader slows down the tap and never the pipeline. It holds a
//! fixed number of batches and reads no further until one is taken.

use aws_lambda_events::event::kinesis::KinesisEvent;
use local_aws::event_source_mapping::limits::MAX_FUNCTION_TIMEOUT;
use local_aws::event_source_mapping::{EventSourceMapping, Function, MappingConfig, MappingProgress};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::error::LocalError;
use crate::functions::decoded;

/// Most boundaries in one batch.
pub const BATCH_RECORDS: usize = 100;

/// Most batches that wait for the reader. An event has at most 6 MiB, so they stay below 24 MiB, however large the
/// records are.
pub const BATCHES_AHEAD: usize = 4;

/// Batches of boundaries, as the bytes that were published; in order per user.
pub type Batches = mpsc::Receiver<Vec<Vec<u8>>>;

/// A running tap. It ends when it is dropped, and with it its batches.
#[derive(Debug)]
pub struct BoundaryTap {
    mapping: EventSourceMapping,
}

impl BoundaryTap {
    /// Begins to read a stream from its first record on, with the stream and the poll intervals of `config`.
    pub(crate) fn start(client: aws_sdk_kinesis::Client, config: MappingConfig) -> Result<(Self, Batches), LocalError> {
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        // A batch that waits for the reader until the time-out is delivered again, so any time-out would do; the longest
        // has the fewest attempts.
        let config = MappingConfig { batch_size: BATCH_RECORDS, function_timeout: MAX_FUNCTION_TIMEOUT, ..config };
        let stream = config.stream_name.clone();
        let mapping = EventSourceMapping::start(client, config, PassOn { batches: sender })
            .map_err(|source| LocalError::MappingConfig { stream, source })?;
        Ok((Self { mapping }, batches))
    }

    /// How far it has come.
    #[must_use]
    pub fn progress(&self) -> MappingProgress {
        self.mapping.progress()
    }

    /// Waits until `boundaries` of them were passed on, then ends the tap. Somebody must take the batches meanwhile, or
    /// have dropped them; those that wait can still be taken afterwards.
    ///
    /// # Errors
    /// When the tap's mapping ends before.
    pub async fn finish(self, boundaries: u64) -> Result<(), LocalError> {
        self.mapping.progress().wait_until_done(boundaries).await?;
        self.mapping.stop().await?;
        Ok(())
    }

    /// Ends the tap once its reader has dropped the batches.
    ///
    /// # Errors
    /// When the tap's mapping had ended with an error.
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
        // Room first, then the whole batch at once: dropped at its deadline, an invocation has passed on nothing, and
        // the batch can be delivered again without repeating any of it.
        if let Ok(room) = self.batches.reserve().await {
            let records = decoded::<KinesisEvent>(&event)?.records;
            room.send(records.into_iter().map(|record| record.kinesis.data.0).collect());
        }
        // Otherwise the reader is gone: the stream is read to its end for nobody.
        Ok("{}".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use local_aws::{HandMadeRecord, hand_made_event};

    use super::*;

    /// Whether the tap takes a batch of one boundary, `number`, without waiting. If it does not, the invocation is
    /// dropped, as at its deadline.
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
    async fn no_more_batches_are_held_than_the_bound_and_none_is_lost_or_repeated_by_waiting() {
        let (sender, mut batches) = mpsc::channel(BATCHES_AHEAD);
        let tap = PassOn { batches: sender };
        for number in 0..BATCHES_AHEAD {
            assert!(takes(&tap, number), "there is room for batch {number}");
        }
        for _ in 0..3 {
            assert!(!takes(&tap, BATCHES_AHEAD), "nobody has taken any");
        }
        assert_eq!(batches.recv().await, Some(vec![b"0".to_vec()]));
        assert!(takes(&tap, BATCHES_AHEAD), "one was taken");
        assert!(!takes(&tap, BATCHES_AHEAD + 1), "and no second one");
        drop(tap);
        for number in 1..=BATCHES_AHEAD {
            assert_eq!(batches.recv().await, Some(vec![number.to_string().into_bytes()]));
        }
        assert_eq!(batches.recv().await, None);
    }

    #[tokio::test]
    async fn reader_that_is_gone_holds_up_nothing() {
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        let tap = PassOn { batches: sender };
        drop(batches);
        for number in 0..2 * BATCHES_AHEAD {
            assert!(takes(&tap, number));
        }
    }
}
