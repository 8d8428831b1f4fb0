//! DynamoDB's limit per partition, as an HTTP client for the SDK, because the embedded service never throttles.
//!
//! Each partition key value counts as its own partition, which is how far DynamoDB splits a table under a sustained
//! load. Writes above the limit are throttled like the service does: a BatchWriteItem returns items as unprocessed, or
//! fails if it accepted none; statements of a BatchExecuteStatement fail individually. Other calls pass. Neither burst
//! capacity (unused capacity of up to 5 minutes) nor adaptive capacity is modelled.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use serde_json::Value;
use tokio::time::Instant;

use crate::faults::{PUT_THROTTLED, error, operation, parts_of, refuse_parts};

/// Write units per second of a DynamoDB partition. Source: DynamoDB developer guide, "Burst and adaptive capacity".
pub const UNITS_PER_SECOND: u32 = 1_000;

/// Bytes of an item per write unit. Source: DynamoDB developer guide, "Read and write operations".
const BYTES_PER_UNIT: usize = 1_024;

/// Above this many partitions, idle ones are forgotten.
const MOST_REMEMBERED: usize = 20_000;

/// The limiting client: pass it to an SDK configuration instead of the HTTP client that it wraps. Clones share their
/// partitions.
#[derive(Clone, Debug)]
pub struct PartitionLimits {
    inner: SharedHttpClient,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The partition key attribute, by table. Other tables have no limit.
    keys: BTreeMap<String, String>,
    units_per_second: f64,
    partitions: Mutex<HashMap<(String, String), Partition>>,
    refused: AtomicU64,
}

impl PartitionLimits {
    /// Makes calls through `inner`. `keys` contains the partition key attribute of each limited table.
    #[must_use]
    pub fn new(inner: SharedHttpClient, keys: BTreeMap<String, String>, units_per_second: u32) -> Self {
        let (partitions, refused) = (Mutex::default(), AtomicU64::new(0));
        let units_per_second = f64::from(units_per_second);
        Self { inner, shared: Arc::new(Shared { keys, units_per_second, partitions, refused }) }
    }

    /// Number of throttled item writes so far.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Relaxed)
    }
}

impl HttpClient for PartitionLimits {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(LimitedConnector { inner, shared: Arc::clone(&self.shared) })
    }
}

struct LimitedConnector {
    inner: SharedHttpConnector,
    shared: Arc<Shared>,
}

impl fmt::Debug for LimitedConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitedConnector").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl HttpConnector for LimitedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, decision) = (self.inner.clone(), self.shared.decide(&request, Instant::now()));
        HttpConnectorFuture::new(async move {
            match decision {
                Decision::Taken => inner.call(request).await,
                Decision::Refused => Ok(error(400, PUT_THROTTLED, "The level of configured throughput was exceeded")),
                Decision::PartsRefused(parts) => refuse_parts(&inner, request, &parts, PUT_THROTTLED).await,
            }
        })
    }
}

/// The partitions' decision about a call.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Taken,
    Refused,
    /// The parts with these indexes are throttled.
    PartsRefused(Vec<usize>),
}

impl Shared {
    fn decide(&self, request: &HttpRequest, now: Instant) -> Decision {
        let operation = operation(request).to_owned();
        if !matches!(operation.as_str(), "BatchWriteItem" | "BatchExecuteStatement") {
            return Decision::Taken;
        }
        let body = request.body().bytes().and_then(|bytes| serde_json::from_slice(bytes).ok());
        let Some(mut body): Option<Value> = body else { return Decision::Taken };
        let table = body["RequestItems"].as_object().and_then(|tables| tables.keys().next().cloned());
        let Some(parts) = parts_of(&operation, &mut body) else { return Decision::Taken };
        let write = |part: &Value| match &table {
            Some(table) => self.write_of_item(table, part),
            None => self.write_of_statement(part),
        };
        let mut refused = Vec::new();
        for (place, part) in parts.iter().enumerate() {
            if write(part).is_some_and(|(partition, bytes)| !self.take(partition, bytes, now)) {
                refused.push(place);
            }
        }
        self.refused.fetch_add(refused.len() as u64, Relaxed);
        match refused.len() {
            0 => Decision::Taken,
            all if all == parts.len() && table.is_some() => Decision::Refused,
            _ => Decision::PartsRefused(refused),
        }
    }

