//! Compression of a commit's bytes, with [zstd](https://facebook.github.io/zstd/).

use serde::{Deserialize, Serialize};
use zstd::bulk::{Compressor, Decompressor};

/// The fastest of zstd's regular levels. Level 3 takes half as long again for commits of the same size, level 6 three
/// times as long for 2 % less.
const LEVEL: i32 = 1;

/// Most bytes of compressed data once they are decompressed. A commit has less than 400 KB; damaged bytes could state
/// any length.
pub(crate) const MAX_DECOMPRESSED_BYTES: usize = 1 << 20;

/// Compressed bytes, as they are stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Compressed<'a> {
    /// How many bytes they are once decompressed.
    len: u32,
    /// A zstd frame.
    frame: &'a [u8],
}

impl<'a> Compressed<'a> {
    /// The `frame` of `len` bytes.
    pub(crate) fn of(len: usize, frame: &'a [u8]) -> Self {
        Self { len: u32::try_from(len).unwrap_or(u32::MAX), frame }
    }

    /// The bytes.
    ///
    /// # Errors
    /// If they are damaged, have another length than stated, or more than [`MAX_DECOMPRESSED_BYTES`].
    pub(crate) fn decompress(&self, decompressor: &mut Decompressor<'_>) -> Result<Vec<u8>, String> {
        let len = usize::try_from(self.len).unwrap_or(usize::MAX);
        if len > MAX_DECOMPRESSED_BYTES {
            return Err(format!("{len} bytes once decompressed, more than the limit of {MAX_DECOMPRESSED_BYTES}"));
        }
        let bytes = decompressor.decompress(self.frame, len).map_err(|error| error.to_string())?;
        if bytes.len() == len { Ok(bytes) } else { Err(format!("{} bytes, expected {len}", bytes.len())) }
    }
}

/// A compressor for the frames of one commit.
///
/// # Errors
/// If there is no memory.
pub(crate) fn compressor<'d>() -> Result<Compressor<'d>, String> {
    Compressor::new(LEVEL).map_err(|error| error.to_string())
}
