//! `IHostMemoryManager` and `IHostMalloc`: memory for the runtime, with an account of it.
//!
//! # The account
//!
//! A request names a *critical level*: how bad its refusal would be. Each level has a limit of its own for all that is in use,
//! so that a host refuses first what only a task needs, and keeps a reserve for what the process needs.
//! `used` is the one number that every request changes, with one locked instruction. What is in use at the levels above the
//! lowest is counted beside it; the lowest is what is left over, so the usual request pays nothing for that.
//! A request is counted before it is granted: many together never pass a limit. One that does not fit is taken off again, so
//! that for a moment another one may be refused that would have fitted.
//!
//! Small blocks of the lowest level that come back are kept by the OS thread that gives them back, on a shelf of some
//! kilobytes, as long as the limits are far away (`com::shelf`, `com::quick`). They stay counted, so that a thread which asks for such a block
//! again changes no number that others see. The figures leave them out, and so does whoever is about to refuse a request.
//!
//! # The pressure
//!
//! What is left below the limit of the lowest level is high, neutral or low ([`EMemoryAvailable`]). Going up and coming down
//! have different borders, so that a use that trembles at one is one edge. The runtime is told of each edge by a thread of the
//! account's own: requests come with locks of the runtime's held, in the midst of collections. Edges that come faster than
//! the runtime listens are one: it is told what holds, and never the same twice running.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::com::clr::ICLRMemoryNotificationCallback;
use crate::com::heap::{Heap, SIZE_LIMIT};
use crate::com::host::{IHostMalloc, IHostMemoryManager};
use crate::com::pages::{Allocation, Pages};
use crate::com::shelf;
use crate::com::{
    Address, Block, ComRef, EMemoryAvailable, EMemoryCriticalLevel, FileName, Gate, Hresult,
    MALLOC_TYPE, MEM_DECOMMIT, MEM_RELEASE, RegionPlace,
};

/// With a smaller limit than this nothing is kept on shelves.
const SHELVES_FROM: usize = 256 * 1024 * 1024;

/// How long what the system says of its memory is believed.
const BELIEVED: Duration = Duration::from_millis(100);

/// How many bytes may be in use for a request to be granted, by its critical level. Default: no limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Requests whose refusal costs a task. The pressure that the runtime is told of is measured by this.
    pub task: usize,
    /// Requests whose refusal costs an application domain.
    pub app_domain: usize,
    /// Requests whose refusal costs the process.
    pub process: usize,
    /// Bytes of addresses that are reserved here or taken from the system.
    pub addresses: usize,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        MemoryLimits {
            task: usize::MAX,
            app_domain: usize::MAX,
            process: usize::MAX,
            addresses: usize::MAX,
        }
    }
}

/// What is in use, and what was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryFigures {
    /// Bytes of heaps, by critical level: task, application domain, process.
    pub heaps: [usize; 3],
    /// Bytes of committed pages.
    pub committed: usize,
    /// Bytes of addresses that are reserved here.
    pub reserved: usize,
    /// Bytes of addresses that the runtime has taken from the system.
    pub acquired: usize,
    /// Requests that were refused because of a limit, by critical level.
    pub refused: [u64; 3],
    /// How often the runtime was told of an edge.
    pub notifications: u64,
}

#[derive(Debug, Default)]
struct Account {
    /// Of all that is in use: heaps at the levels above the lowest, and pages.
    app_domain: AtomicUsize,
    process: AtomicUsize,
    pages: AtomicUsize,
    /// Those of the levels above the lowest.
    limits: [AtomicUsize; 2],
    addresses: AtomicUsize,
    refused: [AtomicU64; 3],
    /// Beyond these the pressure has to be looked at.
    border_above: AtomicUsize,
    border_below: AtomicUsize,
}

/// What the runtime is to be told.
#[derive(Debug, Default)]
struct Pressure {
    callback: Option<ICLRMemoryNotificationCallback>,
    now: Level,
    told: Level,
    notifications: u64,
    closed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Level {
    #[default]
    High,
    Neutral,
    Low,
}

impl Level {
    fn available(self) -> EMemoryAvailable {
        match self {
            Level::High => EMemoryAvailable::eMemoryAvailableHigh,
            Level::Neutral => EMemoryAvailable::eMemoryAvailableNeutral,
            Level::Low => EMemoryAvailable::eMemoryAvailableLow,
        }
    }

