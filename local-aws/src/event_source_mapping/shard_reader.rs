//! Owns the reading position in one shard: the iterator, and the last record read, after which an expired iterator is
//! renewed. It must not return a record twice or out of order.

use shared::sequence_number::SequenceNumber;

use super::error::MappingError;
use super::event::{EventRecord, EventSource};
use super::stream::{KinesisError, Page, Stream};

/// Reads one shard from its start, or from after a checkpoint, to its end.
#[derive(Debug)]
pub(crate) struct ShardReader {
    stream: Stream,
    shard: String,
    source: EventSource,
    iterator: Option<String>,
    last_read: Option<SequenceNumber>,
}

/// The records of one read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) records: Vec<EventRecord>,
    /// Whether the shard is closed and ends with these records.
    pub(crate) shard_ended: bool,
}

impl ShardReader {
    pub(crate) fn new(stream: Stream, shard: String, after: Option<SequenceNumber>) -> Self {
        let source = EventSource::new(&stream.region(), stream.name(), &shard);
        Self { stream, shard, source, iterator: None, last_read: after }
    }

    /// Reads the next records, at most `limit`. After an error, the next call starts at the same position.
    pub(crate) async fn read(&mut self, limit: usize) -> Result<Read, KinesisError> {
        let iterator = match self.iterator.clone() {
            Some(iterator) => iterator,
            None => self.stream.iterator(&self.shard, self.last_read.as_ref()).await?,
        };
        match self.stream.read(&iterator, limit).await {
            Ok(page) => self.take(page).map_err(KinesisError::Fatal),
            Err(expired @ KinesisError::IteratorExpired(_)) => {
                self.iterator = None;
                Err(expired)
            }
            Err(error) => {
                self.iterator = Some(iterator);
                Err(error)
            }
        }
    }

    fn take(&mut self, page: Page) -> Result<Read, MappingError> {
        let mut records = Vec::with_capacity(page.records.len());
        for record in page.records {
            let record = self.source.write(record)?;
            self.follow(&record.sequence_number)?;
            records.push(record);
        }
        let shard_ended = page.next_iterator.is_none();
        self.iterator = page.next_iterator;
        Ok(Read { records, shard_ended })
    }

    fn follow(&mut self, found: &SequenceNumber) -> Result<(), MappingError> {
        match self.last_read.replace(found.clone()) {
            Some(previous) if previous >= *found => {
                Err(MappingError::OutOfOrder { shard: self.shard.clone(), previous, found: found.clone() })
            }
            _ => Ok(()),
        }
    }
}
