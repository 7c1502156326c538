//! Work that is shared between the processors.

use std::num::NonZero;

/// How many processors there are; one for few items, since asking the system costs as much as reading a file.
pub(crate) fn processors(items: usize, few: usize) -> usize {
    if items < few { 1 } else { std::thread::available_parallelism().map_or(1, NonZero::get) }
}

/// What two pieces of work give, done side by side.
pub(crate) fn both<A: Send, B: Send>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> (A, B) {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        match one.join() {
            Ok(one) => (one, other),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// What the work gives for each share, in their order. The first is done here, each other one on a thread of its own.
pub(crate) fn each<S: Sync, T: Send>(shares: &[S], work: impl Fn(&S) -> T + Sync) -> Vec<T> {
    let Some((first, others)) = shares.split_first() else { return Vec::new() };
    let work = &work;
    std::thread::scope(|scope| {
        let workers: Vec<_> = others.iter().map(|share| (share, scope.spawn(move || work(share)))).collect();
        let mut results = vec![work(first)];
        // A worker that died is made up for here, where its panic has a caller.
        results.extend(workers.into_iter().map(|(share, worker)| worker.join().unwrap_or_else(|_| work(share))));
        results
    })
}
