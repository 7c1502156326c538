//! What several measurements come to.

use super::{CheckVerdict, Measured};
use crate::release::CheckLimits;

/// What a check has said so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CheckCounts {
    failures: u32,
    inconclusive: u32,
    errors_in_a_row: u32,
}

/// What it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judged {
    /// Green does well.
    Passed,
    /// More is needed.
    Open,
    /// It failed too often, or nobody answered for too long.
    Failed,
    /// It said too often that it cannot say.
    Inconclusive,
}

impl CheckCounts {
    /// Takes one more measurement.
    pub(crate) fn add(&mut self, measured: &Measured, limits: &CheckLimits) -> Judged {
        let in_a_row = self.errors_in_a_row + 1;
        self.errors_in_a_row = if measured.verdict == CheckVerdict::Error { in_a_row } else { 0 };
        let (count, limit, beyond) = match measured.verdict {
            CheckVerdict::Successful => return Judged::Passed,
            CheckVerdict::Failed => (&mut self.failures, limits.failure_limit, Judged::Failed),
            CheckVerdict::Inconclusive => (&mut self.inconclusive, limits.inconclusive_limit, Judged::Inconclusive),
            CheckVerdict::Error => {
                let is_beyond = in_a_row > limits.consecutive_error_limit;
                return if is_beyond { Judged::Failed } else { Judged::Open };
            }
        };
        *count += 1;
        if *count > limit { beyond } else { Judged::Open }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_trouble_has_its_limit() {
        let check = |words: &str, expected: Judged| {
            let limits = CheckLimits {
                failure_limit: 1,
                inconclusive_limit: 1,
                consecutive_error_limit: 2,
                ..CheckLimits::default()
            };
            let mut counts = CheckCounts::default();
            let mut last = Judged::Open;
            for letter in words.chars() {
                let measured = match letter {
                    's' => Measured::successful(""),
                    'f' => Measured::failed(""),
                    'i' => Measured::inconclusive(""),
                    _ => Measured::error(""),
                };
                last = counts.add(&measured, &limits);
            }
            assert_eq!(last, expected, "{words}");
        };
        check("s", Judged::Passed);
        check("f", Judged::Open);
        check("ff", Judged::Failed);
        check("fsf", Judged::Failed);
        check("ii", Judged::Inconclusive);
        check("ifs", Judged::Passed);
        check("ee", Judged::Open);
        check("eee", Judged::Failed);
        check("eesee", Judged::Open);
    }
}
