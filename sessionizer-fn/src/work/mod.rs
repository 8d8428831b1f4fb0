//! The work on one bucket: read on, decide, write, publish.
//!
//! [`worker`] drives a batch's clicks or a sweep through commits. It reads with [`reading`], which keeps a bucket's
//! memory a whole prefix of its log, publishes with [`publishing`], and retries what is transient ([`attempts`]).
//! [`error`] lists what ends the work on a bucket. [`forgetting`] drives a log through the commits that forget a user; it
//! is for operators, no function calls it.

pub mod attempts;
pub mod error;
pub mod forgetting;
pub mod publishing;
pub mod reading;
pub mod worker;