    /// The use below which and from which on it is another one, for this limit.
    fn borders(self, limit: usize) -> (usize, usize) {
        if limit == usize::MAX {
            return (0, usize::MAX);
        }
        let percent = |percent: usize| limit / 100 * percent + limit % 100 * percent / 100;
        match self {
            Level::High => (0, percent(70)),
            Level::Neutral => (percent(60), percent(90)),
            Level::Low => (percent(80), usize::MAX),
        }
    }

    /// The one for this use, coming from this one.
    fn next(self, used: usize, limit: usize) -> Level {
        if limit == usize::MAX {
            return Level::High;
        }
        let (below, above) = self.borders(limit);
        let next = match self {
            Level::High | Level::Neutral if used >= above => match self {
                Level::High => Level::Neutral,
                _ => Level::Low,
            },
            Level::Low if used < below => Level::Neutral,
            Level::Neutral if used < below => Level::High,
            same => return same,
        };
        next.next(used, limit)
    }
}

/// What the system says of its memory.
#[derive(Clone, Copy, Debug)]
struct System {
    total: usize,
    available: usize,
}

/// All memory of a host, and the account of it.
pub(crate) struct Memory {
    gate: &'static Gate,
    /// There is no thread to tell the runtime of edges.
    is_simulated: bool,
    heap: Heap,
    account: Account,
    pages: Mutex<Pages>,
    acquired: Mutex<BTreeMap<usize, usize>>,
    pressure: Mutex<Pressure>,
    /// The thread that tells the runtime has something to do.
    to_tell: Condvar,
    system: Mutex<Option<(Instant, System)>>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("figures", &self.figures())
            .finish_non_exhaustive()
    }
}

impl Memory {
    pub(crate) fn new(
        gate: &'static Gate,
        limits: MemoryLimits,
        is_simulated: bool,
    ) -> Arc<Memory> {
        let memory = Arc::new(Memory {
            gate,
            is_simulated,
            heap: Heap::new(RandomState::new().hash_one(0)),
            account: Account::default(),
            pages: Mutex::default(),
            acquired: Mutex::default(),
            pressure: Mutex::default(),
            to_tell: Condvar::new(),
            system: Mutex::default(),
        });
        memory.set_limits(limits);
        memory
    }

    /// New limits. What is in use beyond them stays, and requests are refused until it is less.
    pub(crate) fn set_limits(&self, limits: MemoryLimits) {
        let by_level = [limits.task, limits.app_domain, limits.process];
        for (level, limit) in by_level.into_iter().enumerate() {
            self.limit(level).store(limit, Ordering::Relaxed);
        }
        self.account
            .addresses
            .store(limits.addresses, Ordering::Relaxed);
        let shelves_below = match by_level.into_iter().min() {
            Some(usize::MAX) | None => usize::MAX,
            Some(least) if least < SHELVES_FROM => 0,
            Some(least) => least / 2,
        };
        let quick = self.heap.quick();
        quick.shelves_below.store(shelves_below, Ordering::Relaxed);
        self.look_at_pressure();
    }

    /// All bytes of heaps and of committed pages.
    fn used(&self) -> &AtomicUsize {
        &self.heap.quick().used
    }

    /// The limit of a level, by its number.
    fn limit(&self, level: usize) -> &AtomicUsize {
        match level {
            0 => &self.heap.quick().limit,
            above => &self.account.limits[above - 1],
        }
    }

    pub(crate) fn figures(&self) -> MemoryFigures {
        let load = |number: &AtomicUsize| number.load(Ordering::Relaxed);
        let account = &self.account;
        let committed = load(&account.pages);
        let (app_domain, process) = (load(&account.app_domain), load(&account.process));
        let others = app_domain + process + committed + self.heap.shelved();
        MemoryFigures {
            heaps: [
                load(self.used()).saturating_sub(others),
                app_domain,
                process,
            ],
            committed,
            reserved: self.pages.lock().reserved(),
            acquired: self.acquired.lock().values().sum(),
            refused: std::array::from_fn(|level| account.refused[level].load(Ordering::Relaxed)),
            notifications: self.pressure.lock().notifications,
        }
    }

