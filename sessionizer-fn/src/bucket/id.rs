//! Which bucket a user belongs to.

use md5::{Digest, Md5};
use shared::user_id::UserId;

/// The bucket of a user, of `buckets` (a power of two, at most 256): the top bits of the MD5 of the user's id.
///
/// Kinesis assigns records to shards by the top bits of the MD5 of their partition keys. With the user as partition key
/// and at least as many buckets as shards, a shard's batch therefore touches only the shard's own buckets.
#[must_use]
pub fn bucket_of(user_id: &UserId, buckets: u32) -> u32 {
    if buckets <= 1 {
        return 0;
    }
    let digest = Md5::digest(user_id.as_str().as_bytes());
    let top = digest.first().copied().unwrap_or_default(); // an MD5 has 16 bytes
    u32::from(top) * buckets / 256
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(user: &str, buckets: u32) -> u32 {
        bucket_of(&UserId::new(user).unwrap(), buckets)
    }

    #[test]
    fn bucket_is_the_top_bits_of_the_md5() {
        // md5("user1") = 24c9e15e…, md5("a") = 0cc175b9…, md5("user3") = 92877af7…
        assert_eq!(["user1", "a", "user3"].map(|user| bucket(user, 256)), [0x24, 0x0c, 0x92]);
        assert_eq!(["user1", "a", "user3"].map(|user| bucket(user, 16)), [0x2, 0x0, 0x9]);
        assert_eq!(["user1", "a", "user3"].map(|user| bucket(user, 2)), [0, 0, 1]);
        assert_eq!(bucket("user3", 1), 0);
    }
}
