//! Ranges of addresses that are given to a runtime page by page, by the rules of `VirtualAlloc`.
//!
//! A *region* is reserved as a whole and released as a whole. Its pages are reserved, or committed with a protection; what is
//! the same from one page on to the next is kept as one *run*. Nothing but the runs of regions of ours is ever touched, so
//! that no address can do harm that the runtime does not do to its own memory.
//!
//! Room for unsafe code: the kernel's calls on those ranges, and the place for what a query finds.

use std::collections::BTreeMap;
use std::ffi::c_void;

use super::argument::{Argument, Output};
use super::hresult::Hresult;
use super::{
    MEM_COMMIT, MEM_DECOMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_EXECUTE, PAGE_EXECUTE_READ,
    PAGE_EXECUTE_READWRITE, PAGE_EXECUTE_WRITECOPY, PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE,
    PAGE_WRITECOPY,
};

const PAGE: usize = 4096;
/// Regions begin at multiples of this, as they do on Windows.
const GRANULE: usize = 64 * 1024;
/// No range is as long as this, and none lies beyond it.
const LIMIT: usize = 1 << 47;
const MEM_FREE: u32 = 0x1_0000;
const MEM_PRIVATE: u32 = 0x2_0000;
/// A run that is reserved only.
const RESERVED: u32 = 0;

/// An address, as a number: nobody follows it here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(pub usize);

impl Argument for Address {
    type Words = (*mut c_void,);

    unsafe fn check((pointer,): Self::Words) -> Result<Self, Hresult> {
        Ok(Address(pointer.expose_provenance()))
    }
}

impl Output for Address {
    type Word = *mut c_void;
    const NOTHING: *mut c_void = std::ptr::null_mut();

    fn word(self) -> *mut c_void {
        std::ptr::with_exposed_provenance_mut(self.0)
    }
}

/// What a query finds: `MEMORY_BASIC_INFORMATION`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct RegionInfo {
    /// Where the pages begin.
    pub base: usize,
    /// Where their region begins.
    pub region: usize,
    /// The protection with which it was reserved.
    pub region_protection: u32,
    /// Nothing.
    pub padding: u32,
    /// How many bytes are the same from the first page on.
    pub size: usize,
    /// Free, reserved or committed.
    pub state: u32,
    /// The protection, if they are committed.
    pub protection: u32,
    /// That the memory is private, unless it is free.
    pub kind: u32,
    /// Nothing.
    pub padding_at_end: u32,
}

/// A place for what a query finds.
#[derive(Debug)]
pub struct RegionPlace(*mut RegionInfo);

// SAFETY: it is written to once, during the call.
unsafe impl Send for RegionPlace {}

impl RegionPlace {
    /// Writes it there. Returns how many bytes that was.
    ///
    /// # Safety
    /// The call that brought the place has not returned.
    pub unsafe fn write(self, info: RegionInfo) -> usize {
        // SAFETY: `check` has found it to be right, and the caller's pointer is good for the length of the call.
        unsafe { self.0.write(info) };
        size_of::<RegionInfo>()
    }

    /// The same for those who are known to write at once.
    pub(crate) fn write_at_once(self, info: RegionInfo) -> usize {
        // SAFETY: in this crate a place is used by the method that gets it, and by nobody later.
        unsafe { self.write(info) }
    }
}

impl Argument for RegionPlace {
    type Words = (*mut c_void, usize);

    unsafe fn check((pointer, length): Self::Words) -> Result<Self, Hresult> {
        let place = pointer.cast::<RegionInfo>();
        if place.is_null() {
            return Err(Hresult::E_POINTER);
        }
        if !place.is_aligned() || length < size_of::<RegionInfo>() {
            return Err(Hresult::E_INVALIDARG);
        }
        Ok(RegionPlace(place))
    }
}

/// What the kernel is asked for; none if there is no such protection.
fn access(protection: u32) -> Option<i32> {
    let (read, write, run) = (libc::PROT_READ, libc::PROT_WRITE, libc::PROT_EXEC);
    Some(match protection {
        PAGE_NOACCESS => libc::PROT_NONE,
        PAGE_READONLY => read,
        PAGE_READWRITE | PAGE_WRITECOPY => read | write,
        PAGE_EXECUTE => run,
        PAGE_EXECUTE_READ => read | run,
        PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY => read | write | run,
        _ => return None,
    })
}

#[derive(Debug)]
struct Region {
    end: usize,
    protection: u32,
    /// From an address to the next run or to the end; `RESERVED`, or the protection of what is committed.
    runs: BTreeMap<usize, u32>,
}

impl Region {
    /// Start, end and state of the runs in a range, cut to it.
    fn runs_in(&self, start: usize, end: usize) -> Vec<(usize, usize, u32)> {
        let first = self.runs.range(..=start).next_back().map(|(at, _)| *at);
        let first = first.unwrap_or(start);
        let mut found = Vec::new();
        let mut runs = self.runs.range(first..end).peekable();
        while let Some((at, state)) = runs.next() {
            let next = runs.peek().map_or(self.end, |(next, _)| **next);
            found.push((start.max(*at), end.min(next), *state));
        }
        found
    }

