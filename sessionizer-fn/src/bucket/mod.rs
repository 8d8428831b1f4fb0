//! A bucket: the users whose ids begin with the same bits, and the log that they share.
//!
//! Pure, in the order of use: [`id`] assigns users to buckets, [`memory`] is what an environment knows of a bucket,
//! [`clock`] decides whose inactivity may be reported, and [`plan`] makes the next commit, in which [`tail`] empties the
//! oldest ones. [`forgetting`] makes a commit that forgets a user.

pub mod bounds;
pub mod clock;
pub mod forgetting;
pub mod id;
pub mod memory;
pub mod plan;
pub mod tail;
