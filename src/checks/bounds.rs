//! What values may be.

use super::Measured;

/// The least and the most that a value may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    at_least: Option<f64>,
    at_most: Option<f64>,
}

impl Bounds {
    /// As the settings have them; an error says that they have neither.
    pub(super) fn new(at_least: Option<f64>, at_most: Option<f64>) -> Result<Self, String> {
        match (at_least, at_most) {
            (None, None) => Err("`at-least`, `at-most` or both say what the values may be".to_owned()),
            _ => Ok(Self { at_least, at_most }),
        }
    }

    /// What the values of a query come to: every one must lie within. None of them, or one that is no number, says nothing.
    pub(super) fn judge(self, values: &[f64]) -> Measured {
        if values.is_empty() {
            return Measured::inconclusive("the query gave no value");
        }
        if values.iter().any(|value| value.is_nan()) {
            return Measured::inconclusive("the query gave NaN");
        }
        let shown = values.iter().map(f64::to_string).collect::<Vec<_>>().join(", ");
        let too_little = self.at_least.filter(|least| values.iter().any(|value| value < least));
        let too_much = self.at_most.filter(|most| values.iter().any(|value| value > most));
        match (too_little, too_much) {
            (Some(least), _) => {
                Measured::failed(format!("the query gave {shown}, and {least} is the least that may be"))
            }
            (_, Some(most)) => Measured::failed(format!("the query gave {shown}, and {most} is the most that may be")),
            (None, None) => Measured::successful(format!("the query gave {shown}")),
        }
    }
}
