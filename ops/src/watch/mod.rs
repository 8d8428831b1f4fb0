//! Shows boundaries as they are published: follows all shards of session-stream from now on, until told to stop.
//!
//! [`shards`] reads shards and follows resharding, [`corrections`] says what a boundary corrects.

mod corrections;
mod shards;

use std::io::Write;

use aws_sdk_kinesis::Client;
use serde_json::{Value, json};
use shared::boundary::Boundary;
use shared::session::Status;
use shared::user_id::UserId;

use crate::error::OpsError;
use crate::output::Output;
use crate::text_table::escaped;
use corrections::{Mark, Told};
use shards::Shards;

/// What was shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Boundaries.
    pub boundaries: u64,
    /// Those that corrected what was published before.
    pub corrections: u64,
    /// Records that are not boundaries.
    pub unreadable: u64,
}

/// A stream whose shards are about to be read from now on.
#[derive(Debug)]
pub struct Watch {
    shards: Shards,
    user: Option<UserId>,
    told: Told,
    watched: Watched,
}

impl Watch {
    /// Prepares to read all open shards of the stream called `stream`: what is published from now on is shown. Of one
    /// `user` only, if there is one.
    ///
    /// # Errors
    /// If the shards cannot be read.
    pub async fn start(client: &Client, stream: &str, user: Option<UserId>) -> Result<Self, OpsError> {
        let shards = Shards::open(client, stream).await?;
        Ok(Self { shards, user, told: Told::default(), watched: Watched::default() })
    }

    /// How many shards are read.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards.count()
    }

    /// Shows what is published, until `stop` resolves.
    ///
    /// # Errors
    /// If a shard cannot be read any more, other than for a throttle or a lost connection, or output cannot be written.
    pub async fn show<W: Write>(
        mut self,
        output: &mut Output<W>,
        stop: impl Future<Output = ()>,
    ) -> Result<Watched, OpsError> {
        output.text(HEAD)?;
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return Ok(self.watched),
                records = self.shards.next() => {
                    for data in records? {
                        self.show_record(&data, output)?;
                    }
                }
            }
        }
    }

    fn show_record<W: Write>(&mut self, data: &[u8], output: &mut Output<W>) -> Result<(), OpsError> {
        let boundary = match Boundary::decode(data) {
            Ok(boundary) => boundary,
            Err(_) if self.user.is_some() => return Ok(()),
            Err(rejection) => {
                self.watched.unreadable += 1;
                output.text(&format!("  not a boundary: {}\n", escaped(&rejection.message)))?;
                return output.object(&json!({ "not_a_boundary": rejection.message }));
            }
        };
        if self.user.as_ref().is_some_and(|user| boundary.user_id != *user) {
            return Ok(());
        }
        let mark = self.told.mark(&boundary);
        self.watched.boundaries += 1;
        self.watched.corrections += u64::from(mark.is_some_and(Mark::is_correction));
        output.text(&line(&boundary, mark))?;
        if output.is_json() {
            let mut object: Value = serde_json::from_slice(&boundary.encode()?)?;
            if let (Some(object), Some(mark)) = (object.as_object_mut(), mark) {
                let key = if mark.is_correction() { "correction" } else { "repetition" };
                object.insert(key.to_owned(), mark.word().into());
            }
            output.object(&object)?;
        }
        Ok(())
    }
}

const HEAD: &str = "  start (UTC)          status       length   clicks  session\n";

fn line(boundary: &Boundary, mark: Option<Mark>) -> String {
    let (length, clicks) = match boundary.status {
        Some(Status::Closed { end, event_count }) => {
            (format!("{} s", end.ms_since(boundary.session_timestamp) / 1_000), event_count.to_string())
        }
        _ => (String::new(), String::new()),
    };
    let status = boundary.status.map_or("", Status::word);
    let session_id = boundary.session_id();
    let mark = mark.map(|mark| format!("  <- {}", mark.text())).unwrap_or_default();
    let start = boundary.session_timestamp.to_utc_text();
    format!("  {start}  {status:<9} {length:>9} {clicks:>8}  {}{mark}\n", escaped(&session_id))
}
