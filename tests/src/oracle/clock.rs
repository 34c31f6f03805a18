//! The clocks of the programs.

/// `CLOCK_MONOTONIC`, which the kernel's helpers read as well.
pub(super) fn now_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of this function. The clock is always there, and zero is a time as well.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// `jiffies_64`, which is five minutes short of 2^32 when a machine starts (`INITIAL_JIFFIES`): by the same clock, and the kernel's
/// own resolution of a tick.
pub(super) fn jiffies() -> u64 {
    let mut tick = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: as above.
    unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut tick) };
    let tick_ns = tick.tv_nsec.cast_unsigned().max(1);
    (now_ns() / tick_ns).wrapping_add(1 << 32).wrapping_sub(300_000_000_000 / tick_ns)
}
