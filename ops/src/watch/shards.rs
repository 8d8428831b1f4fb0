//! Reads all shards of a stream from now on, and follows them when they are split or merged.
//!
//! Each shard is read by a task of its own, about once a second: Kinesis allows five reads a second per shard, which the
//! sink's mapping shares. A shard that ends is followed by its children, from their first record on, once all parents are read.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{Shard, ShardIteratorType};
use kinesis_function::backoff::Backoff;
use kinesis_function::call_error::CallError;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::error::OpsError;

/// Pause between two reads of a shard that returned all there was.
const PAUSE: Duration = Duration::from_secs(1);

/// The same after a read that left records for the next one: two thirds of the five reads a second remain for the sink.
const PAUSE_BEHIND: Duration = Duration::from_millis(600);

/// Records per read: small against the memory of a machine, however many shards there are.
const RECORDS_PER_READ: i32 = 1_000;

/// Reads that wait to be shown. Shards are not read faster than that.
const MAX_WAITING: usize = 16;

/// All shards of a stream.
#[derive(Debug)]
pub(super) struct Shards {
    client: Client,
    stream: String,
    /// The shards that were ever read.
    known: HashSet<String>,
    /// Those being read.
    reading: HashSet<String>,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<Event>,
    events: mpsc::Receiver<Event>,
}

/// What becomes known of a shard.
#[derive(Debug)]
enum Event {
    /// The data of its next records.
    Records(Vec<Vec<u8>>),
    /// It was split or merged, and all of it is read.
    Ended(String),
    /// It cannot be read any more.
    Failed(CallError),
}

/// Where the reading of a shard begins, or goes on after its iterator has expired.
#[derive(Clone, Debug)]
enum Place {
    Latest,
    FirstRecord,
    After(String),
    /// Whatever arrived since this moment.
    Since(SystemTime),
}

impl Shards {
    /// Starts to read all open shards from now on.
    pub(super) async fn open(client: &Client, stream: &str) -> Result<Self, OpsError> {
        let (sender, events) = mpsc::channel(MAX_WAITING);
        let mut shards = Self {
            client: client.clone(),
            stream: stream.to_owned(),
            known: HashSet::new(),
            reading: HashSet::new(),
            tasks: JoinSet::new(),
            sender,
            events,
        };
        let listed = shards.list().await?;
        let is_open = |shard: &&Shard| {
            shard.sequence_number_range.as_ref().is_none_or(|range| range.ending_sequence_number.is_none())
        };
        let (open, closed): (Vec<_>, Vec<_>) = listed.iter().partition(is_open);
        shards.known.extend(closed.into_iter().map(|shard| shard.shard_id.clone()));
        for shard in open {
            shards.read(&shard.shard_id, Place::Latest).await?;
        }
        Ok(shards)
    }

    /// How many shards are read.
    pub(super) fn count(&self) -> usize {
        self.reading.len()
    }

    /// The data of the next records of any shard.
    pub(super) async fn next(&mut self) -> Result<Vec<Vec<u8>>, OpsError> {
        loop {
            // The channel never closes: this keeps a sender.
            match self.events.recv().await {
                Some(Event::Records(records)) => return Ok(records),
                Some(Event::Failed(error)) => return Err(OpsError::of_stream(&self.stream)(error)),
                Some(Event::Ended(shard)) => self.follow(&shard).await?,
                None => return Ok(Vec::new()),
            }
        }
    }

    /// Reads the shards that are new, except those with a parent that is to be read before. Called when a shard has
    /// ended: only then there are new ones.
    async fn follow(&mut self, ended: &str) -> Result<(), OpsError> {
        self.reading.remove(ended);
        let listed = self.list().await?;
        let exist: HashSet<String> = listed.iter().map(|shard| shard.shard_id.clone()).collect();
        for shard in listed {
            let is_read = |parent: &String| self.known.contains(parent) && !self.reading.contains(parent);
            let is_due = parents(&shard).all(|parent| is_read(parent) || !exist.contains(parent));
            if is_due && !self.known.contains(&shard.shard_id) {
                self.read(&shard.shard_id, Place::FirstRecord).await?;
            }
        }
        Ok(())
    }

