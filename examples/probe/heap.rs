//! A heap of a host, called through its table as a runtime calls it.
//!
//! Room for unsafe code: calls through tables.

use fiberhost::com::table::{IHostMallocVtbl, IHostMemoryManagerVtbl, IID_IHostMemoryManager};
use fiberhost::{Host, MemoryLimits};
use fiberhost_scheduler::Scheduler;

use crate::tables::{Called, done};

pub(crate) struct Heap {
    heap: Called<IHostMallocVtbl>,
    /// Last: the heap is released before it ends.
    _host: Host,
}

impl Heap {
    pub(crate) fn on(scheduler: &Scheduler) -> Heap {
        let builder = Host::builder().scheduler(scheduler.clone());
        let host = builder.memory(MemoryLimits::default()).build();
        let host = host.expect("a host");
        // SAFETY: the identifier is that of the table.
        let memory: Called<IHostMemoryManagerVtbl> =
            unsafe { Called::manager(&host, &IID_IHostMemoryManager) };
        let Called { object, table } = memory;
        // SAFETY: the manager is there, and gives an object with this table.
        let heap = unsafe { Called::given(|out| (table.CreateMalloc)(object, 1, out)) };
        Heap { heap, _host: host }
    }

    /// A block of so many bytes, and back.
    #[inline(always)]
    pub(crate) fn pair(&self, size: usize) {
        let Called { object, table } = self.heap;
        let mut block = std::ptr::null_mut();
        // SAFETY: the heap is there; what it gives goes back.
        unsafe {
            done((table.Alloc)(object, size, 0, &raw mut block));
            done((table.Free)(object, std::hint::black_box(block)));
        }
    }
}
