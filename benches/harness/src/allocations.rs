//! Counting of allocations.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

/// The system's allocator with counters for each thread. A thread-local counter costs about a
/// nanosecond. A shared one would cost several times as much.
#[derive(Debug)]
pub struct Counting;

#[expect(unsafe_code, reason = "the trait is unsafe; all work is the system's")]
#[expect(
    clippy::cast_possible_wrap,
    reason = "no allocation is larger than half of the address space"
)]
// SAFETY: every call is forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let _ = LIVE.try_with(|live| live.set(live.get() - layout.size() as i64));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = LIVE.try_with(|live| live.set(live.get() - layout.size() as i64));
        note(size);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[expect(
    clippy::cast_possible_wrap,
    reason = "no allocation is larger than half of the address space"
)]
fn note(size: usize) {
    // A thread that is ending no longer has counters.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
    let _ = BYTES.try_with(|bytes| bytes.set(bytes.get() + size as u64));
    let _ = LIVE.try_with(|live| live.set(live.get() + size as i64));
}

/// The allocations of this thread so far, if [`Counting`] is the allocator.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocations {
    /// Number of allocations, including reallocations.
    pub count: u64,
    /// Total number of bytes.
    pub bytes: u64,
    /// Allocated bytes minus freed bytes.
    pub live: i64,
}

impl Allocations {
    /// Returns the current counts.
    #[must_use]
    pub fn so_far() -> Self {
        Self {
            count: COUNT.get(),
            bytes: BYTES.get(),
            live: LIVE.get(),
        }
    }
}