    /// The partition and the size of an item in a BatchWriteItem; `None` if it has no limit. A deletion counts as the
    /// smallest item.
    fn write_of_item(&self, table: &str, part: &Value) -> Option<((String, String), usize)> {
        let attribute = self.keys.get(table)?;
        let item = part.pointer("/PutRequest/Item").or_else(|| part.pointer("/DeleteRequest/Key"))?.as_object()?;
        let partition = (table.to_owned(), item.get(attribute)?.to_string());
        Some((partition, item.iter().map(|(name, value)| name.len() + bytes_of(value)).sum()))
    }

    /// The same for a statement: `INSERT INTO "table" VALUE {'key': ?, …}` or `UPDATE "table" … WHERE "key" = ? …`.
    fn write_of_statement(&self, part: &Value) -> Option<((String, String), usize)> {
        let text = part["Statement"].as_str()?;
        let table = text.split('"').nth(1)?;
        let attribute = self.keys.get(table)?;
        let place = text.find(&format!("'{attribute}': ?")).or_else(|| text.find(&format!("\"{attribute}\" = ?")))?;
        let parameters = part["Parameters"].as_array()?;
        let key = parameters.get(text[..place].matches('?').count())?;
        Some(((table.to_owned(), key.to_string()), parameters.iter().map(bytes_of).sum()))
    }

    fn take(&self, key: (String, String), bytes: usize, now: Instant) -> bool {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        if partitions.len() > MOST_REMEMBERED {
            partitions.retain(|_, partition| partition.left(self.units_per_second, now) < self.units_per_second);
        }
        let partition = partitions.entry(key).or_insert(Partition { left: self.units_per_second, at: now });
        partition.take(bytes.div_ceil(BYTES_PER_UNIT).max(1), self.units_per_second, now)
    }
}

/// The remaining capacity of a partition, at most that of one second.
#[derive(Clone, Copy, Debug)]
struct Partition {
    left: f64,
    at: Instant,
}

impl Partition {
    fn left(&self, units_per_second: f64, now: Instant) -> f64 {
        (self.left + (now - self.at).as_secs_f64() * units_per_second).min(units_per_second)
    }

    fn take(&mut self, units: usize, units_per_second: f64, now: Instant) -> bool {
        *self = Self { left: self.left(units_per_second, now), at: now };
        let units = f64::from(u32::try_from(units).unwrap_or(u32::MAX));
        let is_taken = units <= self.left;
        if is_taken {
            self.left -= units;
        }
        is_taken
    }
}

/// The size of an attribute's value, approximately as DynamoDB counts it.
fn bytes_of(value: &Value) -> usize {
    match value.as_object().and_then(|it| it.iter().next()) {
        Some((kind, Value::String(text))) if kind == "B" => text.len() / 4 * 3,
        Some((_, Value::String(text))) => text.len(),
        _ => value.to_string().len(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn partition_accepts_one_seconds_units_at_once_and_then_refills_over_time() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut partition = Partition { left: 10.0, at: start };
        assert!(partition.take(6, 10.0, start) && partition.take(4, 10.0, start));
        assert!(!partition.take(1, 10.0, after(50)), "half a unit");
        assert!(partition.take(1, 10.0, after(150)));
        assert!(
            partition.take(10, 10.0, after(60_000)) && !partition.take(1, 10.0, after(60_000)),
            "no more than one second's units"
        );
    }

    #[test]
    fn sizes_are_those_of_the_values_and_not_of_their_json() {
        let item = serde_json::json!([{ "S": "four" }, { "N": "12" }, { "B": "AAAA" }]);
        let sizes: Vec<_> = item.as_array().into_iter().flatten().map(bytes_of).collect();
        assert_eq!(sizes, [4, 2, 3]);
    }
}