    async fn read(&mut self, shard: &str, place: Place) -> Result<(), OpsError> {
        let reader = Reader { client: self.client.clone(), stream: self.stream.clone(), shard: shard.to_owned() };
        let iterator = reader.iterator(&place).await.map_err(OpsError::of_stream(&self.stream))?;
        self.known.insert(shard.to_owned());
        self.reading.insert(shard.to_owned());
        let sender = self.sender.clone();
        self.tasks.spawn(async move {
            let end = match reader.read_to_the_end(iterator, &sender).await {
                Ok(()) => Event::Ended(reader.shard),
                Err(error) => Event::Failed(error),
            };
            let _ = sender.send(end).await; // fails only if the watch has ended
        });
        Ok(())
    }

    /// Every shard, including closed ones.
    async fn list(&self) -> Result<Vec<Shard>, OpsError> {
        let mut shards = Vec::new();
        let mut token = None;
        loop {
            // The token identifies the stream; Kinesis rejects a request with both.
            let name = token.is_none().then(|| self.stream.clone());
            let page = self.client.list_shards().set_stream_name(name).set_next_token(token).send().await;
            let page = page.map_err(|error| OpsError::of_stream(&self.stream)(CallError::of("ListShards", &error)))?;
            shards.extend(page.shards.unwrap_or_default());
            token = page.next_token;
            if token.is_none() {
                return Ok(shards);
            }
        }
    }
}

fn parents(shard: &Shard) -> impl Iterator<Item = &String> {
    [&shard.parent_shard_id, &shard.adjacent_parent_shard_id].into_iter().flatten()
}

/// Reads one shard.
struct Reader {
    client: Client,
    stream: String,
    shard: String,
}

impl Reader {
    async fn iterator(&self, place: &Place) -> Result<String, CallError> {
        const OPERATION: &str = "GetShardIterator";

        let call = self.client.get_shard_iterator().stream_name(&self.stream).shard_id(&self.shard);
        let call = match place {
            Place::Latest => call.shard_iterator_type(ShardIteratorType::Latest),
            Place::FirstRecord => call.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Place::After(number) => {
                call.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).starting_sequence_number(number)
            }
            Place::Since(time) => {
                call.shard_iterator_type(ShardIteratorType::AtTimestamp).timestamp(DateTime::from(*time))
            }
        };
        let answer = call.send().await.map_err(|error| CallError::of(OPERATION, &error))?;
        answer.shard_iterator.ok_or_else(|| CallError::incomplete_answer(OPERATION, "it has no iterator"))
    }

    /// Sends the records of the shard until it has ended; throttles and lost connections only delay it.
    async fn read_to_the_end(&self, first: String, sender: &mpsc::Sender<Event>) -> Result<(), CallError> {
        const OPERATION: &str = "GetRecords";

        let mut iterator = Some(first);
        let mut backoff = Backoff::new();
        // Where to go on if the iterator expires, as after the machine has slept for five minutes.
        let mut place = Place::Since(SystemTime::now());
        while let Some(current) = &iterator {
            let call = self.client.get_records().shard_iterator(current).limit(RECORDS_PER_READ);
            let began = SystemTime::now();
            let page = match call.send().await {
                Ok(page) => page,
                Err(error) if error.as_service_error().is_some_and(|it| it.is_expired_iterator_exception()) => {
                    iterator = Some(self.renewed(&place, &mut backoff).await?);
                    continue;
                }
                Err(error) => {
                    let error = CallError::of(OPERATION, &error);
                    if !error.is_transient() {
                        return Err(error);
                    }
                    backoff.pause().await;
                    continue;
                }
            };
            backoff.reset();
            match page.records.last() {
                Some(last) => place = Place::After(last.sequence_number.clone()),
                None if matches!(place, Place::Since(_)) => place = Place::Since(began),
                None => {}
            }
            let is_behind = page.millis_behind_latest.is_some_and(|behind_ms| behind_ms > 0);
            let records: Vec<_> = page.records.into_iter().map(|record| record.data.into_inner()).collect();
            if !records.is_empty() && sender.send(Event::Records(records)).await.is_err() {
                return Ok(()); // the watch has ended
            }
            iterator = page.next_shard_iterator;
            if iterator.is_some() {
                tokio::time::sleep(if is_behind { PAUSE_BEHIND } else { PAUSE }).await;
            }
        }
        Ok(())
    }

    async fn renewed(&self, place: &Place, backoff: &mut Backoff) -> Result<String, CallError> {
        loop {
            match self.iterator(place).await {
                Err(error) if error.is_transient() => backoff.pause().await,
                result => return result,
            }
        }
    }
}
