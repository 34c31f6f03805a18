//! An array map, mapped into memory: entries are written, and cells stored, without a system call.

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _},
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering, fence},
};

use anycast_common::map::MapValue;

#[cfg(test)]
use super::tables::journal::{Event, Journal, Table};

/// An array of `T`. The kernel rounds each value up to 8 bytes (`array_map_alloc`, kernel/bpf/arraymap.c).
#[derive(Debug)]
pub struct Array<T> {
    start: NonNull<u8>,
    bytes: usize,
    len: u32,
    /// What was written, while somebody looks for what others write.
    written: Option<Vec<u64>>,
    #[cfg(test)]
    journal: Option<(Table, Journal)>,
    _value: std::marker::PhantomData<T>,
}

// SAFETY: the mapping belongs to this value alone on the Rust side; the kernel's side is shared by design and accessed
// through volatile and atomic operations only.
unsafe impl<T: Send> Send for Array<T> {}

impl<T: MapValue> Array<T> {
    const STRIDE: usize = size_of::<T>().next_multiple_of(8);

    /// Maps the array map behind `fd`, made with `BPF_F_MMAPABLE` and `len` entries.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn map(fd: impl AsFd, len: u32) -> io::Result<Self> {
        Self::mmap(libc::MAP_SHARED, fd.as_fd().as_raw_fd(), len)
    }

    /// An array without a kernel behind it.
    ///
    /// # Errors
    ///
    /// No memory.
    pub fn in_memory(len: u32) -> io::Result<Self> {
        Self::mmap(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, len)
    }

    fn mmap(flags: libc::c_int, fd: libc::c_int, len: u32) -> io::Result<Self> {
        // SAFETY: no side effects.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).map_err(io::Error::other)?;
        let bytes = (Self::STRIDE * len as usize).next_multiple_of(page);
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start =
            unsafe { libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, fd, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mmap returned address 0"))?;
        Ok(Self {
            start,
            bytes,
            len,
            written: None,
            #[cfg(test)]
            journal: None,
            _value: std::marker::PhantomData,
        })
    }

    /// Number of entries.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// No entries at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn at(&self, index: u32) -> *mut u8 {
        assert!(index < self.len, "index {index} of an array of {}", self.len);
        // SAFETY: within the mapping by the assertion.
        unsafe { self.start.as_ptr().add(index as usize * Self::STRIDE) }
    }

    /// The entry at `index`.
    pub fn get(&self, index: u32) -> T {
        // SAFETY: in bounds; every bit pattern is valid for a MapValue; alignment is at most 8, that of the stride.
        unsafe { self.at(index).cast::<T>().read_volatile() }
    }

    /// Writes an entry that no cell refers to yet, before any later store.
    pub fn write(&mut self, index: u32, value: T) {
        // SAFETY: as in `get`.
        unsafe { self.at(index).cast::<T>().write_volatile(value) };
        fence(Ordering::SeqCst);
        self.note(index, 0..Self::STRIDE);
        #[cfg(test)]
        self.record(|table, bytes| Event::Write { table, index, bytes: bytes(index, 0, size_of::<T>()) });
    }

    /// Stores the cell at byte `offset` of entry `index`: readers see the old value or the new one.
    pub fn store_cell(&mut self, index: u32, offset: usize, value: u64) {
        assert!(offset.is_multiple_of(8) && offset + 8 <= size_of::<T>(), "no cell at byte {offset}");
        // SAFETY: in bounds and aligned to 8 by the assertion and the stride; atomics may be shared with the kernel.
        let cell = unsafe { AtomicU64::from_ptr(self.at(index).add(offset).cast()) };
        cell.store(value, Ordering::SeqCst);
        if let Some(written) = &mut self.written {
            written[(index as usize * Self::STRIDE + offset) / 8] = value;
        }
        #[cfg(test)]
        self.record(|table, bytes| Event::Store { table, index, offset, bytes: bytes(index, offset, 8) });
    }

    /// Takes what is there for what was written, and remembers from now on what is.
    pub fn watch(&mut self) {
        self.written = Some((0..self.words()).map(|at| self.word(at)).collect());
    }

    /// Stores again what others have changed since [`Self::watch`], word by word: the indexes of those entries.
    pub fn restore(&mut self) -> Vec<u32> {
        let Some(written) = &self.written else { return Vec::new() };
        let changed: Vec<_> = (0..self.words()).filter(|at| self.word(*at) != written[*at]).collect();
        for at in &changed {
            // SAFETY: a whole word of the mapping, aligned as the stride is.
            unsafe { AtomicU64::from_ptr(self.start.as_ptr().add(at * 8).cast()) }
                .store(written[*at], Ordering::SeqCst);
        }
        let mut entries: Vec<_> = changed.iter().map(|at| (at * 8 / Self::STRIDE) as u32).collect();
        entries.dedup();
        entries
    }

    /// Words of all entries.
    fn words(&self) -> usize {
        Self::STRIDE / 8 * self.len as usize
    }

    fn word(&self, at: usize) -> u64 {
        // SAFETY: the caller stays below `words`.
        unsafe { self.start.as_ptr().add(at * 8).cast::<u64>().read_volatile() }
    }

    /// Remembers what an entry has become.
    fn note(&mut self, index: u32, bytes: std::ops::Range<usize>) {
        let first = index as usize * Self::STRIDE;
        if let Some(mut written) = self.written.take() {
            for at in (first + bytes.start) / 8..(first + bytes.end) / 8 {
                written[at] = self.word(at);
            }
            self.written = Some(written);
        }
    }

    /// Indexes of the entries that are not all zero.
    pub fn used(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.len).filter(|index| {
            let start = self.at(*index);
            // SAFETY: the whole entry lies within the mapping.
            let word = |at: usize| unsafe { start.add(at).cast::<[u8; 8]>().read_volatile() };
            (0..Self::STRIDE).step_by(8).any(|at| word(at) != [0; 8])
        })
    }
}

