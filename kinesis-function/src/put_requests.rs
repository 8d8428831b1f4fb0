//! Cuts records into PutRecords requests that keep to Kinesis' limits. Whose records they are is up to the caller.

use crate::limits::{MAX_BYTES_PER_PUT, MAX_RECORDS_PER_PUT};

/// `records` in their order, cut where a request would exceed [`MAX_RECORDS_PER_PUT`] or [`MAX_BYTES_PER_PUT`];
/// `bytes_of` is a record's size in bytes, data and partition key together.
///
/// Every record is in exactly one request. One that exceeds the byte limit by itself gets a request of its own: Kinesis
/// then takes or refuses that record alone, and its caller learns which.
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

    /// The sizes of the records in each request.
    fn cut(sizes: &[usize]) -> Vec<&[usize]> {
        requests(sizes, |size| *size).collect()
    }

    #[test]
    fn a_request_holds_at_most_500_records() {
        let sizes = [100; 1_001];
        assert_eq!(cut(&sizes), [&sizes[..500], &sizes[..500], &sizes[..1]]);
        assert_eq!(cut(&sizes[..500]), [&sizes[..500]]);
        assert_eq!(cut(&[]), Vec::<&[usize]>::new());
    }

    #[test]
    fn a_request_holds_at_most_5_mib() {
        assert_eq!(cut(&[MIB; 11]), [&[MIB; 5][..], &[MIB; 5], &[MIB]]);
        assert_eq!(cut(&[MIB + 1; 6]), [&[MIB + 1; 4][..], &[MIB + 1; 2]]);
    }

    #[test]
    fn record_larger_than_a_request_gets_one_of_its_own_and_those_behind_it_are_still_sent() {
        let huge = MAX_BYTES_PER_PUT + 1;
        assert_eq!(cut(&[1, huge, 2, 3]), [&[1][..], &[huge], &[2, 3]]);
        assert_eq!(cut(&[huge, huge]), [[huge], [huge]]);
        assert_eq!(cut(&[1, huge]), [[1], [huge]]);
    }
}