    pub(crate) fn limits(&self) -> MemoryLimits {
        let load = |number: &AtomicUsize| number.load(Ordering::Relaxed);
        let [task, app_domain, process] = std::array::from_fn(|level| load(self.limit(level)));
        MemoryLimits {
            task,
            app_domain,
            process,
            addresses: load(&self.account.addresses),
        }
    }

    /// The runtime is told nothing any more, and gets its callback back.
    pub(crate) fn close(&self) {
        let mut pressure = self.pressure.lock();
        pressure.closed = true;
        let callback = pressure.callback.take();
        drop(pressure);
        self.to_tell.notify_all();
        drop(callback);
    }

    /// Counts a request, or refuses it.
    #[inline]
    fn charge(&self, size: usize, level: EMemoryCriticalLevel) -> Result<(), Hresult> {
        let account = &self.account;
        // Relaxed, here and below: each number stands for itself.
        let used = self.used().fetch_add(size, Ordering::Relaxed);
        let used = used.wrapping_add(size);
        let index = level.0 as usize;
        let limit = self.limit(index).load(Ordering::Relaxed);
        if (used > limit && !self.is_within(used, limit)) || used < size {
            self.used().fetch_sub(size, Ordering::Relaxed);
            account.refused[index].fetch_add(1, Ordering::Relaxed);
            return Err(Hresult::E_OUTOFMEMORY);
        }
        if used >= account.border_above.load(Ordering::Relaxed) {
            self.look_at_pressure();
        }
        Ok(())
    }

    /// Whether what is counted is within a limit without what lies on shelves.
    #[cold]
    fn is_within(&self, used: usize, limit: usize) -> bool {
        used.saturating_sub(self.heap.shelved()) <= limit
    }

    #[inline]
    fn discharge(&self, size: usize) {
        let account = &self.account;
        let used = self.used().fetch_sub(size, Ordering::Relaxed) - size;
        if used < account.border_below.load(Ordering::Relaxed) {
            self.look_at_pressure();
        }
    }

    /// The place for what is in use by heaps at a level, if it has one.
    #[inline]
    fn beside(&self, level: EMemoryCriticalLevel) -> Option<&AtomicUsize> {
        match level {
            EMemoryCriticalLevel::eAppDomainCritical => Some(&self.account.app_domain),
            EMemoryCriticalLevel::eProcessCritical => Some(&self.account.process),
            _ => None,
        }
    }

    #[cold]
    fn look_at_pressure(&self) {
        let account = &self.account;
        let mut pressure = self.pressure.lock();
        let used = self.used().load(Ordering::Relaxed);
        let limit = self.limit(0).load(Ordering::Relaxed);
        pressure.now = pressure.now.next(used, limit);
        let (below, above) = pressure.now.borders(limit);
        account.border_below.store(below, Ordering::Relaxed);
        account.border_above.store(above, Ordering::Relaxed);
        if pressure.now != pressure.told {
            self.to_tell.notify_one();
        }
    }

    /// Tells the runtime of edges until it is over.
    fn tell(&self) {
        let mut pressure = self.pressure.lock();
        while !pressure.closed {
            if pressure.now == pressure.told {
                self.to_tell.wait(&mut pressure);
                continue;
            }
            pressure.told = pressure.now;
            pressure.notifications += 1;
            let (callback, what) = (pressure.callback.clone(), pressure.now.available());
            drop(pressure);
            if let Some(callback) = callback {
                // It is a piece of advice: whether it was taken is the runtime's business.
                let _ = callback.on_memory_notification(what);
            }
            pressure = self.pressure.lock();
        }
    }

    /// A block that the calling thread has none of, or that is none of the usual.
    fn alloc(
        &self,
        size: usize,
        level: EMemoryCriticalLevel,
        executable: bool,
    ) -> Result<Block, Hresult> {
        // Before the count, which has room for what there can be.
        if size >= SIZE_LIMIT {
            return Err(Hresult::E_OUTOFMEMORY);
        }
        self.charge(size, level)?;
        let Some(block) = self.heap.allocate(size, level, executable) else {
            self.discharge(size);
            return Err(Hresult::E_OUTOFMEMORY);
        };
        if let Some(place) = self.beside(level) {
            place.fetch_add(size, Ordering::Relaxed);
        }
        Ok(block)
    }

