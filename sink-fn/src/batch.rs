//! A batch of records, decoded one by one and reduced to the newest boundary of each session.
//!
//! Unreadable records are separated, with their reasons. Nothing here compares boundaries with the table.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use kinesis_function::records::Records;
use kinesis_function::rejected_records::RejectedRecord;
use shared::boundary::Boundary;
use shared::user_id::UserId;

/// The newest boundary of a session within a batch.
#[derive(Clone, Debug)]
pub struct Newest {
    /// The boundary.
    pub boundary: Boundary,
    /// The indexes in the batch, from 0, of this boundary and of those it supersedes.
    pub indexes: Vec<usize>,
}

/// A decoded batch.
#[derive(Debug, Default)]
pub struct Batch<'r> {
    /// One boundary per session, in the order in which the sessions appear.
    pub sessions: Vec<Newest>,
    /// The unreadable records.
    pub rejected: Vec<RejectedRecord<'r>>,
}

impl<'r> Batch<'r> {
    /// Decodes `records`. Among boundaries of a session with the same version, the first one wins, as in the table.
    #[must_use]
    pub fn decode(records: &'r Records) -> Self {
        let mut batch = Self::default();
        let mut places: HashMap<(UserId, u64), usize> = HashMap::new();
        for (index, record) in records.iter().enumerate() {
            match Boundary::decode(record.data) {
                Err(rejection) => batch.rejected.push(RejectedRecord::whole(index, record, rejection)),
                Ok(boundary) => match places.entry((boundary.user_id.clone(), boundary.ordinal)) {
                    Entry::Vacant(place) => {
                        place.insert(batch.sessions.len());
                        batch.sessions.push(Newest { boundary, indexes: vec![index] });
                    }
                    Entry::Occupied(place) => {
                        let newest = &mut batch.sessions[*place.get()];
                        newest.indexes.push(index);
                        if boundary.version > newest.boundary.version {
                            newest.boundary = boundary;
                        }
                    }
                },
            }
        }
        batch
    }
}
