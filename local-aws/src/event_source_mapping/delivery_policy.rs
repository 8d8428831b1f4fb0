//! Owns the two choices that Lambda leaves open and that a function must therefore live with: where a batch is cut,
//! and whether what succeeded is delivered once more. The seam for runs that are meaner than Lambda usually is.

/// Chooses within what Lambda may do. Whatever it answers, no record is skipped and order holds per partition key.
///
/// It is called from all shards at once, and must not block.
pub trait DeliveryPolicy: Send + Sync + 'static {
    /// How many of the records that fit go into the next batch. Below one counts as one, above `fitting` as `fitting`.
    fn cut(&self, fitting: usize) -> usize;

    /// How many of a batch's first `succeeded` records are taken for done; the others are delivered again, as after a
    /// lost checkpoint. Above `succeeded` counts as `succeeded`. One that never lets a batch pass never comes to an end.
    fn checkpoint(&self, succeeded: usize) -> usize;
}

/// What Lambda does as a rule: batches as large as they may be, and every success kept.
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
