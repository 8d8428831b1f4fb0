//! A user's rejected records: found by a Scan, because their keys are positions, and deleted.

use kinesis_function::limits::MAX_PUTS_PER_REQUEST;
use kinesis_function::rejected_table::KEY;
use kinesis_function::statements::Item;
use shared::click_format::ClickFormat;
use shared::user_id::UserId;

use super::Forget;
use crate::error::OpsError;
use crate::redrive::items::Items;

/// The rejected records of a user, and those that may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matched {
    /// The keys of those that are the user's.
    pub positions: Vec<String>,
    /// Those in which no user id can be read and whose partition key is the user's: the user's, perhaps. And those that
    /// hold parts of several users, this one among them.
    pub perhaps: u64,
    /// All others in which no user id can be read.
    pub unreadable: u64,
}

/// Whose a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    User,
    Perhaps,
    Unknown,
    Other,
}

/// Reads all rejected records, and calls `on_page` with how many were read.
pub(super) async fn matching(forget: &Forget<'_>, mut on_page: impl FnMut(u64)) -> Result<Matched, OpsError> {
    let items = Items { dynamodb: forget.dynamodb, table: &forget.tables.rejected };
    let (mut matched, mut read) = (Matched::default(), 0);
    items
        .for_each_page(&[KEY, "data", "partition_key"], |page| {
            for item in page {
                let position = item.get(KEY).and_then(|value| value.as_s().ok());
                match (owner(item, forget.user_id, forget.format), position) {
                    (Owner::User, Some(position)) => matched.positions.push(position.clone()),
                    (Owner::Perhaps, Some(position)) if forget.by_partition_key => {
                        matched.positions.push(position.clone());
                    }
                    (Owner::Perhaps, _) => matched.perhaps += 1,
                    (Owner::Unknown, _) => matched.unreadable += 1,
                    (Owner::User | Owner::Other, _) => {}
                }
            }
            read += page.len() as u64;
            on_page(read);
        })
        .await?;
    Ok(matched)
}

/// Deletes what was found, and calls `on_deleted` with how many after each request.
pub(super) async fn delete(
    forget: &Forget<'_>,
    matched: &Matched,
    mut on_deleted: impl FnMut(u64),
) -> Result<(), OpsError> {
    let table = &forget.tables.rejected;
    let items = Items { dynamodb: forget.dynamodb, table };
    for chunk in matched.positions.chunks(MAX_PUTS_PER_REQUEST) {
        let positions: Vec<&str> = chunk.iter().map(String::as_str).collect();
        items.delete_chunk(&positions).await.map_err(OpsError::of_table(table))?;
        on_deleted(chunk.len() as u64);
    }
    Ok(())
}

/// An item may hold several rejected parts of a record, one to a line. It is the user's if all users in it are this one.
fn owner(item: &Item, user_id: &UserId, format: &ClickFormat) -> Owner {
    let data = item.get("data").and_then(|value| value.as_b().ok()).map(AsRef::as_ref).unwrap_or_default();
    let partition_key = item.get("partition_key").and_then(|value| value.as_s().ok());
    let mut users = match format.user_id_in(data) {
        Some(only) => vec![only],
        None => data.split(|byte| *byte == b'\n').filter_map(|part| format.user_id_in(part)).collect(),
    };
    users.dedup();
    match &users[..] {
        [only] if only == user_id => Owner::User,
        [] if partition_key.is_some_and(|key| key == user_id.partition_key()) => Owner::Perhaps,
        [] => Owner::Unknown,
        several if several.contains(user_id) => Owner::Perhaps,
        _ => Owner::Other,
    }
}
