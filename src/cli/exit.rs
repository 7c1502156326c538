//! Exit codes, one documented enum.

/// How the process ends. The numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything asked for was done.
    Ok = 0,
    /// Findings of severity error, or an unsafe plan.
    Findings = 1,
    /// Usage, configuration, or input and output.
    Usage = 2,
    /// `plan --detailed-exitcode`: safe, and there are steps.
    HasSteps = 3,
    /// Execution failed; the journal is consistent and `resume` is safe.
    Failed = 4,
    /// Stuck: the operator decides.
    Stuck = 5,
    /// The saved plan is stale or edited.
    Stale = 6,
    /// Another executor works on this database; nothing was done.
    Held = 7,
    /// Green failed, and blue has all traffic again; the release can be resumed.
    WentBack = 8,
    /// The release stands still before its end, or before where it was to stop: it is paused, or waits for somebody's word.
    Standing = 9,
    /// The time that was given is up; the release is what it was.
    TimeUp = 10,
    /// `ready` and `gate wait`, and a release that may not begin at this time: not yet; as `EX_TEMPFAIL` of sysexits.h, ask again.
    NotYet = 75,
    /// Interrupted with the state saved.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