    fn committed_in(&self, start: usize, end: usize) -> usize {
        let runs = self.runs_in(start, end);
        let committed = runs.iter().filter(|(_, _, state)| *state != RESERVED);
        committed.map(|(start, end, _)| end - start).sum()
    }

    fn set(&mut self, start: usize, end: usize, state: u32) {
        if end < self.end {
            let after = self.runs.range(..=end).next_back();
            let after = *after.expect("there is a run at the begin").1;
            self.runs.insert(end, after);
        }
        self.runs.retain(|at, _| *at < start || *at >= end);
        self.runs.insert(start, state);
        let mut before = None;
        self.runs
            .retain(|_, state| before.replace(*state) != Some(*state));
    }
}

/// The regions of one host.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    regions: BTreeMap<usize, Region>,
    reserved: usize,
}

/// What was asked for, checked as far as the numbers say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allocation {
    start: usize,
    end: usize,
    commit: bool,
    reserve: bool,
    protection: u32,
}

impl Allocation {
    /// # Errors
    /// `E_INVALIDARG` for what `VirtualAlloc` does not know; `E_OUTOFMEMORY` for more than there can be.
    pub(crate) fn check(
        at: usize,
        size: usize,
        how: u32,
        protection: u32,
    ) -> Result<Allocation, Hresult> {
        let known = MEM_COMMIT | MEM_RESERVE;
        if how & !known != 0 || how & known == 0 || size == 0 || access(protection).is_none() {
            return Err(Hresult::E_INVALIDARG);
        }
        if size >= LIMIT || at >= LIMIT {
            return Err(Hresult::E_OUTOFMEMORY);
        }
        let reserve = how & MEM_RESERVE != 0 || at == 0;
        let grain = if reserve { GRANULE } else { PAGE };
        Ok(Allocation {
            start: at / grain * grain,
            end: (at + size).next_multiple_of(PAGE),
            commit: how & MEM_COMMIT != 0,
            reserve,
            protection,
        })
    }

    fn size(&self) -> usize {
        self.end - self.start
    }

    /// How many bytes of addresses are new.
    pub(crate) fn reserves(&self) -> usize {
        if self.reserve { self.size() } else { 0 }
    }
}

impl Pages {
    /// Bytes of addresses that are reserved.
    pub(crate) fn reserved(&self) -> usize {
        self.reserved
    }

    /// How many more bytes would be committed.
    pub(crate) fn commits(&self, what: &Allocation) -> Result<usize, Hresult> {
        match (what.commit, what.reserve) {
            (false, _) => Ok(0),
            (true, true) => Ok(what.size()),
            (true, false) => {
                let (_, region) = self.region(what.start, what.end)?;
                Ok(what.size() - region.committed_in(what.start, what.end))
            }
        }
    }

    /// The region that has all of this range.
    fn region(&self, start: usize, end: usize) -> Result<(usize, &Region), Hresult> {
        let found = self.regions.range(..=start).next_back();
        found
            .filter(|(_, region)| start < region.end && end <= region.end)
            .map(|(at, region)| (*at, region))
            .ok_or(Hresult::HOST_E_INVALIDOPERATION)
    }

    fn region_mut(&mut self, at: usize) -> &mut Region {
        self.regions.get_mut(&at).expect("it was just found")
    }

    /// Reserves, commits, or both. Returns where.
    ///
    /// # Errors
    /// `E_OUTOFMEMORY`; `HOST_E_INVALIDOPERATION` to commit what is not reserved.
    pub(crate) fn allocate(&mut self, what: Allocation) -> Result<usize, Hresult> {
        if !what.reserve {
            let (at, _) = self.region(what.start, what.end)?;
            self.commit(at, what.start, what.end, what.protection)?;
            return Ok(what.start);
        }
        let start = map(what.start, what.size()).ok_or(Hresult::E_OUTOFMEMORY)?;
        let end = start + what.size();
        let region = Region {
            end,
            protection: what.protection,
            runs: BTreeMap::from([(start, RESERVED)]),
        };
        self.regions.insert(start, region);
        self.reserved += what.size();
        if what.commit
            && let Err(error) = self.commit(start, start, end, what.protection)
        {
            self.forget(start);
            return Err(error);
        }
        Ok(start)
    }

    fn commit(
        &mut self,
        at: usize,
        start: usize,
        end: usize,
        protection: u32,
    ) -> Result<(), Hresult> {
        let access = access(protection).ok_or(Hresult::E_INVALIDARG)?;
        if !protect(start, end, access) {
            return Err(Hresult::E_OUTOFMEMORY);
        }
        self.region_mut(at).set(start, end, protection);
        Ok(())
    }