/// What tests look at: see [`super::tables::journal`].
#[cfg(test)]
impl<T: MapValue> Array<T> {
    pub fn set_journal(&mut self, journal: Option<(Table, Journal)>) {
        self.journal = journal;
    }

    fn record(&self, event: impl FnOnce(Table, &dyn Fn(u32, usize, usize) -> Vec<u8>) -> Event) {
        if let Some((table, journal)) = &self.journal {
            let read = |index, offset, len: usize| {
                // SAFETY: `write` and `store_cell` ask for bytes of the entry that they wrote to.
                unsafe { std::slice::from_raw_parts(self.at(index).add(offset), len) }.to_vec()
            };
            let event = event(*table, &read);
            journal.lock().expect("no panic while it is held").push(event);
        }
    }

    /// Everything, strides and all.
    pub fn bytes(&self) -> Vec<u8> {
        // SAFETY: the mapping has this many bytes, and nothing writes to it meanwhile.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), Self::STRIDE * self.len as usize) }.to_vec()
    }

    /// Writes raw bytes, not beyond the end.
    pub fn patch(&mut self, index: u32, offset: usize, bytes: &[u8]) {
        assert!(Self::STRIDE * index as usize + offset + bytes.len() <= Self::STRIDE * self.len as usize);
        // SAFETY: within the mapping by the assertion.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.at(index).add(offset), bytes.len()) };
    }
}

impl<T> Drop for Array<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping that `mmap` made, and nothing refers to it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use anycast_common::map::{LinkEntry, VipEntry};

    use super::*;

    #[test]
    fn entries_and_cells_do_not_touch_their_neighbours() -> io::Result<()> {
        let mut vips = Array::<VipEntry>::in_memory(8)?;
        vips.write(3, VipEntry { address: [7; 16], pool: 1, policy: 2 });
        vips.store_cell(3, offset_of!(VipEntry, pool), 9);
        assert_eq!(vips.get(3), VipEntry { address: [7; 16], pool: 9, policy: 2 });
        assert_eq!(vips.used().collect::<Vec<_>>(), [3]);
        Ok(())
    }

    #[test]
    fn what_others_write_is_found_and_taken_back_and_what_we_write_is_not() -> io::Result<()> {
        let mut vips = Array::<VipEntry>::in_memory(8)?;
        let entry = VipEntry { address: [7; 16], pool: 1, policy: 2 };
        vips.write(3, entry);
        vips.watch();
        vips.write(4, entry);
        vips.store_cell(3, offset_of!(VipEntry, pool), 9);
        assert!(vips.restore().is_empty());
        vips.patch(3, 16, &[1; 8]);
        vips.patch(5, 0, &[1]);
        assert_eq!(vips.restore(), [3, 5]);
        assert_eq!((vips.get(3), vips.get(4)), (VipEntry { pool: 9, ..entry }, entry));
        assert!(vips.restore().is_empty());
        Ok(())
    }

    #[test]
    fn values_are_spaced_by_multiples_of_eight() -> io::Result<()> {
        let mut links = Array::<LinkEntry>::in_memory(4)?;
        links.write(1, LinkEntry { ifindex: 5, mac: [1; 6], vlan_tci: [0, 9] });
        assert_eq!(links.get(0), LinkEntry::default());
        assert_eq!(links.get(1).ifindex, 5);
        assert_eq!(links.get(2), LinkEntry::default());
        Ok(())
    }
}
