//! How fast PostgreSQL reads, sorts and writes a table: what is *assumed* where a size is known and a time is wanted.
//!
//! Measured with `benches/throughput.sh` (PostgreSQL 15.18 with its own defaults, two cores, a local disk, everything in memory; MB of heap a
//! second, the slowest and the fastest of three runs on narrow rows of 93 bytes and on wide ones of 1,170):
//!
//! | operation | narrow | wide |
//! |---|---|---|
//! | catalog only (`ADD COLUMN`) | 1 ms | 2 ms |
//! | scan: `SET NOT NULL` | 1,719 – 1,818 | 4,208 – 4,472 |
//! | scan: `CHECK` | 1,409 – 1,607 | 3,433 – 4,399 |
//! | scan: `FOREIGN KEY` | 703 – 707 | 3,048 – 3,151 |
//! | index on a bigint | 270 – 296 | 2,052 – 2,306 |
//! | index on 32 characters | 147 – 152 | 1,252 – 1,472 |
//! | unique index on two columns | 135 – 160 | 1,017 – 1,586 |
//! | rewrite: `int` to `bigint` | 168 – 178 | 281 – 357 |
//! | rewrite: `gen_random_uuid()` for every row | 48 – 53 | 222 – 240 |
//!
//! The fast end of a range is the fastest that was measured. The slow end is a judgement: a table that is not in memory, on storage that reads
//! and writes some 100 MB/s (what the cheaper volumes of the clouds give), beside the load of production. `[stats.throughput]` in `cutover.toml`
//! puts what a team has measured in its place.

use serde::Deserialize;

/// MB (10⁶ bytes) of a table's heap a second, from slow to fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "(u32, u32)")]
pub struct Throughput {
    /// On a bad day.
    pub slow: u32,
    /// On a good one.
    pub fast: u32,
}

/// By what is done with the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throughputs {
    /// All rows are read and tested.
    pub scan: Throughput,
    /// All rows are read and sorted, and an index is written.
    pub index: Throughput,
    /// All rows are written anew; its indexes come on top.
    pub rewrite: Throughput,
}

impl Default for Throughputs {
    fn default() -> Self {
        Self {
            scan: Throughput { slow: 100, fast: 4_500 },
            index: Throughput { slow: 30, fast: 2_300 },
            rewrite: Throughput { slow: 20, fast: 360 },
        }
    }
}

/// What a change of the catalog alone takes, in milliseconds, from fast to slow: one or two here, more where the commit waits for a disk or
/// a replica.
pub const CATALOG: (u64, u64) = (1, 100);

impl Throughput {
    /// How long so many bytes take in milliseconds: on a good day, and on a bad one.
    pub(crate) fn times(self, fewest: u64, most: u64) -> (u64, u64) {
        // MB/s are thousands of bytes a millisecond.
        let time = |bytes: u64, speed: u32| bytes.div_ceil(u64::from(speed.max(1)) * 1_000);
        (fewest / (u64::from(self.fast.max(1)) * 1_000), time(most, self.slow))
    }
}

impl TryFrom<(u32, u32)> for Throughput {
    type Error = String;

    fn try_from((slow, fast): (u32, u32)) -> Result<Self, String> {
        if slow == 0 || slow > fast {
            return Err(format!("[{slow}, {fast}] is no range of MB/s; write the slow one first, such as [100, 4500]"));
        }
        Ok(Self { slow, fast })
    }
}
