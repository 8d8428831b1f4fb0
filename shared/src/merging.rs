//! What merges: anything that a session keeps of its clicks.
//!
//! A late click can make two sessions one, so whatever a session keeps must follow from what the two kept, without
//! their clicks. Anything that merges like this can be kept in a session, and the session rule needs not know what it is.

use crate::click::Click;

/// A summary of one or more clicks of a user.
///
/// Laws, which the tests beside check:
///
/// * Merging is associative: `(a + b) + c` is `a + (b + c)`.
/// * Taking a click is merging with the summary of that click alone.
/// * Summaries without a common event time can be merged in any order.
///
/// So the order in which clicks are taken does not show, except among clicks with the same event time. Of these, the
/// ones that arrived earlier are on the left of a merger. All clicks of one event time are always in one session, so
/// the order in which they arrived is all that decides, however often sessions were merged in between.
pub trait Merging {
    /// The summary of `click` alone.
    fn of(click: &Click) -> Self;

    /// Adds a click that arrived after all others.
    fn take(&mut self, click: &Click);

    /// Adds the clicks of `other`: those of the next session, or clicks that arrived after all others.
    fn merge(&mut self, other: &Self);
}

#[cfg(test)]
#[path = "merging_tests.rs"]
mod tests;
