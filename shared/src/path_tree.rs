//! Paths to fields as a tree, in which an object is looked up key by key.
//!
//! A field has a slot: the bit of its index.

use crate::field_path::FieldPath;
use crate::json_string::unescaped;

/// A set of fields, as bits.
pub(crate) type Slots = u64;

/// The paths of a few fields. The first node is the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathTree {
    nodes: Vec<Node>,
}

/// What follows one part of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// The fields whose path ends here.
    pub(crate) ends: Slots,
    /// The fields whose path ends here or further below.
    pub(crate) all: Slots,
    /// What the value of a key is put into that no path leads to.
    pub(crate) others: Slots,
    branches: Vec<Branch>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Branch {
    key: String,
    /// The key as most producers write it in JSON; `None` if they have to escape something in it.
    quoted: Option<String>,
    /// The key as an array's index.
    index: Option<usize>,
    node: usize,
}

impl PathTree {
    /// The tree of `paths`, each with the slot it fills. Slots are below [`Slots::BITS`].
    pub(crate) fn of<'p>(paths: impl IntoIterator<Item = (usize, &'p FieldPath)>) -> Self {
        let mut tree = Self { nodes: vec![Node::default()] };
        for (slot, path) in paths {
            let bit = 1 << slot;
            let mut at = 0;
            for token in path.tokens() {
                tree.nodes[at].all |= bit;
                at = tree.branch(at, token);
            }
            tree.nodes[at].all |= bit;
            tree.nodes[at].ends |= bit;
        }
        tree
    }

    /// The tree of these top-level keys, in the order of their slots.
    pub(crate) fn of_contract(names: &[&'static str]) -> Self {
        let paths: Vec<_> = names.iter().map(|name| FieldPath::of_contract(name)).collect();
        Self::of(paths.iter().enumerate())
    }

    /// The same tree, in which the last value of a top-level key that is not among them fills `slot`.
    pub(crate) fn with_others(mut self, slot: usize) -> Self {
        self.nodes[0].others = 1 << slot;
        self
    }

    /// The node behind `key` of the node `at`, added if there is none.
    fn branch(&mut self, at: usize, key: &str) -> usize {
        if let Some(branch) = self.nodes[at].branches.iter().find(|branch| branch.key == key) {
            return branch.node;
        }
        let node = self.nodes.len();
        self.nodes.push(Node::default());
        let quoted = (!key.contains(['"', '\\'])).then(|| format!("\"{key}\""));
        self.nodes[at].branches.push(Branch { key: key.to_owned(), quoted, index: array_index(key), node });
        node
    }

    pub(crate) fn root(&self) -> &Node {
        &self.nodes[0]
    }

    /// The node behind the key `raw`, a JSON string with its quotes.
    pub(crate) fn behind_key(&self, node: &Node, raw: &str) -> Option<&Node> {
        let branch = match node.branches.iter().find(|branch| branch.quoted.as_deref() == Some(raw)) {
            None if raw.bytes().any(|byte| byte == b'\\') => {
                let key = unescaped(raw)?;
                node.branches.iter().find(|branch| branch.key == *key)
            }
            branch => branch,
        };
        self.nodes.get(branch?.node)
    }

    /// The node behind the element `index` of an array.
    pub(crate) fn behind_index(&self, node: &Node, index: usize) -> Option<&Node> {
        let branch = node.branches.iter().find(|branch| branch.index == Some(index))?;
        self.nodes.get(branch.node)
    }
}

impl Node {
    /// Whether paths go on below.
    pub(crate) fn has_branches(&self) -> bool {
        !self.branches.is_empty()
    }
}

/// `key` as an array's index, which RFC 6901 writes without leading zeros.
fn array_index(key: &str) -> Option<usize> {
    let is_canonical = key == "0" || (!key.starts_with('0') && key.bytes().all(|byte| byte.is_ascii_digit()));
    key.parse().ok().filter(|_| is_canonical)
}
