//! Work that is shared between the processors.

use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// What a worker has for its stack: room for the deepest query, so that none has to make room for itself. Only what is used is taken.
const STACK: usize = 16 << 20;

/// How many processors there are; one for few items, since asking the system costs as much as reading a file.
pub(crate) fn processors(items: usize, few: usize) -> usize {
    if items < few { 1 } else { std::thread::available_parallelism().map_or(1, NonZero::get) }
}

/// A thread beside this one, if the system has one to give.
fn worker<'s, T: Send + 's>(
    scope: &'s Scope<'s, '_>,
    work: impl FnOnce() -> T + Send + 's,
) -> Option<ScopedJoinHandle<'s, T>> {
    Builder::new().stack_size(STACK).spawn_scoped(scope, work).ok()
}

/// What the work gives for each item, in their order; on all processors, unless the items are few. Whoever is free takes the next few, since
/// some take much longer than others.
pub(crate) fn map<I: Sync, T: Send + Sync>(items: &[I], few: usize, work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    const SHARES: usize = 16;
    let processors = processors(items.len(), few);
    if processors == 1 {
        return items.iter().map(work).collect();
    }
    let shares = items.chunks(items.len().div_ceil(processors * SHARES));
    let shares: Vec<(&[I], OnceLock<Vec<T>>)> = shares.map(|share| (share, OnceLock::new())).collect();
    let next = AtomicUsize::new(0);
    let take = || {
        while let Some((share, done)) = shares.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.get_or_init(|| share.iter().map(&work).collect());
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (1..processors).filter_map(|_| worker(scope, take)).collect();
        take();
        // What a worker died of is made up for below, where its panic has a caller.
        workers.into_iter().for_each(|worker| _ = worker.join());
    });
    let made =
        shares.into_iter().map(|(share, done)| done.into_inner().unwrap_or_else(|| share.iter().map(&work).collect()));
    made.flatten().collect()
}
