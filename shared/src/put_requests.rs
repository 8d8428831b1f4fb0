//! Cuts records into PutRecords requests that keep to Kinesis' limits. Whose records they are is the callers' business.

use crate::limits::{MAX_BYTES_PER_PUT, MAX_RECORDS_PER_PUT};

/// `records` in their order, cut where a request would grow beyond its limits; `bytes_of` is what one takes of them, data
/// and partition key together.
///
/// A record that fills more than a request by itself ends the cutting: it and those behind it are left out. None of this
/// project's does.
pub fn requests<T>(records: &[T], bytes_of: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    let mut rest = records;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take(MAX_RECORDS_PER_PUT).take_while(|record| {
            bytes += bytes_of(record);
            bytes <= MAX_BYTES_PER_PUT
        });
        let (request, others) = rest.split_at(fits.count());
        rest = others;
        (!request.is_empty()).then_some(request)
    })
}
