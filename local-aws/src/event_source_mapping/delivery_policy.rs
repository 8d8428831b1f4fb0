//! Owns the two choices that Lambda leaves open and that a function must therefore handle: where a batch ends, and
//! whether records that succeeded are redelivered. Tests use it to be harsher than Lambda usually is.

/// Chooses within what Lambda can do. Whatever it returns, no record is skipped and the order per partition key holds.
///
/// All shards call it concurrently; it must not block.
pub trait DeliveryPolicy: Send + Sync + 'static {
    /// How many of the fitting records go into the next batch. Clamped to 1 to `fitting`.
    fn cut(&self, fitting: usize) -> usize;

    /// How many of a batch's first `succeeded` records count as done; the others are redelivered, as after a lost
    /// checkpoint. At most `succeeded`. A policy that always returns 0 never makes progress.
    fn checkpoint(&self, succeeded: usize) -> usize;
}

/// What Lambda usually does: batches as large as possible, and no redelivery after success.
#[derive(Debug, Clone, Copy, Default)]
pub struct LikeLambda;

impl DeliveryPolicy for LikeLambda {
    fn cut(&self, fitting: usize) -> usize {
        fitting
    }

    fn checkpoint(&self, succeeded: usize) -> usize {
        succeeded
    }
}