    /// A block that the calling thread does not keep.
    fn free(self: &Arc<Self>, block: Block) -> Result<(), Hresult> {
        if block.is_null() {
            return Ok(());
        }
        let freed = self.heap.free(block);
        let freed = freed.map_err(|()| Hresult::HOST_E_INVALIDOPERATION)?;
        if let Some(place) = self.beside(freed.level) {
            place.fetch_sub(freed.size, Ordering::Relaxed);
        }
        self.discharge(freed.size);
        let quick = self.heap.quick();
        // The next one is kept.
        if quick.used.load(Ordering::Relaxed) < quick.shelves_below.load(Ordering::Relaxed) {
            self.heap
                .make_shelf(|| Arc::clone(self) as Arc<dyn shelf::Account>);
        }
        Ok(())
    }

    /// Whether so many more bytes of addresses are within the limit.
    fn has_addresses(&self, reserved: usize, more: usize) -> bool {
        let acquired: usize = self.acquired.lock().values().sum();
        let limit = self.account.addresses.load(Ordering::Relaxed);
        let sum = acquired.saturating_add(reserved).saturating_add(more);
        sum <= limit
    }

    fn system(&self) -> Option<System> {
        let mut system = self.system.lock();
        if let Some((asked, found)) = *system
            && asked.elapsed() < BELIEVED
        {
            return Some(found);
        }
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            let number: usize = line.split_whitespace().next()?.parse().ok()?;
            Some(number.saturating_mul(1024))
        };
        let found = System {
            total: line("MemTotal:")?,
            available: line("MemAvailable:")?,
        };
        *system = Some((Instant::now(), found));
        Some(found)
    }
}

impl shelf::Account for Memory {
    fn discharge(&self, bytes: usize) {
        Memory::discharge(self, bytes);
    }
}

/// The manager of a host's memory.
#[derive(Debug)]
pub(crate) struct MemoryManager(pub(crate) Arc<Memory>);

impl IHostMemoryManager for MemoryManager {
    fn create_malloc(&self, kind: MALLOC_TYPE) -> Result<ComRef<dyn IHostMalloc>, Hresult> {
        let memory = Arc::clone(&self.0);
        let executable = kind.0 & MALLOC_TYPE::MALLOC_EXECUTABLE.0 != 0;
        // Others are not for shelves.
        let quick = (!executable).then(|| Arc::clone(memory.heap.quick()));
        let heap: Arc<dyn IHostMalloc> = Arc::new(Malloc { memory, executable });
        Ok(ComRef::new_quick(self.0.gate, heap, quick))
    }

    fn virtual_alloc(
        &self,
        start: Address,
        size: usize,
        how: u32,
        protection: u32,
        level: EMemoryCriticalLevel,
    ) -> Result<Address, Hresult> {
        let memory = &self.0;
        let what = Allocation::check(start.0, size, how, protection)?;
        let mut pages = memory.pages.lock();
        let commits = pages.commits(&what)?;
        let reserves = what.reserves();
        if reserves > 0 && !memory.has_addresses(pages.reserved(), reserves) {
            let refused = &memory.account.refused[level.0 as usize];
            refused.fetch_add(1, Ordering::Relaxed);
            return Err(Hresult::E_OUTOFMEMORY);
        }
        memory.charge(commits, level)?;
        match pages.allocate(what) {
            Ok(found) => {
                memory.account.pages.fetch_add(commits, Ordering::Relaxed);
                Ok(Address(found))
            }
            Err(error) => {
                memory.discharge(commits);
                Err(error)
            }
        }
    }

    fn virtual_free(&self, start: Address, size: usize, how: u32) -> Result<(), Hresult> {
        if how != MEM_DECOMMIT && how != MEM_RELEASE {
            return Err(Hresult::E_INVALIDARG);
        }
        let memory = &self.0;
        let freed = memory.pages.lock().free(start.0, size, how)?;
        memory.account.pages.fetch_sub(freed, Ordering::Relaxed);
        memory.discharge(freed);
        Ok(())
    }

    fn virtual_query(&self, start: Address, place: RegionPlace) -> Result<usize, Hresult> {
        let info = self.0.pages.lock().query(start.0);
        Ok(place.write_at_once(info))
    }