    /// Gives pages back, or a region. Returns how many bytes were committed.
    ///
    /// # Errors
    /// `E_INVALIDARG` for what `VirtualFree` does not know; `HOST_E_INVALIDOPERATION` for what is not ours.
    pub(crate) fn free(&mut self, at: usize, size: usize, how: u32) -> Result<usize, Hresult> {
        match how {
            MEM_RELEASE if size == 0 => {
                let region = self.regions.get(&at);
                let region = region.ok_or(Hresult::HOST_E_INVALIDOPERATION)?;
                let committed = region.committed_in(at, region.end);
                self.forget(at);
                Ok(committed)
            }
            MEM_DECOMMIT if size < LIMIT && at < LIMIT => {
                let start = at / PAGE * PAGE;
                let end = (at + size).next_multiple_of(PAGE).max(start + 1);
                let (region_at, region) = self.region(start, end)?;
                let end = match size {
                    0 if start != region_at => return Err(Hresult::E_INVALIDARG),
                    0 => region.end,
                    _ => end,
                };
                let committed = region.committed_in(start, end);
                if !map_again(start, end) {
                    return Err(Hresult::E_OUTOFMEMORY);
                }
                self.region_mut(region_at).set(start, end, RESERVED);
                Ok(committed)
            }
            _ => Err(Hresult::E_INVALIDARG),
        }
    }

    fn forget(&mut self, at: usize) {
        let region = self.regions.remove(&at).expect("it was just found");
        self.reserved -= region.end - at;
        unmap(at, region.end);
    }

    /// Another protection for pages that are committed. Returns that of the first before.
    ///
    /// # Errors
    /// `E_INVALIDARG` for no protection or no pages; `HOST_E_INVALIDOPERATION` for what is not ours or not committed.
    pub(crate) fn protect(
        &mut self,
        at: usize,
        size: usize,
        protection: u32,
    ) -> Result<u32, Hresult> {
        if size == 0 || size >= LIMIT || at >= LIMIT || access(protection).is_none() {
            return Err(Hresult::E_INVALIDARG);
        }
        let (start, end) = (at / PAGE * PAGE, (at + size).next_multiple_of(PAGE));
        let (region_at, region) = self.region(start, end)?;
        let runs = region.runs_in(start, end);
        if runs.iter().any(|(_, _, state)| *state == RESERVED) {
            return Err(Hresult::HOST_E_INVALIDOPERATION);
        }
        self.commit(region_at, start, end, protection)?;
        Ok(runs[0].2)
    }

    /// What is at an address. What is not ours is free as far as it is known here.
    pub(crate) fn query(&self, at: usize) -> RegionInfo {
        let base = at / PAGE * PAGE;
        let Ok((start, region)) = self.region(base, base.saturating_add(1)) else {
            let next = self.regions.range(base..).next().map(|(next, _)| *next);
            return RegionInfo {
                base,
                size: next.unwrap_or(LIMIT).saturating_sub(base),
                state: MEM_FREE,
                protection: PAGE_NOACCESS,
                ..RegionInfo::default()
            };
        };
        let (_, end, state) = region.runs_in(base, region.end)[0];
        RegionInfo {
            base,
            region: start,
            region_protection: region.protection,
            size: end - base,
            state: if state == RESERVED {
                MEM_RESERVE
            } else {
                MEM_COMMIT
            },
            protection: state,
            kind: MEM_PRIVATE,
            ..RegionInfo::default()
        }
    }
}

/// New addresses without memory, from a multiple of the granule on: there, or anywhere for 0.
fn map(at: usize, size: usize) -> Option<usize> {
    let mut flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let length = if at == 0 { size + GRANULE } else { size };
    flags |= if at == 0 {
        0
    } else {
        libc::MAP_FIXED_NOREPLACE
    };
    let wish = std::ptr::with_exposed_provenance_mut(at);
    // SAFETY: new memory, which replaces none.
    let found = unsafe { libc::mmap(wish, length, libc::PROT_NONE, flags, -1, 0) };
    if found == libc::MAP_FAILED {
        return None;
    }
    let found = found.expose_provenance();
    if at != 0 {
        if found != at {
            unmap(found, found + length);
            return None;
        }
        return Some(at);
    }
    let start = found.next_multiple_of(GRANULE);
    unmap(found, start);
    unmap(start + size, found + length);
    Some(start)
}

fn unmap(start: usize, end: usize) {
    if start < end {
        let memory = std::ptr::with_exposed_provenance_mut(start);
        // SAFETY: a range that was mapped here and that nobody has any more. It can only fail for too many mappings, and
        // then the addresses stay taken, which harms nobody.
        unsafe { libc::munmap(memory, end - start) };
    }
}

/// Puts new addresses without memory in the place of those with some: what was in them is gone.
fn map_again(start: usize, end: usize) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
    let memory = std::ptr::with_exposed_provenance_mut(start);
    // SAFETY: a range of one of our regions, which the runtime gives back.
    let found = unsafe { libc::mmap(memory, end - start, libc::PROT_NONE, flags, -1, 0) };
    found != libc::MAP_FAILED
}

fn protect(start: usize, end: usize, access: i32) -> bool {
    let memory = std::ptr::with_exposed_provenance_mut(start);
    // SAFETY: a range of one of our regions, whose user asks for it.
    unsafe { libc::mprotect(memory, end - start, access) == 0 }
}
