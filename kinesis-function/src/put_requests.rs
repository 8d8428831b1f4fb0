//! Splits records into PutRecords requests within Kinesis' limits.

use crate::limits::{MAX_BYTES_PER_PUT, MAX_RECORDS_PER_PUT};

/// Splits `records`, in order, where a request would exceed [`MAX_RECORDS_PER_PUT`] or [`MAX_BYTES_PER_PUT`];
/// `bytes_of` returns a record's size in bytes, data and partition key together.
///
/// Every record is in exactly one request. A record that exceeds the byte limit on its own gets a separate request, so
/// that Kinesis can refuse it without affecting others.
pub fn requests<T>(records: &[T], bytes_of: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    let mut rest = records;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take(MAX_RECORDS_PER_PUT).take_while(|record| {
            bytes += bytes_of(record);
            bytes <= MAX_BYTES_PER_PUT
        });
        let count = fits.count().max(1).min(rest.len());
        let (request, others) = rest.split_at(count);
        rest = others;
        (!request.is_empty()).then_some(request)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1_024 * 1_024;

    /// The record sizes in each request.
    fn cut(sizes: &[usize]) -> Vec<&[usize]> {
        requests(sizes, |size| *size).collect()
    }

    #[test]
    fn a_request_contains_at_most_500_records() {
        let sizes = [100; 1_001];
        assert_eq!(cut(&sizes), [&sizes[..500], &sizes[..500], &sizes[..1]]);
        assert_eq!(cut(&sizes[..500]), [&sizes[..500]]);
        assert_eq!(cut(&[]), Vec::<&[usize]>::new());
    }

    #[test]
    fn a_request_contains_at_most_5_mib() {
        assert_eq!(cut(&[MIB; 11]), [&[MIB; 5][..], &[MIB; 5], &[MIB]]);
        assert_eq!(cut(&[MIB + 1; 6]), [&[MIB + 1; 4][..], &[MIB + 1; 2]]);
    }

    #[test]
    fn record_larger_than_a_request_is_sent_alone_and_the_records_after_it_are_still_sent() {
        let huge = MAX_BYTES_PER_PUT + 1;
        assert_eq!(cut(&[1, huge, 2, 3]), [&[1][..], &[huge], &[2, 3]]);
        assert_eq!(cut(&[huge, huge]), [[huge], [huge]]);
        assert_eq!(cut(&[1, huge]), [[1], [huge]]);
    }
}