    fn virtual_protect(
        &self,
        start: Address,
        size: usize,
        protection: u32,
    ) -> Result<u32, Hresult> {
        self.0.pages.lock().protect(start.0, size, protection)
    }

    /// Of the system and of the limit for tasks, the one that has less left.
    fn memory_load(&self) -> Result<(u32, usize), Hresult> {
        let system = self.0.system().ok_or(Hresult::E_FAIL)?;
        let limit = self.0.limit(0).load(Ordering::Relaxed);
        let used = self.0.used().load(Ordering::Relaxed);
        let total = limit.min(system.total);
        let available = limit.saturating_sub(used).min(system.available);
        let taken = total - available.min(total);
        let load = (taken as u128 * 100 / total.max(1) as u128) as u32;
        Ok((load, available))
    }

    fn register_memory_notification_callback(
        &self,
        callback: ICLRMemoryNotificationCallback,
    ) -> Result<(), Hresult> {
        if self.0.is_simulated {
            return Err(Hresult::E_NOTIMPL);
        }
        let mut pressure = self.0.pressure.lock();
        if pressure.callback.is_some() || pressure.closed {
            drop(pressure);
            return Err(Hresult::E_UNEXPECTED);
        }
        let memory = Arc::clone(&self.0);
        let teller = std::thread::Builder::new().name("fiberhost-memory".into());
        // Under the lock: of two that register at once only one gets so far. The thread waits for it.
        let started = teller.spawn(move || memory.tell());
        if started.is_err() {
            drop(pressure);
            return Err(Hresult::E_OUTOFMEMORY);
        }
        pressure.callback = Some(callback);
        Ok(())
    }

    fn needs_virtual_address_space(&self, _start: Address, size: usize) -> Result<(), Hresult> {
        let reserved = self.0.pages.lock().reserved();
        let fits = self.0.has_addresses(reserved, size);
        if fits {
            Ok(())
        } else {
            Err(Hresult::E_OUTOFMEMORY)
        }
    }

    fn acquired_virtual_address_space(&self, start: Address, size: usize) -> Result<(), Hresult> {
        self.0.acquired.lock().insert(start.0, size);
        Ok(())
    }

    fn released_virtual_address_space(&self, start: Address) -> Result<(), Hresult> {
        let known = self.0.acquired.lock().remove(&start.0);
        known.map(drop).ok_or(Hresult::HOST_E_INVALIDOPERATION)
    }
}

#[derive(Debug)]
struct Malloc {
    memory: Arc<Memory>,
    executable: bool,
}

impl IHostMalloc for Malloc {
    #[inline]
    fn alloc(&self, size: usize, level: EMemoryCriticalLevel) -> Result<Block, Hresult> {
        self.memory.alloc(size, level, self.executable)
    }

    fn debug_alloc(
        &self,
        size: usize,
        level: EMemoryCriticalLevel,
        _file: FileName,
        _line: i32,
    ) -> Result<Block, Hresult> {
        self.memory.alloc(size, level, self.executable)
    }

    #[inline]
    fn free(&self, memory: Block) -> Result<(), Hresult> {
        self.memory.free(memory)
    }
}

#[cfg(test)]
mod tests {
    use super::Level;
    use super::Level::{High, Low, Neutral};

    #[test]
    fn a_use_that_trembles_at_a_border_is_one_edge() {
        let uses = [
            0, 69, 70, 69, 70, 60, 59, 70, 89, 90, 85, 90, 80, 79, 95, 10,
        ];
        let mut level = Level::default();
        let seen = uses.map(|used| {
            level = level.next(used, 100);
            level
        });
        let expected = [
            High, High, Neutral, Neutral, Neutral, Neutral, High, Neutral, Neutral, Low, Low, Low,
            Low, Neutral, Low, High,
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn without_a_limit_there_is_no_pressure() {
        assert_eq!(High.next(usize::MAX - 1, usize::MAX), High);
        assert_eq!(High.next(usize::MAX, usize::MAX), High);
        assert_eq!(Low.next(usize::MAX - 1, usize::MAX), High);
        assert_eq!(High.next(1, 0), Low);
        assert_eq!(High.next(usize::MAX / 2, usize::MAX - 1), High);
    }
}
