/*
 * fiberhost: a user-mode task scheduler that hosts a managed runtime.
 *
 * Made from src/capi, src/com/hosting-abi.json and src/com/ole-abi.json by tests/hosting_abi.rs; not to be changed by hand.
 *
 * First the functions of the library, then the hosting interfaces as a runtime sees them. A program that has the latter
 * from elsewhere (mscoree.h) defines FIBERHOST_NO_INTERFACES before it includes this.
 *
 * Functions answer a code: 0, or how a wait ended (above 0), or an error (below 0); fiberhost_code_text() and
 * fiberhost_last_error() have words for it. Times are in nanoseconds.
 */
#ifndef FIBERHOST_H
#define FIBERHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct IHostControl IHostControl;

/* "No limit" where a time is asked for. */
#define FIBERHOST_FOREVER UINT64_MAX

/* The version that this header belongs to: major, minor and patch in 8, 12 and 12 bits. */
#define FIBERHOST_VERSION 4096

/* It was done; a wait ended because what it waited for has happened. */
#define FIBERHOST_OK 0

/* The time limit of a wait passed first. */
#define FIBERHOST_TIMED_OUT 1

/* Somebody alerted the task. */
#define FIBERHOST_ALERTED 2

/* The task was cancelled, or its host shuts down: its function should clean up and return. */
#define FIBERHOST_CANCELLED 3

/* An argument that makes no sense. */
#define FIBERHOST_E_INVALID -1

/* A null object, one of another kind, or one that was destroyed. */
#define FIBERHOST_E_HANDLE -2

/* The program was compiled with a header that does not fit the library. */
#define FIBERHOST_E_VERSION -3

/* No memory. */
#define FIBERHOST_E_MEMORY -4

/* The operating system refused something; `fiberhost_last_error` has its words. */
#define FIBERHOST_E_SYSTEM -5

/* As many tasks live as may. */
#define FIBERHOST_E_LIMIT -6

/* The host shuts down or has done so. */
#define FIBERHOST_E_SHUT_DOWN -7

/* The caller would wait for itself. */
#define FIBERHOST_E_DEADLOCK -8

/* The caller does not have the lock. */
#define FIBERHOST_E_NOT_OWNER -9

/* Not from here, or not at this time: for instance a shutdown from inside a task, or an adoption of a task. */
#define FIBERHOST_E_STATE -10

/* Tasks are left after the time limit of a shutdown. */
#define FIBERHOST_E_SURVIVORS -11

/* A fault in the library. The object that was used must not be used any more. */
#define FIBERHOST_E_PANIC -12

/* Nothing of the kind is there. */
#define FIBERHOST_E_NOT_FOUND -13

/* Every task gets an OS thread of its own: for a runtime whose stacks cannot be switched. */
#define FIBERHOST_THREAD_MODE 1

/* OS threads that the scheduler does not know are kept out when the runtime asks for their task, instead of adopted. */
#define FIBERHOST_DENY_STRANGERS 2

/* The host has no thread pool: the runtime uses its own. */
#define FIBERHOST_NO_THREADPOOL 4

/*
 * The runtime's transfers of files, pipes and sockets are the host's (`IHostIoCompletionManager`, `fiberhost_io_read`). A
 * library that was built without them answers `FIBERHOST_E_STATE`.
 */
#define FIBERHOST_IO_COMPLETION 8

/* Those that wait are left to helper threads, also where the kernel has a ring. With `FIBERHOST_IO_COMPLETION`. */
#define FIBERHOST_IO_HELPERS 16

/* The runtime has memory of the host's (`IHostMemoryManager`), within the limits below. */
#define FIBERHOST_MEMORY 32

/* The host keeps for whom a task acts (`IHostSecurityManager`, `fiberhost_token`). Every token but null is one. */
#define FIBERHOST_SECURITY 64

/* The buffer goes with the calling task: the task does not end before the transfer lets go of it, which is cancelled then. */
#define FIBERHOST_IO_OF_TASK 1

/* The task runs when nothing else is to do, but it runs. */
#define FIBERHOST_PRIORITY_LOW -1

/* As most tasks. */
#define FIBERHOST_PRIORITY_NORMAL 0

/* The task runs before others. */
#define FIBERHOST_PRIORITY_HIGH 1

/* A thread that has become a task. */
typedef struct fiberhost_adopted fiberhost_adopted;

/* An event. It stays set until it is reset, or lets one waiter go on and is reset by that. */
typedef struct fiberhost_event fiberhost_event;

/* A scheduler with the managers of the hosting interfaces on it. */
typedef struct fiberhost_host fiberhost_host;

/* A lock that knows its owner. Not recursive. */
typedef struct fiberhost_mutex fiberhost_mutex;

/* Permits. */
typedef struct fiberhost_semaphore fiberhost_semaphore;

/* What a native section is called in reports. */
typedef struct fiberhost_target fiberhost_target;

/* A task. It goes on whether or not somebody refers to it. */
typedef struct fiberhost_task fiberhost_task;

/* What every function answers. */
typedef int32_t fiberhost_code;

/* Settings of a host. Begin with `FIBERHOST_OPTIONS_INIT`; a zero means the default. */
typedef struct fiberhost_options {
    /* Bytes of this structure, as the program was compiled. */
    size_t size;
    /* `FIBERHOST_VERSION`, as the program was compiled. */
    uint32_t version;
    /* A sum of `FIBERHOST_THREAD_MODE` and its like. */
    uint32_t flags;
    /* A name for threads and reports, or null. */
    const char *name;
    /* How many tasks run at once. Default: as many as the process may use processors. */
    size_t workers;
    /* The most OS threads. Default: 10,000. */
    size_t max_threads;
    /* The most tasks that live at once. Default: no limit. */
    size_t max_tasks;
    /* Bytes of stack for a task that asks for no size. */
    size_t stack_size;
    /* Nanoseconds after which a task that asks gives its worker away. Default: 4,000,000. */
    uint64_t quantum;
    /* The folder in which the runtime finds its assemblies (`IHostAssemblyManager`), or null: it finds them itself. */
    const char *assemblies;
    /* Bytes in use up to which requests for memory are granted whose refusal costs a task. Default: no limit. */
    size_t memory_task;
    /* The same for those whose refusal costs a domain. */
    size_t memory_app_domain;
    /* The same for those whose refusal costs the process. */
    size_t memory_process;
} fiberhost_options;

/* Figures of a host. Give `size` before the call. */
typedef struct fiberhost_figures {
    /* Bytes of this structure, as the program was compiled. */
    size_t size;
    /* How often a worker went to a task. */
    uint64_t switches;
    /* Tasks spawned. */
    uint64_t spawned;
    /* Tasks ended. */
    uint64_t ended;
    /* Tasks that an idle worker found with another one. */
    uint64_t steals;
    /* Workers that sleep. */
    uint64_t idle_workers;
    /* OS threads. */
    uint64_t threads;
    /* Slots that were taken from threads in native sections that lasted. */
    uint64_t handovers;
    /* Bytes of address space for stacks. */
    uint64_t stack_bytes_mapped;
    /* Objects of the hosting interfaces that somebody refers to. */
    uint64_t objects;
} fiberhost_figures;

/* What a task is to be. All zeroes are the defaults. */
typedef struct fiberhost_task_options {
    /* A name for reports, or null. */
    const char *name;
    /* Bytes of stack. */
    size_t stack_size;
    /* `FIBERHOST_PRIORITY_NORMAL` and its like. */
    int32_t priority;
    /* Not 0: the task gets an OS thread of its own. */
    int32_t thread;
} fiberhost_task_options;

/* What a task does. What it returns goes to those who join it. */
typedef void *(*fiberhost_work)(void *argument);

/*
 * The text of the last failed call on this OS thread, cut to `size` bytes with its closing zero. Answers how long the whole
 * text is, without the zero. To be asked right after the call: a task may be on another thread later.
 *
 * The caller owes:
 * `buffer` is null, or has room for `size` bytes.
 */
size_t fiberhost_last_error(char *buffer,
                            size_t size);

/*
 * Whether a program that was compiled with this version of the header can use the library that it finds: 0, or
 * `FIBERHOST_E_VERSION`.
 */
fiberhost_code fiberhost_check_version(uint32_t version);

/* The version of the library. */
uint32_t fiberhost_version(void);

/* What a code means, in a few words; never null. */
const char *fiberhost_code_text(int32_t code);

/*
 * Makes a host. With null for the options, all settings have their defaults.
 *
 * The caller owes:
 * The options are null, or as many readable bytes as they say; `host` is null or may be written.
 */
fiberhost_code fiberhost_host_create(const struct fiberhost_options *options, struct fiberhost_host **host);

/*
 * Answers the host's `IHostControl`, with a reference that the caller releases.
 *
 * The caller owes:
 * The host comes from `fiberhost_host_create`; `control` is null or may be written.
 */
fiberhost_code fiberhost_host_control(const struct fiberhost_host *host, IHostControl **control);

/*
 * Answers figures, without stopping anything.
 *
 * The caller owes:
 * The host comes from `fiberhost_host_create`; the figures are null or as many bytes as they say.
 */
fiberhost_code fiberhost_host_figures(const struct fiberhost_host *host, struct fiberhost_figures *figures);

/*
 * Ends a host: no more tasks, every wait of a task ends as cancelled, and the caller waits until all have returned.
 * `FIBERHOST_E_SURVIVORS` if some have not within the limit (nanoseconds): it may be called again.
 * `FIBERHOST_E_STATE` from inside one of its tasks.
 *
 * The caller owes:
 * The host comes from `fiberhost_host_create`.
 */
fiberhost_code fiberhost_host_shutdown(const struct fiberhost_host *host,
                                       uint64_t limit);

/*
 * Shuts a host down (within ten seconds), and frees it if nothing is left. Otherwise it answers as `fiberhost_host_shutdown`,
 * and the host is still there. Null is fine.
 *
 * The caller owes:
 * The host comes from `fiberhost_host_create`, and nobody uses it any more. Tasks, locks and references to its objects may
 * go later.
 */
fiberhost_code fiberhost_host_destroy(struct fiberhost_host *host);

/*
 * Begins to read from a descriptor that was bound (`IHostIoCompletionManager_Bind`). The runtime is told of the end, once, by
 * `OnComplete` on a task at its base, also if it was there at once. A refused one is not told of. Of a file it reads from the
 * structure's `Offset` on. A host or a library without transfers answers `FIBERHOST_E_STATE`.
 *
 * The caller owes:
 * The host comes from `fiberhost_host_create`. Until the end was told of, or the transfer was refused: `overlapped` is null,
 * misaligned, or an `OVERLAPPED` with the host's bytes behind it; `buffer` has `length` bytes; nobody else uses them.
 */
fiberhost_code fiberhost_io_read(const struct fiberhost_host *host,
                                 int32_t descriptor,
                                 void *buffer,
                                 uint32_t length,
                                 void *overlapped,
                                 uint32_t flags);

/*
 * Begins to write to such a descriptor. To a pipe or a socket it is over when all was written.
 *
 * The caller owes:
 * As for `fiberhost_io_read`, but the buffer may be read.
 */
fiberhost_code fiberhost_io_write(const struct fiberhost_host *host,
                                  int32_t descriptor,
                                  const void *buffer,
                                  uint32_t length,
                                  void *overlapped,
                                  uint32_t flags);

/*
 * Cancels what waits for a descriptor, or only the transfer with this structure. Each is told of with error 995, unless its
 * end comes first. Answers without waiting for that; `FIBERHOST_E_NOT_FOUND` if there is none.
 *
 * The caller owes:
 * The host comes from `fiberhost_host_create`. The structure is only compared.
 */
fiberhost_code fiberhost_io_cancel(const struct fiberhost_host *host,
                                   int32_t descriptor,
                                   const void *overlapped);

/*
 * A descriptor is about to be closed: it is not bound any more, and what waits for it is cancelled.
 *
 * The caller owes:
 * The host comes from `fiberhost_host_create`.
 */
fiberhost_code fiberhost_io_unbind(const struct fiberhost_host *host, int32_t descriptor);

/*
 * Answers the token by which the caller acts, or 0 for nobody in particular.
 *
 * The caller owes:
 * The host comes from `fiberhost_host_create`; `token` is null or may be written.
 */
fiberhost_code fiberhost_token(const struct fiberhost_host *host, size_t *token);

/*
 * Spawns a task, from any thread or task. It may start on any worker, and then stays on that worker's thread.
 * With null for `task` nobody refers to it. A host that was shut down does not run it: whoever joins is told.
 *
 * The caller owes:
 * The host comes from `fiberhost_host_create`; the options are null or there, with a name that ends in a zero; the work may
 * be done with this argument on any thread, and throws no C++ exception; `task` is null or may be written.
 */
fiberhost_code fiberhost_spawn(const struct fiberhost_host *host,
                               const struct fiberhost_task_options *options,
                               fiberhost_work work,
                               void *argument,
                               struct fiberhost_task **task);

/*
 * Waits until a task has ended, and answers what its function returned. Several may do so, as often as they like.
 * `FIBERHOST_CANCELLED` if it was the caller who was cancelled, and the task has not ended; `FIBERHOST_E_SHUT_DOWN` if the
 * task never ran, because its host was shut down; `FIBERHOST_E_DEADLOCK` for the caller itself. Times are in nanoseconds.
 *
 * The caller owes:
 * The task comes from `fiberhost_spawn`; `result` is null or may be written.
 */
fiberhost_code fiberhost_task_join(const struct fiberhost_task *task,
                                   uint64_t time,
                                   void **result);

/*
 * Asks a task to end: its wait, or its next one, answers `FIBERHOST_CANCELLED`, and all waits after that.
 *
 * The caller owes:
 * The task comes from `fiberhost_spawn`.
 */
fiberhost_code fiberhost_task_cancel(const struct fiberhost_task *task);

/*
 * Ends the wait of a task, or its next one: it answers `FIBERHOST_ALERTED`.
 *
 * The caller owes:
 * The task comes from `fiberhost_spawn`.
 */
fiberhost_code fiberhost_task_alert(const struct fiberhost_task *task);

/*
 * Changes the priority of a task.
 *
 * The caller owes:
 * The task comes from `fiberhost_spawn`.
 */
fiberhost_code fiberhost_task_set_priority(const struct fiberhost_task *task, int32_t number);

/*
 * The number of a task, by which reports name it; 0 for what is no task.
 *
 * The caller owes:
 * The task comes from `fiberhost_spawn`.
 */
uint64_t fiberhost_task_id(const struct fiberhost_task *task);

/* The number of the calling task; 0 on a thread that runs none. */
uint64_t fiberhost_current_task_id(void);

/*
 * Lets go of a task, which goes on. Null is fine.
 *
 * The caller owes:
 * The task comes from `fiberhost_spawn`, and is not used through this pointer any more.
 */
fiberhost_code fiberhost_task_release(struct fiberhost_task *task);

/* Lets others run; on a thread that runs no task, other threads. `FIBERHOST_CANCELLED` if the host shuts down. */
fiberhost_code fiberhost_yield(void);

/*
 * Lets others run if the task's quantum is over. Cheap: for long computations. `FIBERHOST_CANCELLED` if the host shuts
 * down.
 */
fiberhost_code fiberhost_check_quantum(void);

/* Waits for a time, in nanoseconds. Its usual end is `FIBERHOST_OK`. */
fiberhost_code fiberhost_sleep(uint64_t time);

/*
 * Makes an event. `manual`: it stays set; otherwise it lets one waiter go on.
 *
 * The caller owes:
 * `event` is null or may be written.
 */
fiberhost_code fiberhost_event_create(bool manual, bool set, struct fiberhost_event **event);

/*
 * Sets an event, from anywhere.
 *
 * The caller owes:
 * The event comes from `fiberhost_event_create`.
 */
fiberhost_code fiberhost_event_set(const struct fiberhost_event *object);

/*
 * Resets an event.
 *
 * The caller owes:
 * The event comes from `fiberhost_event_create`.
 */
fiberhost_code fiberhost_event_reset(const struct fiberhost_event *object);

/*
 * Waits for an event, for so many nanoseconds.
 *
 * The caller owes:
 * The event comes from `fiberhost_event_create`.
 */
fiberhost_code fiberhost_event_wait(const struct fiberhost_event *object, uint64_t time);

/*
 * Frees an event. Null is fine.
 *
 * The caller owes:
 * The event comes from `fiberhost_event_create`, and nobody uses it or waits for it any more.
 */
fiberhost_code fiberhost_event_destroy(struct fiberhost_event *object);

/*
 * Makes a mutex.
 *
 * The caller owes:
 * `mutex` is null or may be written.
 */
fiberhost_code fiberhost_mutex_create(struct fiberhost_mutex **mutex);

/*
 * Locks, within so many nanoseconds. `FIBERHOST_E_DEADLOCK` if the caller has it.
 *
 * The caller owes:
 * The mutex comes from `fiberhost_mutex_create`.
 */
fiberhost_code fiberhost_mutex_lock(const struct fiberhost_mutex *object, uint64_t time);

/*
 * Unlocks. `FIBERHOST_E_NOT_OWNER` if the caller does not have it.
 *
 * The caller owes:
 * The mutex comes from `fiberhost_mutex_create`.
 */
fiberhost_code fiberhost_mutex_unlock(const struct fiberhost_mutex *object);

/*
 * Frees a mutex. `FIBERHOST_E_STATE` if somebody has it. Null is fine.
 *
 * The caller owes:
 * The mutex comes from `fiberhost_mutex_create`, and nobody uses it any more.
 */
fiberhost_code fiberhost_mutex_destroy(struct fiberhost_mutex *object);

/*
 * Makes a semaphore.
 *
 * The caller owes:
 * `semaphore` is null or may be written.
 */
fiberhost_code fiberhost_semaphore_create(size_t permits, struct fiberhost_semaphore **semaphore);

/*
 * Takes one permit, within so many nanoseconds.
 *
 * The caller owes:
 * The semaphore comes from `fiberhost_semaphore_create`.
 */
fiberhost_code fiberhost_semaphore_wait(const struct fiberhost_semaphore *object, uint64_t time);

/*
 * Brings permits. `FIBERHOST_E_INVALID` if there would be more than can be counted.
 *
 * The caller owes:
 * The semaphore comes from `fiberhost_semaphore_create`.
 */
fiberhost_code fiberhost_semaphore_add(const struct fiberhost_semaphore *object, size_t permits);

/*
 * Frees a semaphore. Null is fine.
 *
 * The caller owes:
 * The semaphore comes from `fiberhost_semaphore_create`, and nobody uses it or waits for it any more.
 */
fiberhost_code fiberhost_semaphore_destroy(struct fiberhost_semaphore *object);

/*
 * Makes a name for native sections, which is there for as long as the process: for a static variable.
 *
 * The caller owes:
 * The name ends in a zero; `target` is null or may be written.
 */
fiberhost_code fiberhost_target_create(const char *name, const struct fiberhost_target **target);

/*
 * The calling task goes where the scheduler does not see it: it may block, and hold locks of its thread. It keeps its
 * thread; when this lasts, its right to run goes to another task. Nests. On a thread that runs no task it does nothing.
 * Costs a few instructions.
 *
 * The caller owes:
 * The target is null or comes from `fiberhost_target_create`. Each call is paired with one of `fiberhost_enter`, by the
 * same task.
 */
void fiberhost_leave(const struct fiberhost_target *target);

/*
 * And comes back: waits until it may run, if it had lost the right to.
 *
 * The caller owes:
 * As for `fiberhost_leave`.
 */
void fiberhost_enter(void);

/*
 * Runs work that a native section calls back: a task's code, which may wait and yield. The task keeps its thread, on which
 * nobody else runs meanwhile.
 *
 * The caller owes:
 * The work may be done with this argument, and throws no C++ exception.
 */
fiberhost_code fiberhost_callback(void (*work)(void *argument),
                                  void *argument);

/*
 * Runs work that is known to block: the right to run goes to another task at once, if one waits.
 *
 * The caller owes:
 * As for `fiberhost_callback`.
 */
fiberhost_code fiberhost_blocking(void (*work)(void *argument), void *argument);

/*
 * Makes the calling thread a task of the host, in a native section: what it does there is its own affair, and it runs as a
 * task between `fiberhost_enter` and `fiberhost_leave`, or in `fiberhost_callback`. `FIBERHOST_E_STATE` if it runs a task.
 *
 * The caller owes:
 * The host comes from `fiberhost_host_create`; `adopted` is null or may be written.
 */
fiberhost_code fiberhost_adopt(const struct fiberhost_host *host,
                               struct fiberhost_adopted **adopted);

/*
 * The calling thread is a plain one again. Null is fine.
 *
 * The caller owes:
 * It was adopted by the call that answered this, and is in no callback.
 */
fiberhost_code fiberhost_adopted_release(struct fiberhost_adopted *adopted);

/*
 * The calling thread stays a task until it exits.
 *
 * The caller owes:
 * As for `fiberhost_adopted_release`.
 */
fiberhost_code fiberhost_adopted_until_exit(struct fiberhost_adopted *adopted);

/* The beginning of options: FIBERHOST_OPTIONS_INIT says by what header the program was compiled. */
#ifdef __cplusplus
#define FIBERHOST_OPTIONS_INIT fiberhost_options{sizeof(fiberhost_options), FIBERHOST_VERSION, 0, NULL, 0, 0, 0, 0, 0, NULL, 0, 0, 0}
#else
#define FIBERHOST_OPTIONS_INIT {.size = sizeof(fiberhost_options), .version = FIBERHOST_VERSION}
#endif

/* The hosting interfaces. */
#ifndef FIBERHOST_NO_INTERFACES

typedef struct GUID {
    uint32_t Data1;
    uint16_t Data2;
    uint16_t Data3;
    uint8_t Data4[8];
} GUID;

typedef const GUID *REFIID;
typedef uint8_t BYTE;
typedef int32_t BOOL;
typedef int32_t LONG;
typedef int64_t LONGLONG;
typedef uint32_t ULONG;
typedef uint32_t DWORD;
typedef uint64_t ULONGLONG;
typedef uint64_t UINT64;
typedef size_t SIZE_T;
typedef intptr_t INT_PTR;
typedef uintptr_t UINT_PTR;
typedef int32_t HRESULT;
typedef void *HANDLE;
typedef void *HMODULE;
typedef void *HDOMAINENUM;
typedef void *LPVOID;
typedef void *PVOID;
typedef void *PACL;
/* One unit of UTF-16. */
typedef uint16_t WCHAR;
typedef const WCHAR *LPCWSTR;
typedef WCHAR *LPWSTR;
typedef uint32_t LCID;
typedef uint64_t TASKID;
typedef uint32_t CONNID;
typedef void *LPOVERLAPPED_COMPLETION_ROUTINE;
typedef uint32_t (*LPTHREAD_START_ROUTINE)(void *argument);
typedef void (*WAITORTIMERCALLBACK)(void *argument, BOOL timed_out);
typedef HRESULT (*FExecuteInAppDomainCallback)(void *argument);
typedef struct EXCEPTION_POINTERS EXCEPTION_POINTERS;
typedef struct IActivationFactory IActivationFactory;

#define COR_E_APPDOMAINUNLOADED ((HRESULT)0x80131014)
#define COR_E_CANNOTUNLOADAPPDOMAIN ((HRESULT)0x80131015)
#define COR_E_EXECUTIONENGINE ((HRESULT)0x80131506)
#define COR_E_FAILFAST ((HRESULT)0x80131623)
#define COR_E_FILENOTFOUND ((HRESULT)0x80070002)
#define COR_E_HOSTPROTECTION ((HRESULT)0x80131640)
#define COR_E_INVALIDOPERATION ((HRESULT)0x80131509)
#define COR_E_MISSINGMETHOD ((HRESULT)0x80131513)
#define COR_E_OUTOFMEMORY ((HRESULT)0x8007000e)
#define COR_E_SECURITY ((HRESULT)0x8013150a)
#define COR_E_STACKOVERFLOW ((HRESULT)0x800703e9)
#define COR_E_SYNCHRONIZATIONLOCK ((HRESULT)0x80131518)
#define COR_E_THREADABORTED ((HRESULT)0x80131530)
#define COR_E_THREADINTERRUPTED ((HRESULT)0x80131519)
#define COR_E_THREADSTART ((HRESULT)0x80131525)
#define COR_E_THREADSTATE ((HRESULT)0x80131520)
#define E_ABORT ((HRESULT)0x80004004)
#define E_ACCESSDENIED ((HRESULT)0x80070005)
#define E_FAIL ((HRESULT)0x80004005)
#define E_HANDLE ((HRESULT)0x80070006)
#define E_INVALIDARG ((HRESULT)0x80070057)
#define E_NOINTERFACE ((HRESULT)0x80004002)
#define E_NOTIMPL ((HRESULT)0x80004001)
#define E_NOT_SUFFICIENT_BUFFER ((HRESULT)0x8007007a)
#define E_OUTOFMEMORY ((HRESULT)0x8007000e)
#define E_POINTER ((HRESULT)0x80004003)
#define E_UNEXPECTED ((HRESULT)0x8000ffff)
#define HOST_E_ABANDONED ((HRESULT)0x80131026)
#define HOST_E_CLRNOTAVAILABLE ((HRESULT)0x80131023)
#define HOST_E_DEADLOCK ((HRESULT)0x80131020)
#define HOST_E_EXITPROCESS_ADUNLOAD ((HRESULT)0x80131028)
#define HOST_E_EXITPROCESS_OUTOFMEMORY ((HRESULT)0x8013102a)
#define HOST_E_EXITPROCESS_STACKOVERFLOW ((HRESULT)0x8013102b)
#define HOST_E_EXITPROCESS_THREADABORT ((HRESULT)0x80131027)
#define HOST_E_EXITPROCESS_TIMEOUT ((HRESULT)0x80131029)
#define HOST_E_INTERRUPTED ((HRESULT)0x80131021)
#define HOST_E_INVALIDOPERATION ((HRESULT)0x80131022)
#define HOST_E_NOT_OWNER ((HRESULT)0x80131025)
#define HOST_E_TIMEOUT ((HRESULT)0x80131024)
#define HRESULT_FROM_WIN32_ERROR_NOT_FOUND ((HRESULT)0x80070490)
#define HRESULT_FROM_WIN32_ERROR_NO_MORE_ITEMS ((HRESULT)0x80070103)
#define HRESULT_FROM_WIN32_ERROR_NO_TOKEN ((HRESULT)0x800703f0)
#define HRESULT_FROM_WIN32_ERROR_TIMEOUT ((HRESULT)0x800705b4)
#define STG_E_ACCESSDENIED ((HRESULT)0x80030005)
#define STG_E_INVALIDFLAG ((HRESULT)0x800300ff)
#define STG_E_INVALIDFUNCTION ((HRESULT)0x80030001)
#define STG_E_READFAULT ((HRESULT)0x8003001e)
#define STG_E_SEEKERROR ((HRESULT)0x80030019)
#define S_FALSE ((HRESULT)0x00000001)
#define S_OK ((HRESULT)0x00000000)

typedef uint32_t BucketParameterIndex;
#define Parameter1 ((BucketParameterIndex)0u)
#define Parameter2 ((BucketParameterIndex)1u)
#define Parameter3 ((BucketParameterIndex)2u)
#define Parameter4 ((BucketParameterIndex)3u)
#define Parameter5 ((BucketParameterIndex)4u)
#define Parameter6 ((BucketParameterIndex)5u)
#define Parameter7 ((BucketParameterIndex)6u)
#define Parameter8 ((BucketParameterIndex)7u)
#define Parameter9 ((BucketParameterIndex)8u)
#define InvalidBucketParamIndex ((BucketParameterIndex)9u)

typedef uint32_t COR_GC_STAT_TYPES;
#define COR_GC_COUNTS ((COR_GC_STAT_TYPES)1u)
#define COR_GC_MEMORYUSAGE ((COR_GC_STAT_TYPES)2u)

typedef uint32_t COR_GC_THREAD_STATS_TYPES;
#define COR_GC_THREAD_HAS_PROMOTED_BYTES ((COR_GC_THREAD_STATS_TYPES)1u)

typedef uint32_t EApiCategories;
#define eNoChecks ((EApiCategories)0u)
#define eSynchronization ((EApiCategories)1u)
#define eSharedState ((EApiCategories)2u)
#define eExternalProcessMgmt ((EApiCategories)4u)
#define eSelfAffectingProcessMgmt ((EApiCategories)8u)
#define eExternalThreading ((EApiCategories)16u)
#define eSelfAffectingThreading ((EApiCategories)32u)
#define eSecurityInfrastructure ((EApiCategories)64u)
#define eUI ((EApiCategories)128u)
#define eMayLeakOnAbort ((EApiCategories)256u)
#define eAll ((EApiCategories)511u)

typedef uint32_t EBindPolicyLevels;
#define ePolicyLevelNone ((EBindPolicyLevels)0u)
#define ePolicyLevelRetargetable ((EBindPolicyLevels)1u)
#define ePolicyUnifiedToCLR ((EBindPolicyLevels)2u)
#define ePolicyLevelApp ((EBindPolicyLevels)4u)
#define ePolicyLevelPublisher ((EBindPolicyLevels)8u)
#define ePolicyLevelHost ((EBindPolicyLevels)16u)
#define ePolicyLevelAdmin ((EBindPolicyLevels)32u)
#define ePolicyPortability ((EBindPolicyLevels)64u)

typedef uint32_t ECLRAssemblyIdentityFlags;
#define CLR_ASSEMBLY_IDENTITY_FLAGS_DEFAULT ((ECLRAssemblyIdentityFlags)0u)

typedef uint32_t EClrEvent;
#define Event_DomainUnload ((EClrEvent)0u)
#define Event_ClrDisabled ((EClrEvent)1u)
#define Event_MDAFired ((EClrEvent)2u)
#define Event_StackOverflow ((EClrEvent)3u)
#define MaxClrEvent ((EClrEvent)4u)

typedef uint32_t EClrFailure;
#define FAIL_NonCriticalResource ((EClrFailure)0u)
#define FAIL_CriticalResource ((EClrFailure)1u)
#define FAIL_FatalRuntime ((EClrFailure)2u)
#define FAIL_OrphanedLock ((EClrFailure)3u)
#define FAIL_StackOverflow ((EClrFailure)4u)
#define FAIL_AccessViolation ((EClrFailure)5u)
#define FAIL_CodeContract ((EClrFailure)6u)
#define MaxClrFailure ((EClrFailure)7u)

typedef uint32_t EClrOperation;
#define OPR_ThreadAbort ((EClrOperation)0u)
#define OPR_ThreadRudeAbortInNonCriticalRegion ((EClrOperation)1u)
#define OPR_ThreadRudeAbortInCriticalRegion ((EClrOperation)2u)
#define OPR_AppDomainUnload ((EClrOperation)3u)
#define OPR_AppDomainRudeUnload ((EClrOperation)4u)
#define OPR_ProcessExit ((EClrOperation)5u)
#define OPR_FinalizerRun ((EClrOperation)6u)
#define MaxClrOperation ((EClrOperation)7u)

typedef uint32_t EClrUnhandledException;
#define eRuntimeDeterminedPolicy ((EClrUnhandledException)0u)
#define eHostDeterminedPolicy ((EClrUnhandledException)1u)

typedef uint32_t EContextType;
#define eCurrentContext ((EContextType)0u)
#define eRestrictedContext ((EContextType)1u)

typedef uint32_t ECustomDumpFlavor;
#define DUMP_FLAVOR_Default ((ECustomDumpFlavor)0u)
#define DUMP_FLAVOR_Mini ((ECustomDumpFlavor)0u)
#define DUMP_FLAVOR_CriticalCLRState ((ECustomDumpFlavor)1u)
#define DUMP_FLAVOR_NonHeapCLRState ((ECustomDumpFlavor)2u)

typedef uint32_t ECustomDumpItemKind;
#define DUMP_ITEM_None ((ECustomDumpItemKind)0u)

typedef uint32_t EHostApplicationPolicy;
#define HOST_APPLICATION_BINDING_POLICY ((EHostApplicationPolicy)1u)

typedef uint32_t EHostBindingPolicyModifyFlags;
#define HOST_BINDING_POLICY_MODIFY_DEFAULT ((EHostBindingPolicyModifyFlags)0u)
#define HOST_BINDING_POLICY_MODIFY_CHAIN ((EHostBindingPolicyModifyFlags)1u)
#define HOST_BINDING_POLICY_MODIFY_REMOVE ((EHostBindingPolicyModifyFlags)2u)
#define HOST_BINDING_POLICY_MODIFY_MAX ((EHostBindingPolicyModifyFlags)3u)

typedef uint32_t EInitializeNewDomainFlags;
#define eInitializeNewDomainFlags_None ((EInitializeNewDomainFlags)0u)
#define eInitializeNewDomainFlags_NoSecurityChanges ((EInitializeNewDomainFlags)2u)

typedef uint32_t EMemoryAvailable;
#define eMemoryAvailableLow ((EMemoryAvailable)1u)
#define eMemoryAvailableNeutral ((EMemoryAvailable)2u)
#define eMemoryAvailableHigh ((EMemoryAvailable)3u)

typedef uint32_t EMemoryCriticalLevel;
#define eTaskCritical ((EMemoryCriticalLevel)0u)
#define eAppDomainCritical ((EMemoryCriticalLevel)1u)
#define eProcessCritical ((EMemoryCriticalLevel)2u)

typedef uint32_t EPolicyAction;
#define eNoAction ((EPolicyAction)0u)
#define eThrowException ((EPolicyAction)1u)
#define eAbortThread ((EPolicyAction)2u)
#define eRudeAbortThread ((EPolicyAction)3u)
#define eUnloadAppDomain ((EPolicyAction)4u)
#define eRudeUnloadAppDomain ((EPolicyAction)5u)
#define eExitProcess ((EPolicyAction)6u)
#define eFastExitProcess ((EPolicyAction)7u)
#define eRudeExitProcess ((EPolicyAction)8u)
#define eDisableRuntime ((EPolicyAction)9u)
#define MaxPolicyAction ((EPolicyAction)10u)

typedef uint32_t ESymbolReadingPolicy;
#define eSymbolReadingNever ((ESymbolReadingPolicy)0u)
#define eSymbolReadingAlways ((ESymbolReadingPolicy)1u)
#define eSymbolReadingFullTrustOnly ((ESymbolReadingPolicy)2u)

typedef uint32_t ETaskType;
#define TT_DEBUGGERHELPER ((ETaskType)1u)
#define TT_GC ((ETaskType)2u)
#define TT_FINALIZER ((ETaskType)4u)
#define TT_THREADPOOL_TIMER ((ETaskType)8u)
#define TT_THREADPOOL_GATE ((ETaskType)16u)
#define TT_THREADPOOL_WORKER ((ETaskType)32u)
#define TT_THREADPOOL_IOCOMPLETION ((ETaskType)64u)
#define TT_ADUNLOAD ((ETaskType)128u)
#define TT_USER ((ETaskType)256u)
#define TT_THREADPOOL_WAIT ((ETaskType)512u)
#define TT_UNKNOWN ((ETaskType)2147483648u)

typedef uint32_t HOST_TYPE;
#define HOST_TYPE_DEFAULT ((HOST_TYPE)0u)
#define HOST_TYPE_APPLAUNCH ((HOST_TYPE)1u)
#define HOST_TYPE_CORFLAG ((HOST_TYPE)2u)

typedef uint32_t MALLOC_TYPE;
#define MALLOC_THREADSAFE ((MALLOC_TYPE)1u)
#define MALLOC_EXECUTABLE ((MALLOC_TYPE)2u)

typedef uint32_t STARTUP_FLAGS;
#define STARTUP_CONCURRENT_GC ((STARTUP_FLAGS)1u)
#define STARTUP_LOADER_OPTIMIZATION_SINGLE_DOMAIN ((STARTUP_FLAGS)2u)
#define STARTUP_LOADER_OPTIMIZATION_MULTI_DOMAIN ((STARTUP_FLAGS)4u)
#define STARTUP_LOADER_OPTIMIZATION_MASK ((STARTUP_FLAGS)6u)
#define STARTUP_LOADER_OPTIMIZATION_MULTI_DOMAIN_HOST ((STARTUP_FLAGS)6u)
#define STARTUP_LOADER_SAFEMODE ((STARTUP_FLAGS)16u)
#define STARTUP_LOADER_SETPREFERENCE ((STARTUP_FLAGS)256u)
#define STARTUP_SERVER_GC ((STARTUP_FLAGS)4096u)
#define STARTUP_HOARD_GC_VM ((STARTUP_FLAGS)8192u)
#define STARTUP_SINGLE_VERSION_HOSTING_INTERFACE ((STARTUP_FLAGS)16384u)
#define STARTUP_LEGACY_IMPERSONATION ((STARTUP_FLAGS)65536u)
#define STARTUP_DISABLE_COMMITTHREADSTACK ((STARTUP_FLAGS)131072u)
#define STARTUP_ALWAYSFLOW_IMPERSONATION ((STARTUP_FLAGS)262144u)
#define STARTUP_TRIM_GC_COMMIT ((STARTUP_FLAGS)524288u)
#define STARTUP_ETW ((STARTUP_FLAGS)1048576u)
#define STARTUP_ARM ((STARTUP_FLAGS)4194304u)

typedef uint32_t StackOverflowType;
#define SO_Managed ((StackOverflowType)0u)
#define SO_ClrEngine ((StackOverflowType)1u)
#define SO_Other ((StackOverflowType)2u)

typedef uint32_t WAIT_OPTION;
#define WAIT_MSGPUMP ((WAIT_OPTION)1u)
#define WAIT_ALERTABLE ((WAIT_OPTION)2u)
#define WAIT_NOTINDEADLOCK ((WAIT_OPTION)4u)

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID CLSID_CLRRuntimeHost = {0x90F1A06E, 0x7712, 0x4762, {0x86, 0xB5, 0x7A, 0x5E, 0xBA, 0x6B, 0xDB, 0x02}};

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID CLSID_CorRuntimeHost = {0xCB2F6723, 0xAB3A, 0x11D2, {0x9C, 0x40, 0x00, 0xC0, 0x4F, 0xA3, 0x0A, 0x3E}};

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ISequentialStream = {0x0C733A30, 0x2A1C, 0x11CE, {0xAD, 0xE5, 0x00, 0xAA, 0x00, 0x44, 0x77, 0x3D}};

#define INFINITE 0xffffffffu
#define MEM_COMMIT (4096)
#define MEM_DECOMMIT (16384)
#define MEM_RELEASE (32768)
#define MEM_RESERVE (8192)
#define PAGE_EXECUTE (16)
#define PAGE_EXECUTE_READ (32)
#define PAGE_EXECUTE_READWRITE (64)
#define PAGE_EXECUTE_WRITECOPY (128)
#define PAGE_NOACCESS (1)
#define PAGE_READONLY (2)
#define PAGE_READWRITE (4)
#define PAGE_WRITECOPY (8)
#define CALL_OR_QUEUE (1)
#define QUEUE_ONLY (0)
#define STARTUP_APPX_APP_MODEL (16777216)
#define STARTUP_DISABLE_RANDOMIZED_STRING_HASHING (33554432)
#define STARTUP_SINGLE_APPDOMAIN (8388608)
#define STATFLAG_DEFAULT (0)
#define STATFLAG_NONAME (1)
#define STGTY_STREAM 0x2u
#define STREAM_SEEK_CUR (1)
#define STREAM_SEEK_END (2)
#define STREAM_SEEK_SET (0)
#define SUSPENSION_ENDING_NOT_A_GC 0xffffffffu
#define THREAD_PRIORITY_ABOVE_NORMAL (1)
#define THREAD_PRIORITY_BELOW_NORMAL (-1)
#define THREAD_PRIORITY_ERROR_RETURN (2147483647)
#define THREAD_PRIORITY_HIGHEST (2)
#define THREAD_PRIORITY_IDLE (-15)
#define THREAD_PRIORITY_LOWEST (-2)
#define THREAD_PRIORITY_NORMAL (0)
#define THREAD_PRIORITY_TIME_CRITICAL (15)

typedef struct IUnknown IUnknown;
typedef struct ICLRControl ICLRControl;
typedef struct ICLRRuntimeHost ICLRRuntimeHost;
typedef struct IHostTaskManager IHostTaskManager;
typedef struct IHostTask IHostTask;
typedef struct ICLRTaskManager ICLRTaskManager;
typedef struct ICLRTask ICLRTask;
typedef struct ICLRTask2 ICLRTask2;
typedef struct IHostSyncManager IHostSyncManager;
typedef struct IHostCrst IHostCrst;
typedef struct IHostAutoEvent IHostAutoEvent;
typedef struct IHostManualEvent IHostManualEvent;
typedef struct IHostSemaphore IHostSemaphore;
typedef struct ICLRSyncManager ICLRSyncManager;
typedef struct IHostThreadpoolManager IHostThreadpoolManager;
typedef struct IHostIoCompletionManager IHostIoCompletionManager;
typedef struct ICLRIoCompletionManager ICLRIoCompletionManager;
typedef struct IHostMemoryManager IHostMemoryManager;
typedef struct IHostMalloc IHostMalloc;
typedef struct ICLRMemoryNotificationCallback ICLRMemoryNotificationCallback;
typedef struct IHostGCManager IHostGCManager;
typedef struct ICLRGCManager ICLRGCManager;
typedef struct ICLRGCManager2 ICLRGCManager2;
typedef struct IHostPolicyManager IHostPolicyManager;
typedef struct ICLRPolicyManager ICLRPolicyManager;
typedef struct ICLROnEventManager ICLROnEventManager;
typedef struct IActionOnCLREvent IActionOnCLREvent;
typedef struct IHostSecurityManager IHostSecurityManager;
typedef struct IHostSecurityContext IHostSecurityContext;
typedef struct IHostAssemblyManager IHostAssemblyManager;
typedef struct IHostAssemblyStore IHostAssemblyStore;
typedef struct ICLRAssemblyReferenceList ICLRAssemblyReferenceList;
typedef struct ICLRReferenceAssemblyEnum ICLRReferenceAssemblyEnum;
typedef struct ICLRProbingAssemblyEnum ICLRProbingAssemblyEnum;
typedef struct ICLRAssemblyIdentityManager ICLRAssemblyIdentityManager;
typedef struct ICLRHostBindingPolicyManager ICLRHostBindingPolicyManager;
typedef struct ICLRHostProtectionManager ICLRHostProtectionManager;
typedef struct ICLRDomainManager ICLRDomainManager;
typedef struct ICLRDebugManager ICLRDebugManager;
typedef struct ICLRErrorReportingManager ICLRErrorReportingManager;
typedef struct ICLRAppDomainResourceMonitor ICLRAppDomainResourceMonitor;
typedef struct IGCThreadControl IGCThreadControl;
typedef struct IGCHostControl IGCHostControl;
typedef struct IDebuggerThreadControl IDebuggerThreadControl;
typedef struct IDebuggerInfo IDebuggerInfo;
typedef struct ICorConfiguration ICorConfiguration;
typedef struct ICorRuntimeHost ICorRuntimeHost;
typedef struct ICorThreadpool ICorThreadpool;
typedef struct IAppDomainBinding IAppDomainBinding;
typedef struct ICLRRuntimeHost2 ICLRRuntimeHost2;
typedef struct ICLRExecutionManager ICLRExecutionManager;
typedef struct IStream IStream;

typedef struct AssemblyBindInfo {
    DWORD dwAppDomainId;
    LPCWSTR lpReferencedIdentity;
    LPCWSTR lpPostPolicyIdentity;
    DWORD ePolicyLevel;
} AssemblyBindInfo;

typedef struct BucketParameters {
    BOOL fInited;
    WCHAR pszEventTypeName[255];
    WCHAR pszParams[10][255];
} BucketParameters;

typedef struct COR_GC_STATS {
    ULONG Flags;
    SIZE_T ExplicitGCCount;
    SIZE_T GenCollectionsTaken[3];
    SIZE_T CommittedKBytes;
    SIZE_T ReservedKBytes;
    SIZE_T Gen0HeapSizeKBytes;
    SIZE_T Gen1HeapSizeKBytes;
    SIZE_T Gen2HeapSizeKBytes;
    SIZE_T LargeObjectHeapSizeKBytes;
    SIZE_T KBytesPromotedFromGen0;
    SIZE_T KBytesPromotedFromGen1;
} COR_GC_STATS;

typedef struct COR_GC_THREAD_STATS {
    ULONGLONG PerThreadAllocation;
    ULONG Flags;
} COR_GC_THREAD_STATS;

typedef struct CustomDumpItem {
    ECustomDumpItemKind itemKind;
    UINT_PTR pReserved;
} CustomDumpItem;

typedef struct MDAInfo {
    LPCWSTR lpMDACaption;
    LPCWSTR lpMDAMessage;
    LPCWSTR lpStackTrace;
} MDAInfo;

typedef struct ModuleBindInfo {
    DWORD dwAppDomainId;
    LPCWSTR lpAssemblyIdentity;
    LPCWSTR lpModuleName;
} ModuleBindInfo;

typedef struct OVERLAPPED {
    UINT_PTR Internal;
    UINT_PTR InternalHigh;
    DWORD Offset;
    DWORD OffsetHigh;
    HANDLE hEvent;
} OVERLAPPED;

typedef struct STATSTG {
    LPWSTR pwcsName;
    DWORD type;
    ULONGLONG cbSize;
    DWORD mtime[2];
    DWORD ctime[2];
    DWORD atime[2];
    DWORD grfMode;
    DWORD grfLocksSupported;
    GUID clsid;
    DWORD grfStateBits;
    DWORD reserved;
} STATSTG;

typedef struct StackOverflowInfo {
    StackOverflowType soType;
    EXCEPTION_POINTERS *pExceptionInfo;
} StackOverflowInfo;

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IUnknown = {0x00000000, 0x0000, 0x0000, {0xC0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46}};

typedef struct IUnknownVtbl {
    HRESULT (*QueryInterface)(IUnknown *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IUnknown *self);
    ULONG (*Release)(IUnknown *self);
} IUnknownVtbl;

struct IUnknown {
    const IUnknownVtbl *lpVtbl;
};

static inline HRESULT IUnknown_QueryInterface(IUnknown *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IUnknown_AddRef(IUnknown *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IUnknown_Release(IUnknown *self) { return self->lpVtbl->Release(self); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostControl = {0x02CA073C, 0x7079, 0x4860, {0x88, 0x0A, 0xC2, 0xF7, 0xA4, 0x49, 0xC9, 0x91}};

typedef struct IHostControlVtbl {
    HRESULT (*QueryInterface)(IHostControl *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostControl *self);
    ULONG (*Release)(IHostControl *self);
    HRESULT (*GetHostManager)(IHostControl *self, REFIID riid, void **ppObject);
    HRESULT (*SetAppDomainManager)(IHostControl *self, DWORD dwAppDomainID, IUnknown *pUnkAppDomainManager);
} IHostControlVtbl;

struct IHostControl {
    const IHostControlVtbl *lpVtbl;
};

static inline HRESULT IHostControl_QueryInterface(IHostControl *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostControl_AddRef(IHostControl *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostControl_Release(IHostControl *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostControl_GetHostManager(IHostControl *self, REFIID riid, void **ppObject) { return self->lpVtbl->GetHostManager(self, riid, ppObject); }
static inline HRESULT IHostControl_SetAppDomainManager(IHostControl *self, DWORD dwAppDomainID, IUnknown *pUnkAppDomainManager) { return self->lpVtbl->SetAppDomainManager(self, dwAppDomainID, pUnkAppDomainManager); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRControl = {0x9065597E, 0xD1A1, 0x4FB2, {0xB6, 0xBA, 0x7E, 0x1F, 0xCE, 0x23, 0x0F, 0x61}};

typedef struct ICLRControlVtbl {
    HRESULT (*QueryInterface)(ICLRControl *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRControl *self);
    ULONG (*Release)(ICLRControl *self);
    HRESULT (*GetCLRManager)(ICLRControl *self, REFIID riid, void **ppObject);
    HRESULT (*SetAppDomainManagerType)(ICLRControl *self, LPCWSTR pwzAppDomainManagerAssembly, LPCWSTR pwzAppDomainManagerType);
} ICLRControlVtbl;

struct ICLRControl {
    const ICLRControlVtbl *lpVtbl;
};

static inline HRESULT ICLRControl_QueryInterface(ICLRControl *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRControl_AddRef(ICLRControl *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRControl_Release(ICLRControl *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRControl_GetCLRManager(ICLRControl *self, REFIID riid, void **ppObject) { return self->lpVtbl->GetCLRManager(self, riid, ppObject); }
static inline HRESULT ICLRControl_SetAppDomainManagerType(ICLRControl *self, LPCWSTR pwzAppDomainManagerAssembly, LPCWSTR pwzAppDomainManagerType) { return self->lpVtbl->SetAppDomainManagerType(self, pwzAppDomainManagerAssembly, pwzAppDomainManagerType); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRRuntimeHost = {0x90F1A06C, 0x7712, 0x4762, {0x86, 0xB5, 0x7A, 0x5E, 0xBA, 0x6B, 0xDB, 0x02}};

typedef struct ICLRRuntimeHostVtbl {
    HRESULT (*QueryInterface)(ICLRRuntimeHost *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRRuntimeHost *self);
    ULONG (*Release)(ICLRRuntimeHost *self);
    HRESULT (*Start)(ICLRRuntimeHost *self);
    HRESULT (*Stop)(ICLRRuntimeHost *self);
    HRESULT (*SetHostControl)(ICLRRuntimeHost *self, IHostControl *pHostControl);
    HRESULT (*GetCLRControl)(ICLRRuntimeHost *self, ICLRControl **pCLRControl);
    HRESULT (*UnloadAppDomain)(ICLRRuntimeHost *self, DWORD dwAppDomainId, BOOL fWaitUntilDone);
    HRESULT (*ExecuteInAppDomain)(ICLRRuntimeHost *self, DWORD dwAppDomainId, FExecuteInAppDomainCallback pCallback, void *cookie);
    HRESULT (*GetCurrentAppDomainId)(ICLRRuntimeHost *self, DWORD *pdwAppDomainId);
    HRESULT (*ExecuteApplication)(ICLRRuntimeHost *self, LPCWSTR pwzAppFullName, DWORD dwManifestPaths, LPCWSTR *ppwzManifestPaths, DWORD dwActivationData, LPCWSTR *ppwzActivationData, int *pReturnValue);
    HRESULT (*ExecuteInDefaultAppDomain)(ICLRRuntimeHost *self, LPCWSTR pwzAssemblyPath, LPCWSTR pwzTypeName, LPCWSTR pwzMethodName, LPCWSTR pwzArgument, DWORD *pReturnValue);
} ICLRRuntimeHostVtbl;

struct ICLRRuntimeHost {
    const ICLRRuntimeHostVtbl *lpVtbl;
};

static inline HRESULT ICLRRuntimeHost_QueryInterface(ICLRRuntimeHost *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRRuntimeHost_AddRef(ICLRRuntimeHost *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRRuntimeHost_Release(ICLRRuntimeHost *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRRuntimeHost_Start(ICLRRuntimeHost *self) { return self->lpVtbl->Start(self); }
static inline HRESULT ICLRRuntimeHost_Stop(ICLRRuntimeHost *self) { return self->lpVtbl->Stop(self); }
static inline HRESULT ICLRRuntimeHost_SetHostControl(ICLRRuntimeHost *self, IHostControl *pHostControl) { return self->lpVtbl->SetHostControl(self, pHostControl); }
static inline HRESULT ICLRRuntimeHost_GetCLRControl(ICLRRuntimeHost *self, ICLRControl **pCLRControl) { return self->lpVtbl->GetCLRControl(self, pCLRControl); }
static inline HRESULT ICLRRuntimeHost_UnloadAppDomain(ICLRRuntimeHost *self, DWORD dwAppDomainId, BOOL fWaitUntilDone) { return self->lpVtbl->UnloadAppDomain(self, dwAppDomainId, fWaitUntilDone); }
static inline HRESULT ICLRRuntimeHost_ExecuteInAppDomain(ICLRRuntimeHost *self, DWORD dwAppDomainId, FExecuteInAppDomainCallback pCallback, void *cookie) { return self->lpVtbl->ExecuteInAppDomain(self, dwAppDomainId, pCallback, cookie); }
static inline HRESULT ICLRRuntimeHost_GetCurrentAppDomainId(ICLRRuntimeHost *self, DWORD *pdwAppDomainId) { return self->lpVtbl->GetCurrentAppDomainId(self, pdwAppDomainId); }
static inline HRESULT ICLRRuntimeHost_ExecuteApplication(ICLRRuntimeHost *self, LPCWSTR pwzAppFullName, DWORD dwManifestPaths, LPCWSTR *ppwzManifestPaths, DWORD dwActivationData, LPCWSTR *ppwzActivationData, int *pReturnValue) { return self->lpVtbl->ExecuteApplication(self, pwzAppFullName, dwManifestPaths, ppwzManifestPaths, dwActivationData, ppwzActivationData, pReturnValue); }
static inline HRESULT ICLRRuntimeHost_ExecuteInDefaultAppDomain(ICLRRuntimeHost *self, LPCWSTR pwzAssemblyPath, LPCWSTR pwzTypeName, LPCWSTR pwzMethodName, LPCWSTR pwzArgument, DWORD *pReturnValue) { return self->lpVtbl->ExecuteInDefaultAppDomain(self, pwzAssemblyPath, pwzTypeName, pwzMethodName, pwzArgument, pReturnValue); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostTaskManager = {0x997FF24C, 0x43B7, 0x4352, {0x86, 0x67, 0x0D, 0xC0, 0x4F, 0xAF, 0xD3, 0x54}};

typedef struct IHostTaskManagerVtbl {
    HRESULT (*QueryInterface)(IHostTaskManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostTaskManager *self);
    ULONG (*Release)(IHostTaskManager *self);
    HRESULT (*GetCurrentTask)(IHostTaskManager *self, IHostTask **pTask);
    HRESULT (*CreateTask)(IHostTaskManager *self, DWORD dwStackSize, LPTHREAD_START_ROUTINE pStartAddress, PVOID pParameter, IHostTask **ppTask);
    HRESULT (*Sleep)(IHostTaskManager *self, DWORD dwMilliseconds, DWORD option);
    HRESULT (*SwitchToTask)(IHostTaskManager *self, DWORD option);
    HRESULT (*SetUILocale)(IHostTaskManager *self, LCID lcid);
    HRESULT (*SetLocale)(IHostTaskManager *self, LCID lcid);
    HRESULT (*CallNeedsHostHook)(IHostTaskManager *self, SIZE_T target, BOOL *pbCallNeedsHostHook);
    HRESULT (*LeaveRuntime)(IHostTaskManager *self, SIZE_T target);
    HRESULT (*EnterRuntime)(IHostTaskManager *self);
    HRESULT (*ReverseLeaveRuntime)(IHostTaskManager *self);
    HRESULT (*ReverseEnterRuntime)(IHostTaskManager *self);
    HRESULT (*BeginDelayAbort)(IHostTaskManager *self);
    HRESULT (*EndDelayAbort)(IHostTaskManager *self);
    HRESULT (*BeginThreadAffinity)(IHostTaskManager *self);
    HRESULT (*EndThreadAffinity)(IHostTaskManager *self);
    HRESULT (*SetStackGuarantee)(IHostTaskManager *self, ULONG guarantee);
    HRESULT (*GetStackGuarantee)(IHostTaskManager *self, ULONG *pGuarantee);
    HRESULT (*SetCLRTaskManager)(IHostTaskManager *self, ICLRTaskManager *ppManager);
} IHostTaskManagerVtbl;

struct IHostTaskManager {
    const IHostTaskManagerVtbl *lpVtbl;
};

static inline HRESULT IHostTaskManager_QueryInterface(IHostTaskManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostTaskManager_AddRef(IHostTaskManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostTaskManager_Release(IHostTaskManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostTaskManager_GetCurrentTask(IHostTaskManager *self, IHostTask **pTask) { return self->lpVtbl->GetCurrentTask(self, pTask); }
static inline HRESULT IHostTaskManager_CreateTask(IHostTaskManager *self, DWORD dwStackSize, LPTHREAD_START_ROUTINE pStartAddress, PVOID pParameter, IHostTask **ppTask) { return self->lpVtbl->CreateTask(self, dwStackSize, pStartAddress, pParameter, ppTask); }
static inline HRESULT IHostTaskManager_Sleep(IHostTaskManager *self, DWORD dwMilliseconds, DWORD option) { return self->lpVtbl->Sleep(self, dwMilliseconds, option); }
static inline HRESULT IHostTaskManager_SwitchToTask(IHostTaskManager *self, DWORD option) { return self->lpVtbl->SwitchToTask(self, option); }
static inline HRESULT IHostTaskManager_SetUILocale(IHostTaskManager *self, LCID lcid) { return self->lpVtbl->SetUILocale(self, lcid); }
static inline HRESULT IHostTaskManager_SetLocale(IHostTaskManager *self, LCID lcid) { return self->lpVtbl->SetLocale(self, lcid); }
static inline HRESULT IHostTaskManager_CallNeedsHostHook(IHostTaskManager *self, SIZE_T target, BOOL *pbCallNeedsHostHook) { return self->lpVtbl->CallNeedsHostHook(self, target, pbCallNeedsHostHook); }
static inline HRESULT IHostTaskManager_LeaveRuntime(IHostTaskManager *self, SIZE_T target) { return self->lpVtbl->LeaveRuntime(self, target); }
static inline HRESULT IHostTaskManager_EnterRuntime(IHostTaskManager *self) { return self->lpVtbl->EnterRuntime(self); }
static inline HRESULT IHostTaskManager_ReverseLeaveRuntime(IHostTaskManager *self) { return self->lpVtbl->ReverseLeaveRuntime(self); }
static inline HRESULT IHostTaskManager_ReverseEnterRuntime(IHostTaskManager *self) { return self->lpVtbl->ReverseEnterRuntime(self); }
static inline HRESULT IHostTaskManager_BeginDelayAbort(IHostTaskManager *self) { return self->lpVtbl->BeginDelayAbort(self); }
static inline HRESULT IHostTaskManager_EndDelayAbort(IHostTaskManager *self) { return self->lpVtbl->EndDelayAbort(self); }
static inline HRESULT IHostTaskManager_BeginThreadAffinity(IHostTaskManager *self) { return self->lpVtbl->BeginThreadAffinity(self); }
static inline HRESULT IHostTaskManager_EndThreadAffinity(IHostTaskManager *self) { return self->lpVtbl->EndThreadAffinity(self); }
static inline HRESULT IHostTaskManager_SetStackGuarantee(IHostTaskManager *self, ULONG guarantee) { return self->lpVtbl->SetStackGuarantee(self, guarantee); }
static inline HRESULT IHostTaskManager_GetStackGuarantee(IHostTaskManager *self, ULONG *pGuarantee) { return self->lpVtbl->GetStackGuarantee(self, pGuarantee); }
static inline HRESULT IHostTaskManager_SetCLRTaskManager(IHostTaskManager *self, ICLRTaskManager *ppManager) { return self->lpVtbl->SetCLRTaskManager(self, ppManager); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostTask = {0xC2275828, 0xC4B1, 0x4B55, {0x82, 0xC9, 0x92, 0x13, 0x5F, 0x74, 0xDF, 0x1A}};

typedef struct IHostTaskVtbl {
    HRESULT (*QueryInterface)(IHostTask *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostTask *self);
    ULONG (*Release)(IHostTask *self);
    HRESULT (*Start)(IHostTask *self);
    HRESULT (*Alert)(IHostTask *self);
    HRESULT (*Join)(IHostTask *self, DWORD dwMilliseconds, DWORD option);
    HRESULT (*SetPriority)(IHostTask *self, int newPriority);
    HRESULT (*GetPriority)(IHostTask *self, int *pPriority);
    HRESULT (*SetCLRTask)(IHostTask *self, ICLRTask *pCLRTask);
} IHostTaskVtbl;

struct IHostTask {
    const IHostTaskVtbl *lpVtbl;
};

static inline HRESULT IHostTask_QueryInterface(IHostTask *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostTask_AddRef(IHostTask *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostTask_Release(IHostTask *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostTask_Start(IHostTask *self) { return self->lpVtbl->Start(self); }
static inline HRESULT IHostTask_Alert(IHostTask *self) { return self->lpVtbl->Alert(self); }
static inline HRESULT IHostTask_Join(IHostTask *self, DWORD dwMilliseconds, DWORD option) { return self->lpVtbl->Join(self, dwMilliseconds, option); }
static inline HRESULT IHostTask_SetPriority(IHostTask *self, int newPriority) { return self->lpVtbl->SetPriority(self, newPriority); }
static inline HRESULT IHostTask_GetPriority(IHostTask *self, int *pPriority) { return self->lpVtbl->GetPriority(self, pPriority); }
static inline HRESULT IHostTask_SetCLRTask(IHostTask *self, ICLRTask *pCLRTask) { return self->lpVtbl->SetCLRTask(self, pCLRTask); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRTaskManager = {0x4862EFBE, 0x3AE5, 0x44F8, {0x8F, 0xEB, 0x34, 0x61, 0x90, 0xEE, 0x8A, 0x34}};

typedef struct ICLRTaskManagerVtbl {
    HRESULT (*QueryInterface)(ICLRTaskManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRTaskManager *self);
    ULONG (*Release)(ICLRTaskManager *self);
    HRESULT (*CreateTask)(ICLRTaskManager *self, ICLRTask **pTask);
    HRESULT (*GetCurrentTask)(ICLRTaskManager *self, ICLRTask **pTask);
    HRESULT (*SetUILocale)(ICLRTaskManager *self, LCID lcid);
    HRESULT (*SetLocale)(ICLRTaskManager *self, LCID lcid);
    HRESULT (*GetCurrentTaskType)(ICLRTaskManager *self, ETaskType *pTaskType);
} ICLRTaskManagerVtbl;

struct ICLRTaskManager {
    const ICLRTaskManagerVtbl *lpVtbl;
};

static inline HRESULT ICLRTaskManager_QueryInterface(ICLRTaskManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRTaskManager_AddRef(ICLRTaskManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRTaskManager_Release(ICLRTaskManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRTaskManager_CreateTask(ICLRTaskManager *self, ICLRTask **pTask) { return self->lpVtbl->CreateTask(self, pTask); }
static inline HRESULT ICLRTaskManager_GetCurrentTask(ICLRTaskManager *self, ICLRTask **pTask) { return self->lpVtbl->GetCurrentTask(self, pTask); }
static inline HRESULT ICLRTaskManager_SetUILocale(ICLRTaskManager *self, LCID lcid) { return self->lpVtbl->SetUILocale(self, lcid); }
static inline HRESULT ICLRTaskManager_SetLocale(ICLRTaskManager *self, LCID lcid) { return self->lpVtbl->SetLocale(self, lcid); }
static inline HRESULT ICLRTaskManager_GetCurrentTaskType(ICLRTaskManager *self, ETaskType *pTaskType) { return self->lpVtbl->GetCurrentTaskType(self, pTaskType); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRTask = {0x28E66A4A, 0x9906, 0x4225, {0xB2, 0x31, 0x91, 0x87, 0xC3, 0xEB, 0x86, 0x11}};

typedef struct ICLRTaskVtbl {
    HRESULT (*QueryInterface)(ICLRTask *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRTask *self);
    ULONG (*Release)(ICLRTask *self);
    HRESULT (*SwitchIn)(ICLRTask *self, HANDLE threadHandle);
    HRESULT (*SwitchOut)(ICLRTask *self);
    HRESULT (*GetMemStats)(ICLRTask *self, COR_GC_THREAD_STATS *memUsage);
    HRESULT (*Reset)(ICLRTask *self, BOOL fFull);
    HRESULT (*ExitTask)(ICLRTask *self);
    HRESULT (*Abort)(ICLRTask *self);
    HRESULT (*RudeAbort)(ICLRTask *self);
    HRESULT (*NeedsPriorityScheduling)(ICLRTask *self, BOOL *pbNeedsPriorityScheduling);
    HRESULT (*YieldTask)(ICLRTask *self);
    HRESULT (*LocksHeld)(ICLRTask *self, SIZE_T *pLockCount);
    HRESULT (*SetTaskIdentifier)(ICLRTask *self, TASKID asked);
} ICLRTaskVtbl;

struct ICLRTask {
    const ICLRTaskVtbl *lpVtbl;
};

static inline HRESULT ICLRTask_QueryInterface(ICLRTask *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRTask_AddRef(ICLRTask *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRTask_Release(ICLRTask *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRTask_SwitchIn(ICLRTask *self, HANDLE threadHandle) { return self->lpVtbl->SwitchIn(self, threadHandle); }
static inline HRESULT ICLRTask_SwitchOut(ICLRTask *self) { return self->lpVtbl->SwitchOut(self); }
static inline HRESULT ICLRTask_GetMemStats(ICLRTask *self, COR_GC_THREAD_STATS *memUsage) { return self->lpVtbl->GetMemStats(self, memUsage); }
static inline HRESULT ICLRTask_Reset(ICLRTask *self, BOOL fFull) { return self->lpVtbl->Reset(self, fFull); }
static inline HRESULT ICLRTask_ExitTask(ICLRTask *self) { return self->lpVtbl->ExitTask(self); }
static inline HRESULT ICLRTask_Abort(ICLRTask *self) { return self->lpVtbl->Abort(self); }
static inline HRESULT ICLRTask_RudeAbort(ICLRTask *self) { return self->lpVtbl->RudeAbort(self); }
static inline HRESULT ICLRTask_NeedsPriorityScheduling(ICLRTask *self, BOOL *pbNeedsPriorityScheduling) { return self->lpVtbl->NeedsPriorityScheduling(self, pbNeedsPriorityScheduling); }
static inline HRESULT ICLRTask_YieldTask(ICLRTask *self) { return self->lpVtbl->YieldTask(self); }
static inline HRESULT ICLRTask_LocksHeld(ICLRTask *self, SIZE_T *pLockCount) { return self->lpVtbl->LocksHeld(self, pLockCount); }
static inline HRESULT ICLRTask_SetTaskIdentifier(ICLRTask *self, TASKID asked) { return self->lpVtbl->SetTaskIdentifier(self, asked); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRTask2 = {0x28E66A4A, 0x9906, 0x4225, {0xB2, 0x31, 0x91, 0x87, 0xC3, 0xEB, 0x86, 0x12}};

typedef struct ICLRTask2Vtbl {
    HRESULT (*QueryInterface)(ICLRTask2 *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRTask2 *self);
    ULONG (*Release)(ICLRTask2 *self);
    HRESULT (*SwitchIn)(ICLRTask2 *self, HANDLE threadHandle);
    HRESULT (*SwitchOut)(ICLRTask2 *self);
    HRESULT (*GetMemStats)(ICLRTask2 *self, COR_GC_THREAD_STATS *memUsage);
    HRESULT (*Reset)(ICLRTask2 *self, BOOL fFull);
    HRESULT (*ExitTask)(ICLRTask2 *self);
    HRESULT (*Abort)(ICLRTask2 *self);
    HRESULT (*RudeAbort)(ICLRTask2 *self);
    HRESULT (*NeedsPriorityScheduling)(ICLRTask2 *self, BOOL *pbNeedsPriorityScheduling);
    HRESULT (*YieldTask)(ICLRTask2 *self);
    HRESULT (*LocksHeld)(ICLRTask2 *self, SIZE_T *pLockCount);
    HRESULT (*SetTaskIdentifier)(ICLRTask2 *self, TASKID asked);
    HRESULT (*BeginPreventAsyncAbort)(ICLRTask2 *self);
    HRESULT (*EndPreventAsyncAbort)(ICLRTask2 *self);
} ICLRTask2Vtbl;

struct ICLRTask2 {
    const ICLRTask2Vtbl *lpVtbl;
};

static inline HRESULT ICLRTask2_QueryInterface(ICLRTask2 *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRTask2_AddRef(ICLRTask2 *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRTask2_Release(ICLRTask2 *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRTask2_SwitchIn(ICLRTask2 *self, HANDLE threadHandle) { return self->lpVtbl->SwitchIn(self, threadHandle); }
static inline HRESULT ICLRTask2_SwitchOut(ICLRTask2 *self) { return self->lpVtbl->SwitchOut(self); }
static inline HRESULT ICLRTask2_GetMemStats(ICLRTask2 *self, COR_GC_THREAD_STATS *memUsage) { return self->lpVtbl->GetMemStats(self, memUsage); }
static inline HRESULT ICLRTask2_Reset(ICLRTask2 *self, BOOL fFull) { return self->lpVtbl->Reset(self, fFull); }
static inline HRESULT ICLRTask2_ExitTask(ICLRTask2 *self) { return self->lpVtbl->ExitTask(self); }
static inline HRESULT ICLRTask2_Abort(ICLRTask2 *self) { return self->lpVtbl->Abort(self); }
static inline HRESULT ICLRTask2_RudeAbort(ICLRTask2 *self) { return self->lpVtbl->RudeAbort(self); }
static inline HRESULT ICLRTask2_NeedsPriorityScheduling(ICLRTask2 *self, BOOL *pbNeedsPriorityScheduling) { return self->lpVtbl->NeedsPriorityScheduling(self, pbNeedsPriorityScheduling); }
static inline HRESULT ICLRTask2_YieldTask(ICLRTask2 *self) { return self->lpVtbl->YieldTask(self); }
static inline HRESULT ICLRTask2_LocksHeld(ICLRTask2 *self, SIZE_T *pLockCount) { return self->lpVtbl->LocksHeld(self, pLockCount); }
static inline HRESULT ICLRTask2_SetTaskIdentifier(ICLRTask2 *self, TASKID asked) { return self->lpVtbl->SetTaskIdentifier(self, asked); }
static inline HRESULT ICLRTask2_BeginPreventAsyncAbort(ICLRTask2 *self) { return self->lpVtbl->BeginPreventAsyncAbort(self); }
static inline HRESULT ICLRTask2_EndPreventAsyncAbort(ICLRTask2 *self) { return self->lpVtbl->EndPreventAsyncAbort(self); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostSyncManager = {0x234330C7, 0x5F10, 0x4F20, {0x96, 0x15, 0x51, 0x22, 0xDA, 0xB7, 0xA0, 0xAC}};

typedef struct IHostSyncManagerVtbl {
    HRESULT (*QueryInterface)(IHostSyncManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostSyncManager *self);
    ULONG (*Release)(IHostSyncManager *self);
    HRESULT (*SetCLRSyncManager)(IHostSyncManager *self, ICLRSyncManager *pManager);
    HRESULT (*CreateCrst)(IHostSyncManager *self, IHostCrst **ppCrst);
    HRESULT (*CreateCrstWithSpinCount)(IHostSyncManager *self, DWORD dwSpinCount, IHostCrst **ppCrst);
    HRESULT (*CreateAutoEvent)(IHostSyncManager *self, IHostAutoEvent **ppEvent);
    HRESULT (*CreateManualEvent)(IHostSyncManager *self, BOOL bInitialState, IHostManualEvent **ppEvent);
    HRESULT (*CreateMonitorEvent)(IHostSyncManager *self, SIZE_T Cookie, IHostAutoEvent **ppEvent);
    HRESULT (*CreateRWLockWriterEvent)(IHostSyncManager *self, SIZE_T Cookie, IHostAutoEvent **ppEvent);
    HRESULT (*CreateRWLockReaderEvent)(IHostSyncManager *self, BOOL bInitialState, SIZE_T Cookie, IHostManualEvent **ppEvent);
    HRESULT (*CreateSemaphore)(IHostSyncManager *self, DWORD dwInitial, DWORD dwMax, IHostSemaphore **ppSemaphore);
} IHostSyncManagerVtbl;

struct IHostSyncManager {
    const IHostSyncManagerVtbl *lpVtbl;
};

static inline HRESULT IHostSyncManager_QueryInterface(IHostSyncManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostSyncManager_AddRef(IHostSyncManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostSyncManager_Release(IHostSyncManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostSyncManager_SetCLRSyncManager(IHostSyncManager *self, ICLRSyncManager *pManager) { return self->lpVtbl->SetCLRSyncManager(self, pManager); }
static inline HRESULT IHostSyncManager_CreateCrst(IHostSyncManager *self, IHostCrst **ppCrst) { return self->lpVtbl->CreateCrst(self, ppCrst); }
static inline HRESULT IHostSyncManager_CreateCrstWithSpinCount(IHostSyncManager *self, DWORD dwSpinCount, IHostCrst **ppCrst) { return self->lpVtbl->CreateCrstWithSpinCount(self, dwSpinCount, ppCrst); }
static inline HRESULT IHostSyncManager_CreateAutoEvent(IHostSyncManager *self, IHostAutoEvent **ppEvent) { return self->lpVtbl->CreateAutoEvent(self, ppEvent); }
static inline HRESULT IHostSyncManager_CreateManualEvent(IHostSyncManager *self, BOOL bInitialState, IHostManualEvent **ppEvent) { return self->lpVtbl->CreateManualEvent(self, bInitialState, ppEvent); }
static inline HRESULT IHostSyncManager_CreateMonitorEvent(IHostSyncManager *self, SIZE_T Cookie, IHostAutoEvent **ppEvent) { return self->lpVtbl->CreateMonitorEvent(self, Cookie, ppEvent); }
static inline HRESULT IHostSyncManager_CreateRWLockWriterEvent(IHostSyncManager *self, SIZE_T Cookie, IHostAutoEvent **ppEvent) { return self->lpVtbl->CreateRWLockWriterEvent(self, Cookie, ppEvent); }
static inline HRESULT IHostSyncManager_CreateRWLockReaderEvent(IHostSyncManager *self, BOOL bInitialState, SIZE_T Cookie, IHostManualEvent **ppEvent) { return self->lpVtbl->CreateRWLockReaderEvent(self, bInitialState, Cookie, ppEvent); }
static inline HRESULT IHostSyncManager_CreateSemaphore(IHostSyncManager *self, DWORD dwInitial, DWORD dwMax, IHostSemaphore **ppSemaphore) { return self->lpVtbl->CreateSemaphore(self, dwInitial, dwMax, ppSemaphore); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostCrst = {0x6DF710A6, 0x26A4, 0x4A65, {0x8C, 0xD5, 0x72, 0x37, 0xB8, 0xBD, 0xA8, 0xDC}};

typedef struct IHostCrstVtbl {
    HRESULT (*QueryInterface)(IHostCrst *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostCrst *self);
    ULONG (*Release)(IHostCrst *self);
    HRESULT (*Enter)(IHostCrst *self, DWORD option);
    HRESULT (*Leave)(IHostCrst *self);
    HRESULT (*TryEnter)(IHostCrst *self, DWORD option, BOOL *pbSucceeded);
    HRESULT (*SetSpinCount)(IHostCrst *self, DWORD dwSpinCount);
} IHostCrstVtbl;

struct IHostCrst {
    const IHostCrstVtbl *lpVtbl;
};

static inline HRESULT IHostCrst_QueryInterface(IHostCrst *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostCrst_AddRef(IHostCrst *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostCrst_Release(IHostCrst *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostCrst_Enter(IHostCrst *self, DWORD option) { return self->lpVtbl->Enter(self, option); }
static inline HRESULT IHostCrst_Leave(IHostCrst *self) { return self->lpVtbl->Leave(self); }
static inline HRESULT IHostCrst_TryEnter(IHostCrst *self, DWORD option, BOOL *pbSucceeded) { return self->lpVtbl->TryEnter(self, option, pbSucceeded); }
static inline HRESULT IHostCrst_SetSpinCount(IHostCrst *self, DWORD dwSpinCount) { return self->lpVtbl->SetSpinCount(self, dwSpinCount); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostAutoEvent = {0x50B0CFCE, 0x4063, 0x4278, {0x96, 0x73, 0xE5, 0xCB, 0x4E, 0xD0, 0xBD, 0xB8}};

typedef struct IHostAutoEventVtbl {
    HRESULT (*QueryInterface)(IHostAutoEvent *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostAutoEvent *self);
    ULONG (*Release)(IHostAutoEvent *self);
    HRESULT (*Wait)(IHostAutoEvent *self, DWORD dwMilliseconds, DWORD option);
    HRESULT (*Set)(IHostAutoEvent *self);
} IHostAutoEventVtbl;

struct IHostAutoEvent {
    const IHostAutoEventVtbl *lpVtbl;
};

static inline HRESULT IHostAutoEvent_QueryInterface(IHostAutoEvent *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostAutoEvent_AddRef(IHostAutoEvent *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostAutoEvent_Release(IHostAutoEvent *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostAutoEvent_Wait(IHostAutoEvent *self, DWORD dwMilliseconds, DWORD option) { return self->lpVtbl->Wait(self, dwMilliseconds, option); }
static inline HRESULT IHostAutoEvent_Set(IHostAutoEvent *self) { return self->lpVtbl->Set(self); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostManualEvent = {0x1BF4EC38, 0xAFFE, 0x4FB9, {0x85, 0xA6, 0x52, 0x52, 0x68, 0xF1, 0x5B, 0x54}};

typedef struct IHostManualEventVtbl {
    HRESULT (*QueryInterface)(IHostManualEvent *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostManualEvent *self);
    ULONG (*Release)(IHostManualEvent *self);
    HRESULT (*Wait)(IHostManualEvent *self, DWORD dwMilliseconds, DWORD option);
    HRESULT (*Reset)(IHostManualEvent *self);
    HRESULT (*Set)(IHostManualEvent *self);
} IHostManualEventVtbl;

struct IHostManualEvent {
    const IHostManualEventVtbl *lpVtbl;
};

static inline HRESULT IHostManualEvent_QueryInterface(IHostManualEvent *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostManualEvent_AddRef(IHostManualEvent *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostManualEvent_Release(IHostManualEvent *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostManualEvent_Wait(IHostManualEvent *self, DWORD dwMilliseconds, DWORD option) { return self->lpVtbl->Wait(self, dwMilliseconds, option); }
static inline HRESULT IHostManualEvent_Reset(IHostManualEvent *self) { return self->lpVtbl->Reset(self); }
static inline HRESULT IHostManualEvent_Set(IHostManualEvent *self) { return self->lpVtbl->Set(self); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostSemaphore = {0x855EFD47, 0xCC09, 0x463A, {0xA9, 0x7D, 0x16, 0xAC, 0xAB, 0x88, 0x26, 0x61}};

typedef struct IHostSemaphoreVtbl {
    HRESULT (*QueryInterface)(IHostSemaphore *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostSemaphore *self);
    ULONG (*Release)(IHostSemaphore *self);
    HRESULT (*Wait)(IHostSemaphore *self, DWORD dwMilliseconds, DWORD option);
    HRESULT (*ReleaseSemaphore)(IHostSemaphore *self, LONG lReleaseCount, LONG *lpPreviousCount);
} IHostSemaphoreVtbl;

struct IHostSemaphore {
    const IHostSemaphoreVtbl *lpVtbl;
};

static inline HRESULT IHostSemaphore_QueryInterface(IHostSemaphore *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostSemaphore_AddRef(IHostSemaphore *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostSemaphore_Release(IHostSemaphore *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostSemaphore_Wait(IHostSemaphore *self, DWORD dwMilliseconds, DWORD option) { return self->lpVtbl->Wait(self, dwMilliseconds, option); }
static inline HRESULT IHostSemaphore_ReleaseSemaphore(IHostSemaphore *self, LONG lReleaseCount, LONG *lpPreviousCount) { return self->lpVtbl->ReleaseSemaphore(self, lReleaseCount, lpPreviousCount); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRSyncManager = {0x55FF199D, 0xAD21, 0x48F9, {0xA1, 0x6C, 0xF2, 0x4E, 0xBB, 0xB8, 0x72, 0x7D}};

typedef struct ICLRSyncManagerVtbl {
    HRESULT (*QueryInterface)(ICLRSyncManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRSyncManager *self);
    ULONG (*Release)(ICLRSyncManager *self);
    HRESULT (*GetMonitorOwner)(ICLRSyncManager *self, SIZE_T Cookie, IHostTask **ppOwnerHostTask);
    HRESULT (*CreateRWLockOwnerIterator)(ICLRSyncManager *self, SIZE_T Cookie, SIZE_T *pIterator);
    HRESULT (*GetRWLockOwnerNext)(ICLRSyncManager *self, SIZE_T Iterator, IHostTask **ppOwnerHostTask);
    HRESULT (*DeleteRWLockOwnerIterator)(ICLRSyncManager *self, SIZE_T Iterator);
} ICLRSyncManagerVtbl;

struct ICLRSyncManager {
    const ICLRSyncManagerVtbl *lpVtbl;
};

static inline HRESULT ICLRSyncManager_QueryInterface(ICLRSyncManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRSyncManager_AddRef(ICLRSyncManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRSyncManager_Release(ICLRSyncManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRSyncManager_GetMonitorOwner(ICLRSyncManager *self, SIZE_T Cookie, IHostTask **ppOwnerHostTask) { return self->lpVtbl->GetMonitorOwner(self, Cookie, ppOwnerHostTask); }
static inline HRESULT ICLRSyncManager_CreateRWLockOwnerIterator(ICLRSyncManager *self, SIZE_T Cookie, SIZE_T *pIterator) { return self->lpVtbl->CreateRWLockOwnerIterator(self, Cookie, pIterator); }
static inline HRESULT ICLRSyncManager_GetRWLockOwnerNext(ICLRSyncManager *self, SIZE_T Iterator, IHostTask **ppOwnerHostTask) { return self->lpVtbl->GetRWLockOwnerNext(self, Iterator, ppOwnerHostTask); }
static inline HRESULT ICLRSyncManager_DeleteRWLockOwnerIterator(ICLRSyncManager *self, SIZE_T Iterator) { return self->lpVtbl->DeleteRWLockOwnerIterator(self, Iterator); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostThreadpoolManager = {0x983D50E2, 0xCB15, 0x466B, {0x80, 0xFC, 0x84, 0x5D, 0xC6, 0xE8, 0xC5, 0xFD}};

typedef struct IHostThreadpoolManagerVtbl {
    HRESULT (*QueryInterface)(IHostThreadpoolManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostThreadpoolManager *self);
    ULONG (*Release)(IHostThreadpoolManager *self);
    HRESULT (*QueueUserWorkItem)(IHostThreadpoolManager *self, LPTHREAD_START_ROUTINE Function, PVOID Context, ULONG Flags);
    HRESULT (*SetMaxThreads)(IHostThreadpoolManager *self, DWORD dwMaxWorkerThreads);
    HRESULT (*GetMaxThreads)(IHostThreadpoolManager *self, DWORD *pdwMaxWorkerThreads);
    HRESULT (*GetAvailableThreads)(IHostThreadpoolManager *self, DWORD *pdwAvailableWorkerThreads);
    HRESULT (*SetMinThreads)(IHostThreadpoolManager *self, DWORD dwMinIOCompletionThreads);
    HRESULT (*GetMinThreads)(IHostThreadpoolManager *self, DWORD *pdwMinIOCompletionThreads);
} IHostThreadpoolManagerVtbl;

struct IHostThreadpoolManager {
    const IHostThreadpoolManagerVtbl *lpVtbl;
};

static inline HRESULT IHostThreadpoolManager_QueryInterface(IHostThreadpoolManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostThreadpoolManager_AddRef(IHostThreadpoolManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostThreadpoolManager_Release(IHostThreadpoolManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostThreadpoolManager_QueueUserWorkItem(IHostThreadpoolManager *self, LPTHREAD_START_ROUTINE Function, PVOID Context, ULONG Flags) { return self->lpVtbl->QueueUserWorkItem(self, Function, Context, Flags); }
static inline HRESULT IHostThreadpoolManager_SetMaxThreads(IHostThreadpoolManager *self, DWORD dwMaxWorkerThreads) { return self->lpVtbl->SetMaxThreads(self, dwMaxWorkerThreads); }
static inline HRESULT IHostThreadpoolManager_GetMaxThreads(IHostThreadpoolManager *self, DWORD *pdwMaxWorkerThreads) { return self->lpVtbl->GetMaxThreads(self, pdwMaxWorkerThreads); }
static inline HRESULT IHostThreadpoolManager_GetAvailableThreads(IHostThreadpoolManager *self, DWORD *pdwAvailableWorkerThreads) { return self->lpVtbl->GetAvailableThreads(self, pdwAvailableWorkerThreads); }
static inline HRESULT IHostThreadpoolManager_SetMinThreads(IHostThreadpoolManager *self, DWORD dwMinIOCompletionThreads) { return self->lpVtbl->SetMinThreads(self, dwMinIOCompletionThreads); }
static inline HRESULT IHostThreadpoolManager_GetMinThreads(IHostThreadpoolManager *self, DWORD *pdwMinIOCompletionThreads) { return self->lpVtbl->GetMinThreads(self, pdwMinIOCompletionThreads); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostIoCompletionManager = {0x8BDE9D80, 0xEC06, 0x41D6, {0x83, 0xE6, 0x22, 0x58, 0x0E, 0xFF, 0xCC, 0x20}};

typedef struct IHostIoCompletionManagerVtbl {
    HRESULT (*QueryInterface)(IHostIoCompletionManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostIoCompletionManager *self);
    ULONG (*Release)(IHostIoCompletionManager *self);
    HRESULT (*CreateIoCompletionPort)(IHostIoCompletionManager *self, HANDLE *phPort);
    HRESULT (*CloseIoCompletionPort)(IHostIoCompletionManager *self, HANDLE hPort);
    HRESULT (*SetMaxThreads)(IHostIoCompletionManager *self, DWORD dwMaxIOCompletionThreads);
    HRESULT (*GetMaxThreads)(IHostIoCompletionManager *self, DWORD *pdwMaxIOCompletionThreads);
    HRESULT (*GetAvailableThreads)(IHostIoCompletionManager *self, DWORD *pdwAvailableIOCompletionThreads);
    HRESULT (*GetHostOverlappedSize)(IHostIoCompletionManager *self, DWORD *pcbSize);
    HRESULT (*SetCLRIoCompletionManager)(IHostIoCompletionManager *self, ICLRIoCompletionManager *pManager);
    HRESULT (*InitializeHostOverlapped)(IHostIoCompletionManager *self, void *pvOverlapped);
    HRESULT (*Bind)(IHostIoCompletionManager *self, HANDLE hPort, HANDLE hHandle);
    HRESULT (*SetMinThreads)(IHostIoCompletionManager *self, DWORD dwMinIOCompletionThreads);
    HRESULT (*GetMinThreads)(IHostIoCompletionManager *self, DWORD *pdwMinIOCompletionThreads);
} IHostIoCompletionManagerVtbl;

struct IHostIoCompletionManager {
    const IHostIoCompletionManagerVtbl *lpVtbl;
};

static inline HRESULT IHostIoCompletionManager_QueryInterface(IHostIoCompletionManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostIoCompletionManager_AddRef(IHostIoCompletionManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostIoCompletionManager_Release(IHostIoCompletionManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostIoCompletionManager_CreateIoCompletionPort(IHostIoCompletionManager *self, HANDLE *phPort) { return self->lpVtbl->CreateIoCompletionPort(self, phPort); }
static inline HRESULT IHostIoCompletionManager_CloseIoCompletionPort(IHostIoCompletionManager *self, HANDLE hPort) { return self->lpVtbl->CloseIoCompletionPort(self, hPort); }
static inline HRESULT IHostIoCompletionManager_SetMaxThreads(IHostIoCompletionManager *self, DWORD dwMaxIOCompletionThreads) { return self->lpVtbl->SetMaxThreads(self, dwMaxIOCompletionThreads); }
static inline HRESULT IHostIoCompletionManager_GetMaxThreads(IHostIoCompletionManager *self, DWORD *pdwMaxIOCompletionThreads) { return self->lpVtbl->GetMaxThreads(self, pdwMaxIOCompletionThreads); }
static inline HRESULT IHostIoCompletionManager_GetAvailableThreads(IHostIoCompletionManager *self, DWORD *pdwAvailableIOCompletionThreads) { return self->lpVtbl->GetAvailableThreads(self, pdwAvailableIOCompletionThreads); }
static inline HRESULT IHostIoCompletionManager_GetHostOverlappedSize(IHostIoCompletionManager *self, DWORD *pcbSize) { return self->lpVtbl->GetHostOverlappedSize(self, pcbSize); }
static inline HRESULT IHostIoCompletionManager_SetCLRIoCompletionManager(IHostIoCompletionManager *self, ICLRIoCompletionManager *pManager) { return self->lpVtbl->SetCLRIoCompletionManager(self, pManager); }
static inline HRESULT IHostIoCompletionManager_InitializeHostOverlapped(IHostIoCompletionManager *self, void *pvOverlapped) { return self->lpVtbl->InitializeHostOverlapped(self, pvOverlapped); }
static inline HRESULT IHostIoCompletionManager_Bind(IHostIoCompletionManager *self, HANDLE hPort, HANDLE hHandle) { return self->lpVtbl->Bind(self, hPort, hHandle); }
static inline HRESULT IHostIoCompletionManager_SetMinThreads(IHostIoCompletionManager *self, DWORD dwMinIOCompletionThreads) { return self->lpVtbl->SetMinThreads(self, dwMinIOCompletionThreads); }
static inline HRESULT IHostIoCompletionManager_GetMinThreads(IHostIoCompletionManager *self, DWORD *pdwMinIOCompletionThreads) { return self->lpVtbl->GetMinThreads(self, pdwMinIOCompletionThreads); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRIoCompletionManager = {0x2D74CE86, 0xB8D6, 0x4C84, {0xB3, 0xA7, 0x97, 0x68, 0x93, 0x3B, 0x3C, 0x12}};

typedef struct ICLRIoCompletionManagerVtbl {
    HRESULT (*QueryInterface)(ICLRIoCompletionManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRIoCompletionManager *self);
    ULONG (*Release)(ICLRIoCompletionManager *self);
    HRESULT (*OnComplete)(ICLRIoCompletionManager *self, DWORD dwErrorCode, DWORD NumberOfBytesTransferred, void *pvOverlapped);
} ICLRIoCompletionManagerVtbl;

struct ICLRIoCompletionManager {
    const ICLRIoCompletionManagerVtbl *lpVtbl;
};

static inline HRESULT ICLRIoCompletionManager_QueryInterface(ICLRIoCompletionManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRIoCompletionManager_AddRef(ICLRIoCompletionManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRIoCompletionManager_Release(ICLRIoCompletionManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRIoCompletionManager_OnComplete(ICLRIoCompletionManager *self, DWORD dwErrorCode, DWORD NumberOfBytesTransferred, void *pvOverlapped) { return self->lpVtbl->OnComplete(self, dwErrorCode, NumberOfBytesTransferred, pvOverlapped); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostMemoryManager = {0x7BC698D1, 0xF9E3, 0x4460, {0x9C, 0xDE, 0xD0, 0x42, 0x48, 0xE9, 0xFA, 0x25}};

typedef struct IHostMemoryManagerVtbl {
    HRESULT (*QueryInterface)(IHostMemoryManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostMemoryManager *self);
    ULONG (*Release)(IHostMemoryManager *self);
    HRESULT (*CreateMalloc)(IHostMemoryManager *self, DWORD dwMallocType, IHostMalloc **ppMalloc);
    HRESULT (*VirtualAlloc)(IHostMemoryManager *self, void *pAddress, SIZE_T dwSize, DWORD flAllocationType, DWORD flProtect, EMemoryCriticalLevel eCriticalLevel, void **ppMem);
    HRESULT (*VirtualFree)(IHostMemoryManager *self, LPVOID lpAddress, SIZE_T dwSize, DWORD dwFreeType);
    HRESULT (*VirtualQuery)(IHostMemoryManager *self, void *lpAddress, void *lpBuffer, SIZE_T dwLength, SIZE_T *pResult);
    HRESULT (*VirtualProtect)(IHostMemoryManager *self, void *lpAddress, SIZE_T dwSize, DWORD flNewProtect, DWORD *pflOldProtect);
    HRESULT (*GetMemoryLoad)(IHostMemoryManager *self, DWORD *pMemoryLoad, SIZE_T *pAvailableBytes);
    HRESULT (*RegisterMemoryNotificationCallback)(IHostMemoryManager *self, ICLRMemoryNotificationCallback *pCallback);
    HRESULT (*NeedsVirtualAddressSpace)(IHostMemoryManager *self, LPVOID startAddress, SIZE_T size);
    HRESULT (*AcquiredVirtualAddressSpace)(IHostMemoryManager *self, LPVOID startAddress, SIZE_T size);
    HRESULT (*ReleasedVirtualAddressSpace)(IHostMemoryManager *self, LPVOID startAddress);
} IHostMemoryManagerVtbl;

struct IHostMemoryManager {
    const IHostMemoryManagerVtbl *lpVtbl;
};

static inline HRESULT IHostMemoryManager_QueryInterface(IHostMemoryManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostMemoryManager_AddRef(IHostMemoryManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostMemoryManager_Release(IHostMemoryManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostMemoryManager_CreateMalloc(IHostMemoryManager *self, DWORD dwMallocType, IHostMalloc **ppMalloc) { return self->lpVtbl->CreateMalloc(self, dwMallocType, ppMalloc); }
static inline HRESULT IHostMemoryManager_VirtualAlloc(IHostMemoryManager *self, void *pAddress, SIZE_T dwSize, DWORD flAllocationType, DWORD flProtect, EMemoryCriticalLevel eCriticalLevel, void **ppMem) { return self->lpVtbl->VirtualAlloc(self, pAddress, dwSize, flAllocationType, flProtect, eCriticalLevel, ppMem); }
static inline HRESULT IHostMemoryManager_VirtualFree(IHostMemoryManager *self, LPVOID lpAddress, SIZE_T dwSize, DWORD dwFreeType) { return self->lpVtbl->VirtualFree(self, lpAddress, dwSize, dwFreeType); }
static inline HRESULT IHostMemoryManager_VirtualQuery(IHostMemoryManager *self, void *lpAddress, void *lpBuffer, SIZE_T dwLength, SIZE_T *pResult) { return self->lpVtbl->VirtualQuery(self, lpAddress, lpBuffer, dwLength, pResult); }
static inline HRESULT IHostMemoryManager_VirtualProtect(IHostMemoryManager *self, void *lpAddress, SIZE_T dwSize, DWORD flNewProtect, DWORD *pflOldProtect) { return self->lpVtbl->VirtualProtect(self, lpAddress, dwSize, flNewProtect, pflOldProtect); }
static inline HRESULT IHostMemoryManager_GetMemoryLoad(IHostMemoryManager *self, DWORD *pMemoryLoad, SIZE_T *pAvailableBytes) { return self->lpVtbl->GetMemoryLoad(self, pMemoryLoad, pAvailableBytes); }
static inline HRESULT IHostMemoryManager_RegisterMemoryNotificationCallback(IHostMemoryManager *self, ICLRMemoryNotificationCallback *pCallback) { return self->lpVtbl->RegisterMemoryNotificationCallback(self, pCallback); }
static inline HRESULT IHostMemoryManager_NeedsVirtualAddressSpace(IHostMemoryManager *self, LPVOID startAddress, SIZE_T size) { return self->lpVtbl->NeedsVirtualAddressSpace(self, startAddress, size); }
static inline HRESULT IHostMemoryManager_AcquiredVirtualAddressSpace(IHostMemoryManager *self, LPVOID startAddress, SIZE_T size) { return self->lpVtbl->AcquiredVirtualAddressSpace(self, startAddress, size); }
static inline HRESULT IHostMemoryManager_ReleasedVirtualAddressSpace(IHostMemoryManager *self, LPVOID startAddress) { return self->lpVtbl->ReleasedVirtualAddressSpace(self, startAddress); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostMalloc = {0x1831991C, 0xCC53, 0x4A31, {0xB2, 0x18, 0x04, 0xE9, 0x10, 0x44, 0x64, 0x79}};

typedef struct IHostMallocVtbl {
    HRESULT (*QueryInterface)(IHostMalloc *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostMalloc *self);
    ULONG (*Release)(IHostMalloc *self);
    HRESULT (*Alloc)(IHostMalloc *self, SIZE_T cbSize, EMemoryCriticalLevel eCriticalLevel, void **ppMem);
    HRESULT (*DebugAlloc)(IHostMalloc *self, SIZE_T cbSize, EMemoryCriticalLevel eCriticalLevel, char *pszFileName, int iLineNo, void **ppMem);
    HRESULT (*Free)(IHostMalloc *self, void *pMem);
} IHostMallocVtbl;

struct IHostMalloc {
    const IHostMallocVtbl *lpVtbl;
};

static inline HRESULT IHostMalloc_QueryInterface(IHostMalloc *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostMalloc_AddRef(IHostMalloc *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostMalloc_Release(IHostMalloc *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostMalloc_Alloc(IHostMalloc *self, SIZE_T cbSize, EMemoryCriticalLevel eCriticalLevel, void **ppMem) { return self->lpVtbl->Alloc(self, cbSize, eCriticalLevel, ppMem); }
static inline HRESULT IHostMalloc_DebugAlloc(IHostMalloc *self, SIZE_T cbSize, EMemoryCriticalLevel eCriticalLevel, char *pszFileName, int iLineNo, void **ppMem) { return self->lpVtbl->DebugAlloc(self, cbSize, eCriticalLevel, pszFileName, iLineNo, ppMem); }
static inline HRESULT IHostMalloc_Free(IHostMalloc *self, void *pMem) { return self->lpVtbl->Free(self, pMem); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRMemoryNotificationCallback = {0x47EB8E57, 0x0846, 0x4546, {0xAF, 0x76, 0x6F, 0x42, 0xFC, 0xFC, 0x26, 0x49}};

typedef struct ICLRMemoryNotificationCallbackVtbl {
    HRESULT (*QueryInterface)(ICLRMemoryNotificationCallback *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRMemoryNotificationCallback *self);
    ULONG (*Release)(ICLRMemoryNotificationCallback *self);
    HRESULT (*OnMemoryNotification)(ICLRMemoryNotificationCallback *self, EMemoryAvailable eMemoryAvailable);
} ICLRMemoryNotificationCallbackVtbl;

struct ICLRMemoryNotificationCallback {
    const ICLRMemoryNotificationCallbackVtbl *lpVtbl;
};

static inline HRESULT ICLRMemoryNotificationCallback_QueryInterface(ICLRMemoryNotificationCallback *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRMemoryNotificationCallback_AddRef(ICLRMemoryNotificationCallback *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRMemoryNotificationCallback_Release(ICLRMemoryNotificationCallback *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRMemoryNotificationCallback_OnMemoryNotification(ICLRMemoryNotificationCallback *self, EMemoryAvailable eMemoryAvailable) { return self->lpVtbl->OnMemoryNotification(self, eMemoryAvailable); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostGCManager = {0x5D4EC34E, 0xF248, 0x457B, {0xB6, 0x03, 0x25, 0x5F, 0xAA, 0xBA, 0x0D, 0x21}};

typedef struct IHostGCManagerVtbl {
    HRESULT (*QueryInterface)(IHostGCManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostGCManager *self);
    ULONG (*Release)(IHostGCManager *self);
    HRESULT (*ThreadIsBlockingForSuspension)(IHostGCManager *self);
    HRESULT (*SuspensionStarting)(IHostGCManager *self);
    HRESULT (*SuspensionEnding)(IHostGCManager *self, DWORD Generation);
} IHostGCManagerVtbl;

struct IHostGCManager {
    const IHostGCManagerVtbl *lpVtbl;
};

static inline HRESULT IHostGCManager_QueryInterface(IHostGCManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostGCManager_AddRef(IHostGCManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostGCManager_Release(IHostGCManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostGCManager_ThreadIsBlockingForSuspension(IHostGCManager *self) { return self->lpVtbl->ThreadIsBlockingForSuspension(self); }
static inline HRESULT IHostGCManager_SuspensionStarting(IHostGCManager *self) { return self->lpVtbl->SuspensionStarting(self); }
static inline HRESULT IHostGCManager_SuspensionEnding(IHostGCManager *self, DWORD Generation) { return self->lpVtbl->SuspensionEnding(self, Generation); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRGCManager = {0x54D9007E, 0xA8E2, 0x4885, {0xB7, 0xBF, 0xF9, 0x98, 0xDE, 0xEE, 0x4F, 0x2A}};

typedef struct ICLRGCManagerVtbl {
    HRESULT (*QueryInterface)(ICLRGCManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRGCManager *self);
    ULONG (*Release)(ICLRGCManager *self);
    HRESULT (*Collect)(ICLRGCManager *self, LONG Generation);
    HRESULT (*GetStats)(ICLRGCManager *self, COR_GC_STATS *pStats);
    HRESULT (*SetGCStartupLimits)(ICLRGCManager *self, DWORD SegmentSize, DWORD MaxGen0Size);
} ICLRGCManagerVtbl;

struct ICLRGCManager {
    const ICLRGCManagerVtbl *lpVtbl;
};

static inline HRESULT ICLRGCManager_QueryInterface(ICLRGCManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRGCManager_AddRef(ICLRGCManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRGCManager_Release(ICLRGCManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRGCManager_Collect(ICLRGCManager *self, LONG Generation) { return self->lpVtbl->Collect(self, Generation); }
static inline HRESULT ICLRGCManager_GetStats(ICLRGCManager *self, COR_GC_STATS *pStats) { return self->lpVtbl->GetStats(self, pStats); }
static inline HRESULT ICLRGCManager_SetGCStartupLimits(ICLRGCManager *self, DWORD SegmentSize, DWORD MaxGen0Size) { return self->lpVtbl->SetGCStartupLimits(self, SegmentSize, MaxGen0Size); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRGCManager2 = {0x0603B793, 0xA97A, 0x4712, {0x9C, 0xB4, 0x0C, 0xD1, 0xC7, 0x4C, 0x0F, 0x7C}};

typedef struct ICLRGCManager2Vtbl {
    HRESULT (*QueryInterface)(ICLRGCManager2 *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRGCManager2 *self);
    ULONG (*Release)(ICLRGCManager2 *self);
    HRESULT (*Collect)(ICLRGCManager2 *self, LONG Generation);
    HRESULT (*GetStats)(ICLRGCManager2 *self, COR_GC_STATS *pStats);
    HRESULT (*SetGCStartupLimits)(ICLRGCManager2 *self, DWORD SegmentSize, DWORD MaxGen0Size);
    HRESULT (*SetGCStartupLimitsEx)(ICLRGCManager2 *self, SIZE_T SegmentSize, SIZE_T MaxGen0Size);
} ICLRGCManager2Vtbl;

struct ICLRGCManager2 {
    const ICLRGCManager2Vtbl *lpVtbl;
};

static inline HRESULT ICLRGCManager2_QueryInterface(ICLRGCManager2 *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRGCManager2_AddRef(ICLRGCManager2 *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRGCManager2_Release(ICLRGCManager2 *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRGCManager2_Collect(ICLRGCManager2 *self, LONG Generation) { return self->lpVtbl->Collect(self, Generation); }
static inline HRESULT ICLRGCManager2_GetStats(ICLRGCManager2 *self, COR_GC_STATS *pStats) { return self->lpVtbl->GetStats(self, pStats); }
static inline HRESULT ICLRGCManager2_SetGCStartupLimits(ICLRGCManager2 *self, DWORD SegmentSize, DWORD MaxGen0Size) { return self->lpVtbl->SetGCStartupLimits(self, SegmentSize, MaxGen0Size); }
static inline HRESULT ICLRGCManager2_SetGCStartupLimitsEx(ICLRGCManager2 *self, SIZE_T SegmentSize, SIZE_T MaxGen0Size) { return self->lpVtbl->SetGCStartupLimitsEx(self, SegmentSize, MaxGen0Size); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostPolicyManager = {0x7AE49844, 0xB1E3, 0x4683, {0xBA, 0x7C, 0x1E, 0x82, 0x12, 0xEA, 0x3B, 0x79}};

typedef struct IHostPolicyManagerVtbl {
    HRESULT (*QueryInterface)(IHostPolicyManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostPolicyManager *self);
    ULONG (*Release)(IHostPolicyManager *self);
    HRESULT (*OnDefaultAction)(IHostPolicyManager *self, EClrOperation operation, EPolicyAction action);
    HRESULT (*OnTimeout)(IHostPolicyManager *self, EClrOperation operation, EPolicyAction action);
    HRESULT (*OnFailure)(IHostPolicyManager *self, EClrFailure failure, EPolicyAction action);
} IHostPolicyManagerVtbl;

struct IHostPolicyManager {
    const IHostPolicyManagerVtbl *lpVtbl;
};

static inline HRESULT IHostPolicyManager_QueryInterface(IHostPolicyManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostPolicyManager_AddRef(IHostPolicyManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostPolicyManager_Release(IHostPolicyManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostPolicyManager_OnDefaultAction(IHostPolicyManager *self, EClrOperation operation, EPolicyAction action) { return self->lpVtbl->OnDefaultAction(self, operation, action); }
static inline HRESULT IHostPolicyManager_OnTimeout(IHostPolicyManager *self, EClrOperation operation, EPolicyAction action) { return self->lpVtbl->OnTimeout(self, operation, action); }
static inline HRESULT IHostPolicyManager_OnFailure(IHostPolicyManager *self, EClrFailure failure, EPolicyAction action) { return self->lpVtbl->OnFailure(self, failure, action); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRPolicyManager = {0x7D290010, 0xD781, 0x45DA, {0xA6, 0xF8, 0xAA, 0x5D, 0x71, 0x1A, 0x73, 0x0E}};

typedef struct ICLRPolicyManagerVtbl {
    HRESULT (*QueryInterface)(ICLRPolicyManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRPolicyManager *self);
    ULONG (*Release)(ICLRPolicyManager *self);
    HRESULT (*SetDefaultAction)(ICLRPolicyManager *self, EClrOperation operation, EPolicyAction action);
    HRESULT (*SetTimeout)(ICLRPolicyManager *self, EClrOperation operation, DWORD dwMilliseconds);
    HRESULT (*SetActionOnTimeout)(ICLRPolicyManager *self, EClrOperation operation, EPolicyAction action);
    HRESULT (*SetTimeoutAndAction)(ICLRPolicyManager *self, EClrOperation operation, DWORD dwMilliseconds, EPolicyAction action);
    HRESULT (*SetActionOnFailure)(ICLRPolicyManager *self, EClrFailure failure, EPolicyAction action);
    HRESULT (*SetUnhandledExceptionPolicy)(ICLRPolicyManager *self, EClrUnhandledException policy);
} ICLRPolicyManagerVtbl;

struct ICLRPolicyManager {
    const ICLRPolicyManagerVtbl *lpVtbl;
};

static inline HRESULT ICLRPolicyManager_QueryInterface(ICLRPolicyManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRPolicyManager_AddRef(ICLRPolicyManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRPolicyManager_Release(ICLRPolicyManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRPolicyManager_SetDefaultAction(ICLRPolicyManager *self, EClrOperation operation, EPolicyAction action) { return self->lpVtbl->SetDefaultAction(self, operation, action); }
static inline HRESULT ICLRPolicyManager_SetTimeout(ICLRPolicyManager *self, EClrOperation operation, DWORD dwMilliseconds) { return self->lpVtbl->SetTimeout(self, operation, dwMilliseconds); }
static inline HRESULT ICLRPolicyManager_SetActionOnTimeout(ICLRPolicyManager *self, EClrOperation operation, EPolicyAction action) { return self->lpVtbl->SetActionOnTimeout(self, operation, action); }
static inline HRESULT ICLRPolicyManager_SetTimeoutAndAction(ICLRPolicyManager *self, EClrOperation operation, DWORD dwMilliseconds, EPolicyAction action) { return self->lpVtbl->SetTimeoutAndAction(self, operation, dwMilliseconds, action); }
static inline HRESULT ICLRPolicyManager_SetActionOnFailure(ICLRPolicyManager *self, EClrFailure failure, EPolicyAction action) { return self->lpVtbl->SetActionOnFailure(self, failure, action); }
static inline HRESULT ICLRPolicyManager_SetUnhandledExceptionPolicy(ICLRPolicyManager *self, EClrUnhandledException policy) { return self->lpVtbl->SetUnhandledExceptionPolicy(self, policy); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLROnEventManager = {0x1D0E0132, 0xE64F, 0x493D, {0x92, 0x60, 0x02, 0x5C, 0x0E, 0x32, 0xC1, 0x75}};

typedef struct ICLROnEventManagerVtbl {
    HRESULT (*QueryInterface)(ICLROnEventManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLROnEventManager *self);
    ULONG (*Release)(ICLROnEventManager *self);
    HRESULT (*RegisterActionOnEvent)(ICLROnEventManager *self, EClrEvent event, IActionOnCLREvent *pAction);
    HRESULT (*UnregisterActionOnEvent)(ICLROnEventManager *self, EClrEvent event, IActionOnCLREvent *pAction);
} ICLROnEventManagerVtbl;

struct ICLROnEventManager {
    const ICLROnEventManagerVtbl *lpVtbl;
};

static inline HRESULT ICLROnEventManager_QueryInterface(ICLROnEventManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLROnEventManager_AddRef(ICLROnEventManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLROnEventManager_Release(ICLROnEventManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLROnEventManager_RegisterActionOnEvent(ICLROnEventManager *self, EClrEvent event, IActionOnCLREvent *pAction) { return self->lpVtbl->RegisterActionOnEvent(self, event, pAction); }
static inline HRESULT ICLROnEventManager_UnregisterActionOnEvent(ICLROnEventManager *self, EClrEvent event, IActionOnCLREvent *pAction) { return self->lpVtbl->UnregisterActionOnEvent(self, event, pAction); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IActionOnCLREvent = {0x607BE24B, 0xD91B, 0x4E28, {0xA2, 0x42, 0x61, 0x87, 0x1C, 0xE5, 0x6E, 0x35}};

typedef struct IActionOnCLREventVtbl {
    HRESULT (*QueryInterface)(IActionOnCLREvent *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IActionOnCLREvent *self);
    ULONG (*Release)(IActionOnCLREvent *self);
    HRESULT (*OnEvent)(IActionOnCLREvent *self, EClrEvent event, PVOID data);
} IActionOnCLREventVtbl;

struct IActionOnCLREvent {
    const IActionOnCLREventVtbl *lpVtbl;
};

static inline HRESULT IActionOnCLREvent_QueryInterface(IActionOnCLREvent *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IActionOnCLREvent_AddRef(IActionOnCLREvent *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IActionOnCLREvent_Release(IActionOnCLREvent *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IActionOnCLREvent_OnEvent(IActionOnCLREvent *self, EClrEvent event, PVOID data) { return self->lpVtbl->OnEvent(self, event, data); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostSecurityManager = {0x75AD2468, 0xA349, 0x4D02, {0xA7, 0x64, 0x76, 0xA6, 0x8A, 0xEE, 0x0C, 0x4F}};

typedef struct IHostSecurityManagerVtbl {
    HRESULT (*QueryInterface)(IHostSecurityManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostSecurityManager *self);
    ULONG (*Release)(IHostSecurityManager *self);
    HRESULT (*ImpersonateLoggedOnUser)(IHostSecurityManager *self, HANDLE hToken);
    HRESULT (*RevertToSelf)(IHostSecurityManager *self);
    HRESULT (*OpenThreadToken)(IHostSecurityManager *self, DWORD dwDesiredAccess, BOOL bOpenAsSelf, HANDLE *phThreadToken);
    HRESULT (*SetThreadToken)(IHostSecurityManager *self, HANDLE hToken);
    HRESULT (*GetSecurityContext)(IHostSecurityManager *self, EContextType eContextType, IHostSecurityContext **ppSecurityContext);
    HRESULT (*SetSecurityContext)(IHostSecurityManager *self, EContextType eContextType, IHostSecurityContext *pSecurityContext);
} IHostSecurityManagerVtbl;

struct IHostSecurityManager {
    const IHostSecurityManagerVtbl *lpVtbl;
};

static inline HRESULT IHostSecurityManager_QueryInterface(IHostSecurityManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostSecurityManager_AddRef(IHostSecurityManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostSecurityManager_Release(IHostSecurityManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostSecurityManager_ImpersonateLoggedOnUser(IHostSecurityManager *self, HANDLE hToken) { return self->lpVtbl->ImpersonateLoggedOnUser(self, hToken); }
static inline HRESULT IHostSecurityManager_RevertToSelf(IHostSecurityManager *self) { return self->lpVtbl->RevertToSelf(self); }
static inline HRESULT IHostSecurityManager_OpenThreadToken(IHostSecurityManager *self, DWORD dwDesiredAccess, BOOL bOpenAsSelf, HANDLE *phThreadToken) { return self->lpVtbl->OpenThreadToken(self, dwDesiredAccess, bOpenAsSelf, phThreadToken); }
static inline HRESULT IHostSecurityManager_SetThreadToken(IHostSecurityManager *self, HANDLE hToken) { return self->lpVtbl->SetThreadToken(self, hToken); }
static inline HRESULT IHostSecurityManager_GetSecurityContext(IHostSecurityManager *self, EContextType eContextType, IHostSecurityContext **ppSecurityContext) { return self->lpVtbl->GetSecurityContext(self, eContextType, ppSecurityContext); }
static inline HRESULT IHostSecurityManager_SetSecurityContext(IHostSecurityManager *self, EContextType eContextType, IHostSecurityContext *pSecurityContext) { return self->lpVtbl->SetSecurityContext(self, eContextType, pSecurityContext); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostSecurityContext = {0x7E573CE4, 0x0343, 0x4423, {0x98, 0xD7, 0x63, 0x18, 0x34, 0x8A, 0x1D, 0x3C}};

typedef struct IHostSecurityContextVtbl {
    HRESULT (*QueryInterface)(IHostSecurityContext *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostSecurityContext *self);
    ULONG (*Release)(IHostSecurityContext *self);
    HRESULT (*Capture)(IHostSecurityContext *self, IHostSecurityContext **ppClonedContext);
} IHostSecurityContextVtbl;

struct IHostSecurityContext {
    const IHostSecurityContextVtbl *lpVtbl;
};

static inline HRESULT IHostSecurityContext_QueryInterface(IHostSecurityContext *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostSecurityContext_AddRef(IHostSecurityContext *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostSecurityContext_Release(IHostSecurityContext *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostSecurityContext_Capture(IHostSecurityContext *self, IHostSecurityContext **ppClonedContext) { return self->lpVtbl->Capture(self, ppClonedContext); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostAssemblyManager = {0x613DABD7, 0x62B2, 0x493E, {0x9E, 0x65, 0xC1, 0xE3, 0x2A, 0x1E, 0x0C, 0x5E}};

typedef struct IHostAssemblyManagerVtbl {
    HRESULT (*QueryInterface)(IHostAssemblyManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostAssemblyManager *self);
    ULONG (*Release)(IHostAssemblyManager *self);
    HRESULT (*GetNonHostStoreAssemblies)(IHostAssemblyManager *self, ICLRAssemblyReferenceList **ppReferenceList);
    HRESULT (*GetAssemblyStore)(IHostAssemblyManager *self, IHostAssemblyStore **ppAssemblyStore);
} IHostAssemblyManagerVtbl;

struct IHostAssemblyManager {
    const IHostAssemblyManagerVtbl *lpVtbl;
};

static inline HRESULT IHostAssemblyManager_QueryInterface(IHostAssemblyManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostAssemblyManager_AddRef(IHostAssemblyManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostAssemblyManager_Release(IHostAssemblyManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostAssemblyManager_GetNonHostStoreAssemblies(IHostAssemblyManager *self, ICLRAssemblyReferenceList **ppReferenceList) { return self->lpVtbl->GetNonHostStoreAssemblies(self, ppReferenceList); }
static inline HRESULT IHostAssemblyManager_GetAssemblyStore(IHostAssemblyManager *self, IHostAssemblyStore **ppAssemblyStore) { return self->lpVtbl->GetAssemblyStore(self, ppAssemblyStore); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IHostAssemblyStore = {0x7B102A88, 0x3F7F, 0x496D, {0x8F, 0xA2, 0xC3, 0x53, 0x74, 0xE0, 0x1A, 0xF3}};

typedef struct IHostAssemblyStoreVtbl {
    HRESULT (*QueryInterface)(IHostAssemblyStore *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IHostAssemblyStore *self);
    ULONG (*Release)(IHostAssemblyStore *self);
    HRESULT (*ProvideAssembly)(IHostAssemblyStore *self, AssemblyBindInfo *pBindInfo, UINT64 *pAssemblyId, UINT64 *pContext, IStream **ppStmAssemblyImage, IStream **ppStmPDB);
    HRESULT (*ProvideModule)(IHostAssemblyStore *self, ModuleBindInfo *pBindInfo, DWORD *pdwModuleId, IStream **ppStmModuleImage, IStream **ppStmPDB);
} IHostAssemblyStoreVtbl;

struct IHostAssemblyStore {
    const IHostAssemblyStoreVtbl *lpVtbl;
};

static inline HRESULT IHostAssemblyStore_QueryInterface(IHostAssemblyStore *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IHostAssemblyStore_AddRef(IHostAssemblyStore *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IHostAssemblyStore_Release(IHostAssemblyStore *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IHostAssemblyStore_ProvideAssembly(IHostAssemblyStore *self, AssemblyBindInfo *pBindInfo, UINT64 *pAssemblyId, UINT64 *pContext, IStream **ppStmAssemblyImage, IStream **ppStmPDB) { return self->lpVtbl->ProvideAssembly(self, pBindInfo, pAssemblyId, pContext, ppStmAssemblyImage, ppStmPDB); }
static inline HRESULT IHostAssemblyStore_ProvideModule(IHostAssemblyStore *self, ModuleBindInfo *pBindInfo, DWORD *pdwModuleId, IStream **ppStmModuleImage, IStream **ppStmPDB) { return self->lpVtbl->ProvideModule(self, pBindInfo, pdwModuleId, ppStmModuleImage, ppStmPDB); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRAssemblyReferenceList = {0x1B2C9750, 0x2E66, 0x4BDA, {0x8B, 0x44, 0x0A, 0x64, 0x2C, 0x5C, 0xD7, 0x33}};

typedef struct ICLRAssemblyReferenceListVtbl {
    HRESULT (*QueryInterface)(ICLRAssemblyReferenceList *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRAssemblyReferenceList *self);
    ULONG (*Release)(ICLRAssemblyReferenceList *self);
    HRESULT (*IsStringAssemblyReferenceInList)(ICLRAssemblyReferenceList *self, LPCWSTR pwzAssemblyName);
    HRESULT (*IsAssemblyReferenceInList)(ICLRAssemblyReferenceList *self, IUnknown *pName);
} ICLRAssemblyReferenceListVtbl;

struct ICLRAssemblyReferenceList {
    const ICLRAssemblyReferenceListVtbl *lpVtbl;
};

static inline HRESULT ICLRAssemblyReferenceList_QueryInterface(ICLRAssemblyReferenceList *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRAssemblyReferenceList_AddRef(ICLRAssemblyReferenceList *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRAssemblyReferenceList_Release(ICLRAssemblyReferenceList *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRAssemblyReferenceList_IsStringAssemblyReferenceInList(ICLRAssemblyReferenceList *self, LPCWSTR pwzAssemblyName) { return self->lpVtbl->IsStringAssemblyReferenceInList(self, pwzAssemblyName); }
static inline HRESULT ICLRAssemblyReferenceList_IsAssemblyReferenceInList(ICLRAssemblyReferenceList *self, IUnknown *pName) { return self->lpVtbl->IsAssemblyReferenceInList(self, pName); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRReferenceAssemblyEnum = {0xD509CB5D, 0xCF32, 0x4876, {0xAE, 0x61, 0x67, 0x77, 0x0C, 0xF9, 0x19, 0x73}};

typedef struct ICLRReferenceAssemblyEnumVtbl {
    HRESULT (*QueryInterface)(ICLRReferenceAssemblyEnum *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRReferenceAssemblyEnum *self);
    ULONG (*Release)(ICLRReferenceAssemblyEnum *self);
    HRESULT (*Get)(ICLRReferenceAssemblyEnum *self, DWORD dwIndex, LPWSTR pwzBuffer, DWORD *pcchBufferSize);
} ICLRReferenceAssemblyEnumVtbl;

struct ICLRReferenceAssemblyEnum {
    const ICLRReferenceAssemblyEnumVtbl *lpVtbl;
};

static inline HRESULT ICLRReferenceAssemblyEnum_QueryInterface(ICLRReferenceAssemblyEnum *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRReferenceAssemblyEnum_AddRef(ICLRReferenceAssemblyEnum *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRReferenceAssemblyEnum_Release(ICLRReferenceAssemblyEnum *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRReferenceAssemblyEnum_Get(ICLRReferenceAssemblyEnum *self, DWORD dwIndex, LPWSTR pwzBuffer, DWORD *pcchBufferSize) { return self->lpVtbl->Get(self, dwIndex, pwzBuffer, pcchBufferSize); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRProbingAssemblyEnum = {0xD0C5FB1F, 0x416B, 0x4F97, {0x81, 0xF4, 0x7A, 0xC7, 0xDC, 0x24, 0xDD, 0x5D}};

typedef struct ICLRProbingAssemblyEnumVtbl {
    HRESULT (*QueryInterface)(ICLRProbingAssemblyEnum *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRProbingAssemblyEnum *self);
    ULONG (*Release)(ICLRProbingAssemblyEnum *self);
    HRESULT (*Get)(ICLRProbingAssemblyEnum *self, DWORD dwIndex, LPWSTR pwzBuffer, DWORD *pcchBufferSize);
} ICLRProbingAssemblyEnumVtbl;

struct ICLRProbingAssemblyEnum {
    const ICLRProbingAssemblyEnumVtbl *lpVtbl;
};

static inline HRESULT ICLRProbingAssemblyEnum_QueryInterface(ICLRProbingAssemblyEnum *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRProbingAssemblyEnum_AddRef(ICLRProbingAssemblyEnum *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRProbingAssemblyEnum_Release(ICLRProbingAssemblyEnum *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRProbingAssemblyEnum_Get(ICLRProbingAssemblyEnum *self, DWORD dwIndex, LPWSTR pwzBuffer, DWORD *pcchBufferSize) { return self->lpVtbl->Get(self, dwIndex, pwzBuffer, pcchBufferSize); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRAssemblyIdentityManager = {0x15F0A9DA, 0x3FF6, 0x4393, {0x9D, 0xA9, 0xFD, 0xFD, 0x28, 0x4E, 0x69, 0x72}};

typedef struct ICLRAssemblyIdentityManagerVtbl {
    HRESULT (*QueryInterface)(ICLRAssemblyIdentityManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRAssemblyIdentityManager *self);
    ULONG (*Release)(ICLRAssemblyIdentityManager *self);
    HRESULT (*GetCLRAssemblyReferenceList)(ICLRAssemblyIdentityManager *self, LPCWSTR *ppwzAssemblyReferences, DWORD dwNumOfReferences, ICLRAssemblyReferenceList **ppReferenceList);
    HRESULT (*GetBindingIdentityFromFile)(ICLRAssemblyIdentityManager *self, LPCWSTR pwzFilePath, DWORD dwFlags, LPWSTR pwzBuffer, DWORD *pcchBufferSize);
    HRESULT (*GetBindingIdentityFromStream)(ICLRAssemblyIdentityManager *self, IStream *pStream, DWORD dwFlags, LPWSTR pwzBuffer, DWORD *pcchBufferSize);
    HRESULT (*GetReferencedAssembliesFromFile)(ICLRAssemblyIdentityManager *self, LPCWSTR pwzFilePath, DWORD dwFlags, ICLRAssemblyReferenceList *pExcludeAssembliesList, ICLRReferenceAssemblyEnum **ppReferenceEnum);
    HRESULT (*GetReferencedAssembliesFromStream)(ICLRAssemblyIdentityManager *self, IStream *pStream, DWORD dwFlags, ICLRAssemblyReferenceList *pExcludeAssembliesList, ICLRReferenceAssemblyEnum **ppReferenceEnum);
    HRESULT (*GetProbingAssembliesFromReference)(ICLRAssemblyIdentityManager *self, DWORD dwMachineType, DWORD dwFlags, LPCWSTR pwzReferenceIdentity, ICLRProbingAssemblyEnum **ppProbingAssemblyEnum);
    HRESULT (*IsStronglyNamed)(ICLRAssemblyIdentityManager *self, LPCWSTR pwzAssemblyIdentity, BOOL *pbIsStronglyNamed);
} ICLRAssemblyIdentityManagerVtbl;

struct ICLRAssemblyIdentityManager {
    const ICLRAssemblyIdentityManagerVtbl *lpVtbl;
};

static inline HRESULT ICLRAssemblyIdentityManager_QueryInterface(ICLRAssemblyIdentityManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRAssemblyIdentityManager_AddRef(ICLRAssemblyIdentityManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRAssemblyIdentityManager_Release(ICLRAssemblyIdentityManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRAssemblyIdentityManager_GetCLRAssemblyReferenceList(ICLRAssemblyIdentityManager *self, LPCWSTR *ppwzAssemblyReferences, DWORD dwNumOfReferences, ICLRAssemblyReferenceList **ppReferenceList) { return self->lpVtbl->GetCLRAssemblyReferenceList(self, ppwzAssemblyReferences, dwNumOfReferences, ppReferenceList); }
static inline HRESULT ICLRAssemblyIdentityManager_GetBindingIdentityFromFile(ICLRAssemblyIdentityManager *self, LPCWSTR pwzFilePath, DWORD dwFlags, LPWSTR pwzBuffer, DWORD *pcchBufferSize) { return self->lpVtbl->GetBindingIdentityFromFile(self, pwzFilePath, dwFlags, pwzBuffer, pcchBufferSize); }
static inline HRESULT ICLRAssemblyIdentityManager_GetBindingIdentityFromStream(ICLRAssemblyIdentityManager *self, IStream *pStream, DWORD dwFlags, LPWSTR pwzBuffer, DWORD *pcchBufferSize) { return self->lpVtbl->GetBindingIdentityFromStream(self, pStream, dwFlags, pwzBuffer, pcchBufferSize); }
static inline HRESULT ICLRAssemblyIdentityManager_GetReferencedAssembliesFromFile(ICLRAssemblyIdentityManager *self, LPCWSTR pwzFilePath, DWORD dwFlags, ICLRAssemblyReferenceList *pExcludeAssembliesList, ICLRReferenceAssemblyEnum **ppReferenceEnum) { return self->lpVtbl->GetReferencedAssembliesFromFile(self, pwzFilePath, dwFlags, pExcludeAssembliesList, ppReferenceEnum); }
static inline HRESULT ICLRAssemblyIdentityManager_GetReferencedAssembliesFromStream(ICLRAssemblyIdentityManager *self, IStream *pStream, DWORD dwFlags, ICLRAssemblyReferenceList *pExcludeAssembliesList, ICLRReferenceAssemblyEnum **ppReferenceEnum) { return self->lpVtbl->GetReferencedAssembliesFromStream(self, pStream, dwFlags, pExcludeAssembliesList, ppReferenceEnum); }
static inline HRESULT ICLRAssemblyIdentityManager_GetProbingAssembliesFromReference(ICLRAssemblyIdentityManager *self, DWORD dwMachineType, DWORD dwFlags, LPCWSTR pwzReferenceIdentity, ICLRProbingAssemblyEnum **ppProbingAssemblyEnum) { return self->lpVtbl->GetProbingAssembliesFromReference(self, dwMachineType, dwFlags, pwzReferenceIdentity, ppProbingAssemblyEnum); }
static inline HRESULT ICLRAssemblyIdentityManager_IsStronglyNamed(ICLRAssemblyIdentityManager *self, LPCWSTR pwzAssemblyIdentity, BOOL *pbIsStronglyNamed) { return self->lpVtbl->IsStronglyNamed(self, pwzAssemblyIdentity, pbIsStronglyNamed); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRHostBindingPolicyManager = {0x4B3545E7, 0x1856, 0x48C9, {0xA8, 0xBA, 0x24, 0xB2, 0x1A, 0x75, 0x3C, 0x09}};

typedef struct ICLRHostBindingPolicyManagerVtbl {
    HRESULT (*QueryInterface)(ICLRHostBindingPolicyManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRHostBindingPolicyManager *self);
    ULONG (*Release)(ICLRHostBindingPolicyManager *self);
    HRESULT (*ModifyApplicationPolicy)(ICLRHostBindingPolicyManager *self, LPCWSTR pwzSourceAssemblyIdentity, LPCWSTR pwzTargetAssemblyIdentity, BYTE *pbApplicationPolicy, DWORD cbAppPolicySize, DWORD dwPolicyModifyFlags, BYTE *pbNewApplicationPolicy, DWORD *pcbNewAppPolicySize);
    HRESULT (*EvaluatePolicy)(ICLRHostBindingPolicyManager *self, LPCWSTR pwzReferenceIdentity, BYTE *pbApplicationPolicy, DWORD cbAppPolicySize, LPWSTR pwzPostPolicyReferenceIdentity, DWORD *pcchPostPolicyReferenceIdentity, DWORD *pdwPoliciesApplied);
} ICLRHostBindingPolicyManagerVtbl;

struct ICLRHostBindingPolicyManager {
    const ICLRHostBindingPolicyManagerVtbl *lpVtbl;
};

static inline HRESULT ICLRHostBindingPolicyManager_QueryInterface(ICLRHostBindingPolicyManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRHostBindingPolicyManager_AddRef(ICLRHostBindingPolicyManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRHostBindingPolicyManager_Release(ICLRHostBindingPolicyManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRHostBindingPolicyManager_ModifyApplicationPolicy(ICLRHostBindingPolicyManager *self, LPCWSTR pwzSourceAssemblyIdentity, LPCWSTR pwzTargetAssemblyIdentity, BYTE *pbApplicationPolicy, DWORD cbAppPolicySize, DWORD dwPolicyModifyFlags, BYTE *pbNewApplicationPolicy, DWORD *pcbNewAppPolicySize) { return self->lpVtbl->ModifyApplicationPolicy(self, pwzSourceAssemblyIdentity, pwzTargetAssemblyIdentity, pbApplicationPolicy, cbAppPolicySize, dwPolicyModifyFlags, pbNewApplicationPolicy, pcbNewAppPolicySize); }
static inline HRESULT ICLRHostBindingPolicyManager_EvaluatePolicy(ICLRHostBindingPolicyManager *self, LPCWSTR pwzReferenceIdentity, BYTE *pbApplicationPolicy, DWORD cbAppPolicySize, LPWSTR pwzPostPolicyReferenceIdentity, DWORD *pcchPostPolicyReferenceIdentity, DWORD *pdwPoliciesApplied) { return self->lpVtbl->EvaluatePolicy(self, pwzReferenceIdentity, pbApplicationPolicy, cbAppPolicySize, pwzPostPolicyReferenceIdentity, pcchPostPolicyReferenceIdentity, pdwPoliciesApplied); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRHostProtectionManager = {0x89F25F5C, 0xCEEF, 0x43E1, {0x9C, 0xFA, 0xA6, 0x8C, 0xE8, 0x63, 0xAA, 0xAC}};

typedef struct ICLRHostProtectionManagerVtbl {
    HRESULT (*QueryInterface)(ICLRHostProtectionManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRHostProtectionManager *self);
    ULONG (*Release)(ICLRHostProtectionManager *self);
    HRESULT (*SetProtectedCategories)(ICLRHostProtectionManager *self, EApiCategories categories);
    HRESULT (*SetEagerSerializeGrantSets)(ICLRHostProtectionManager *self);
} ICLRHostProtectionManagerVtbl;

struct ICLRHostProtectionManager {
    const ICLRHostProtectionManagerVtbl *lpVtbl;
};

static inline HRESULT ICLRHostProtectionManager_QueryInterface(ICLRHostProtectionManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRHostProtectionManager_AddRef(ICLRHostProtectionManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRHostProtectionManager_Release(ICLRHostProtectionManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRHostProtectionManager_SetProtectedCategories(ICLRHostProtectionManager *self, EApiCategories categories) { return self->lpVtbl->SetProtectedCategories(self, categories); }
static inline HRESULT ICLRHostProtectionManager_SetEagerSerializeGrantSets(ICLRHostProtectionManager *self) { return self->lpVtbl->SetEagerSerializeGrantSets(self); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRDomainManager = {0x270D00A2, 0x8E15, 0x4D0B, {0xAD, 0xEB, 0x37, 0xBC, 0x3E, 0x47, 0xDF, 0x77}};

typedef struct ICLRDomainManagerVtbl {
    HRESULT (*QueryInterface)(ICLRDomainManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRDomainManager *self);
    ULONG (*Release)(ICLRDomainManager *self);
    HRESULT (*SetAppDomainManagerType)(ICLRDomainManager *self, LPCWSTR wszAppDomainManagerAssembly, LPCWSTR wszAppDomainManagerType, EInitializeNewDomainFlags dwInitializeDomainFlags);
    HRESULT (*SetPropertiesForDefaultAppDomain)(ICLRDomainManager *self, DWORD nProperties, LPCWSTR *pwszPropertyNames, LPCWSTR *pwszPropertyValues);
} ICLRDomainManagerVtbl;

struct ICLRDomainManager {
    const ICLRDomainManagerVtbl *lpVtbl;
};

static inline HRESULT ICLRDomainManager_QueryInterface(ICLRDomainManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRDomainManager_AddRef(ICLRDomainManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRDomainManager_Release(ICLRDomainManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRDomainManager_SetAppDomainManagerType(ICLRDomainManager *self, LPCWSTR wszAppDomainManagerAssembly, LPCWSTR wszAppDomainManagerType, EInitializeNewDomainFlags dwInitializeDomainFlags) { return self->lpVtbl->SetAppDomainManagerType(self, wszAppDomainManagerAssembly, wszAppDomainManagerType, dwInitializeDomainFlags); }
static inline HRESULT ICLRDomainManager_SetPropertiesForDefaultAppDomain(ICLRDomainManager *self, DWORD nProperties, LPCWSTR *pwszPropertyNames, LPCWSTR *pwszPropertyValues) { return self->lpVtbl->SetPropertiesForDefaultAppDomain(self, nProperties, pwszPropertyNames, pwszPropertyValues); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRDebugManager = {0x00DCAEC6, 0x2AC0, 0x43A9, {0xAC, 0xF9, 0x1E, 0x36, 0xC1, 0x39, 0xB1, 0x0D}};

typedef struct ICLRDebugManagerVtbl {
    HRESULT (*QueryInterface)(ICLRDebugManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRDebugManager *self);
    ULONG (*Release)(ICLRDebugManager *self);
    HRESULT (*BeginConnection)(ICLRDebugManager *self, CONNID dwConnectionId, WCHAR *szConnectionName);
    HRESULT (*SetConnectionTasks)(ICLRDebugManager *self, CONNID id, DWORD dwCount, ICLRTask **ppCLRTask);
    HRESULT (*EndConnection)(ICLRDebugManager *self, CONNID dwConnectionId);
    HRESULT (*SetDacl)(ICLRDebugManager *self, PACL pacl);
    HRESULT (*GetDacl)(ICLRDebugManager *self, PACL *pacl);
    HRESULT (*IsDebuggerAttached)(ICLRDebugManager *self, BOOL *pbAttached);
    HRESULT (*SetSymbolReadingPolicy)(ICLRDebugManager *self, ESymbolReadingPolicy policy);
} ICLRDebugManagerVtbl;

struct ICLRDebugManager {
    const ICLRDebugManagerVtbl *lpVtbl;
};

static inline HRESULT ICLRDebugManager_QueryInterface(ICLRDebugManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRDebugManager_AddRef(ICLRDebugManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRDebugManager_Release(ICLRDebugManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRDebugManager_BeginConnection(ICLRDebugManager *self, CONNID dwConnectionId, WCHAR *szConnectionName) { return self->lpVtbl->BeginConnection(self, dwConnectionId, szConnectionName); }
static inline HRESULT ICLRDebugManager_SetConnectionTasks(ICLRDebugManager *self, CONNID id, DWORD dwCount, ICLRTask **ppCLRTask) { return self->lpVtbl->SetConnectionTasks(self, id, dwCount, ppCLRTask); }
static inline HRESULT ICLRDebugManager_EndConnection(ICLRDebugManager *self, CONNID dwConnectionId) { return self->lpVtbl->EndConnection(self, dwConnectionId); }
static inline HRESULT ICLRDebugManager_SetDacl(ICLRDebugManager *self, PACL pacl) { return self->lpVtbl->SetDacl(self, pacl); }
static inline HRESULT ICLRDebugManager_GetDacl(ICLRDebugManager *self, PACL *pacl) { return self->lpVtbl->GetDacl(self, pacl); }
static inline HRESULT ICLRDebugManager_IsDebuggerAttached(ICLRDebugManager *self, BOOL *pbAttached) { return self->lpVtbl->IsDebuggerAttached(self, pbAttached); }
static inline HRESULT ICLRDebugManager_SetSymbolReadingPolicy(ICLRDebugManager *self, ESymbolReadingPolicy policy) { return self->lpVtbl->SetSymbolReadingPolicy(self, policy); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRErrorReportingManager = {0x980D2F1A, 0xBF79, 0x4C08, {0x81, 0x2A, 0xBB, 0x97, 0x78, 0x92, 0x8F, 0x78}};

typedef struct ICLRErrorReportingManagerVtbl {
    HRESULT (*QueryInterface)(ICLRErrorReportingManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRErrorReportingManager *self);
    ULONG (*Release)(ICLRErrorReportingManager *self);
    HRESULT (*GetBucketParametersForCurrentException)(ICLRErrorReportingManager *self, BucketParameters *pParams);
    HRESULT (*BeginCustomDump)(ICLRErrorReportingManager *self, ECustomDumpFlavor dwFlavor, DWORD dwNumItems, CustomDumpItem *items, DWORD dwReserved);
    HRESULT (*EndCustomDump)(ICLRErrorReportingManager *self);
} ICLRErrorReportingManagerVtbl;

struct ICLRErrorReportingManager {
    const ICLRErrorReportingManagerVtbl *lpVtbl;
};

static inline HRESULT ICLRErrorReportingManager_QueryInterface(ICLRErrorReportingManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRErrorReportingManager_AddRef(ICLRErrorReportingManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRErrorReportingManager_Release(ICLRErrorReportingManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRErrorReportingManager_GetBucketParametersForCurrentException(ICLRErrorReportingManager *self, BucketParameters *pParams) { return self->lpVtbl->GetBucketParametersForCurrentException(self, pParams); }
static inline HRESULT ICLRErrorReportingManager_BeginCustomDump(ICLRErrorReportingManager *self, ECustomDumpFlavor dwFlavor, DWORD dwNumItems, CustomDumpItem *items, DWORD dwReserved) { return self->lpVtbl->BeginCustomDump(self, dwFlavor, dwNumItems, items, dwReserved); }
static inline HRESULT ICLRErrorReportingManager_EndCustomDump(ICLRErrorReportingManager *self) { return self->lpVtbl->EndCustomDump(self); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRAppDomainResourceMonitor = {0xC62DE18C, 0x2E23, 0x4AEA, {0x84, 0x23, 0xB4, 0x0C, 0x1F, 0xC5, 0x9E, 0xAE}};

typedef struct ICLRAppDomainResourceMonitorVtbl {
    HRESULT (*QueryInterface)(ICLRAppDomainResourceMonitor *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRAppDomainResourceMonitor *self);
    ULONG (*Release)(ICLRAppDomainResourceMonitor *self);
    HRESULT (*GetCurrentAllocated)(ICLRAppDomainResourceMonitor *self, DWORD dwAppDomainId, ULONGLONG *pBytesAllocated);
    HRESULT (*GetCurrentSurvived)(ICLRAppDomainResourceMonitor *self, DWORD dwAppDomainId, ULONGLONG *pAppDomainBytesSurvived, ULONGLONG *pTotalBytesSurvived);
    HRESULT (*GetCurrentCpuTime)(ICLRAppDomainResourceMonitor *self, DWORD dwAppDomainId, ULONGLONG *pMilliseconds);
} ICLRAppDomainResourceMonitorVtbl;

struct ICLRAppDomainResourceMonitor {
    const ICLRAppDomainResourceMonitorVtbl *lpVtbl;
};

static inline HRESULT ICLRAppDomainResourceMonitor_QueryInterface(ICLRAppDomainResourceMonitor *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRAppDomainResourceMonitor_AddRef(ICLRAppDomainResourceMonitor *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRAppDomainResourceMonitor_Release(ICLRAppDomainResourceMonitor *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRAppDomainResourceMonitor_GetCurrentAllocated(ICLRAppDomainResourceMonitor *self, DWORD dwAppDomainId, ULONGLONG *pBytesAllocated) { return self->lpVtbl->GetCurrentAllocated(self, dwAppDomainId, pBytesAllocated); }
static inline HRESULT ICLRAppDomainResourceMonitor_GetCurrentSurvived(ICLRAppDomainResourceMonitor *self, DWORD dwAppDomainId, ULONGLONG *pAppDomainBytesSurvived, ULONGLONG *pTotalBytesSurvived) { return self->lpVtbl->GetCurrentSurvived(self, dwAppDomainId, pAppDomainBytesSurvived, pTotalBytesSurvived); }
static inline HRESULT ICLRAppDomainResourceMonitor_GetCurrentCpuTime(ICLRAppDomainResourceMonitor *self, DWORD dwAppDomainId, ULONGLONG *pMilliseconds) { return self->lpVtbl->GetCurrentCpuTime(self, dwAppDomainId, pMilliseconds); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IGCThreadControl = {0xF31D1788, 0xC397, 0x4725, {0x87, 0xA5, 0x6A, 0xF3, 0x47, 0x2C, 0x27, 0x91}};

typedef struct IGCThreadControlVtbl {
    HRESULT (*QueryInterface)(IGCThreadControl *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IGCThreadControl *self);
    ULONG (*Release)(IGCThreadControl *self);
    HRESULT (*ThreadIsBlockingForSuspension)(IGCThreadControl *self);
    HRESULT (*SuspensionStarting)(IGCThreadControl *self);
    HRESULT (*SuspensionEnding)(IGCThreadControl *self, DWORD Generation);
} IGCThreadControlVtbl;

struct IGCThreadControl {
    const IGCThreadControlVtbl *lpVtbl;
};

static inline HRESULT IGCThreadControl_QueryInterface(IGCThreadControl *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IGCThreadControl_AddRef(IGCThreadControl *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IGCThreadControl_Release(IGCThreadControl *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IGCThreadControl_ThreadIsBlockingForSuspension(IGCThreadControl *self) { return self->lpVtbl->ThreadIsBlockingForSuspension(self); }
static inline HRESULT IGCThreadControl_SuspensionStarting(IGCThreadControl *self) { return self->lpVtbl->SuspensionStarting(self); }
static inline HRESULT IGCThreadControl_SuspensionEnding(IGCThreadControl *self, DWORD Generation) { return self->lpVtbl->SuspensionEnding(self, Generation); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IGCHostControl = {0x5513D564, 0x8374, 0x4CB9, {0xAE, 0xD9, 0x00, 0x83, 0xF4, 0x16, 0x0A, 0x1D}};

typedef struct IGCHostControlVtbl {
    HRESULT (*QueryInterface)(IGCHostControl *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IGCHostControl *self);
    ULONG (*Release)(IGCHostControl *self);
    HRESULT (*RequestVirtualMemLimit)(IGCHostControl *self, SIZE_T sztMaxVirtualMemMB, SIZE_T *psztNewMaxVirtualMemMB);
} IGCHostControlVtbl;

struct IGCHostControl {
    const IGCHostControlVtbl *lpVtbl;
};

static inline HRESULT IGCHostControl_QueryInterface(IGCHostControl *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IGCHostControl_AddRef(IGCHostControl *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IGCHostControl_Release(IGCHostControl *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IGCHostControl_RequestVirtualMemLimit(IGCHostControl *self, SIZE_T sztMaxVirtualMemMB, SIZE_T *psztNewMaxVirtualMemMB) { return self->lpVtbl->RequestVirtualMemLimit(self, sztMaxVirtualMemMB, psztNewMaxVirtualMemMB); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IDebuggerThreadControl = {0x23D86786, 0x0BB5, 0x4774, {0x8F, 0xB5, 0xE3, 0x52, 0x2A, 0xDD, 0x62, 0x46}};

typedef struct IDebuggerThreadControlVtbl {
    HRESULT (*QueryInterface)(IDebuggerThreadControl *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IDebuggerThreadControl *self);
    ULONG (*Release)(IDebuggerThreadControl *self);
    HRESULT (*ThreadIsBlockingForDebugger)(IDebuggerThreadControl *self);
    HRESULT (*ReleaseAllRuntimeThreads)(IDebuggerThreadControl *self);
    HRESULT (*StartBlockingForDebugger)(IDebuggerThreadControl *self, DWORD dwUnused);
} IDebuggerThreadControlVtbl;

struct IDebuggerThreadControl {
    const IDebuggerThreadControlVtbl *lpVtbl;
};

static inline HRESULT IDebuggerThreadControl_QueryInterface(IDebuggerThreadControl *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IDebuggerThreadControl_AddRef(IDebuggerThreadControl *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IDebuggerThreadControl_Release(IDebuggerThreadControl *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IDebuggerThreadControl_ThreadIsBlockingForDebugger(IDebuggerThreadControl *self) { return self->lpVtbl->ThreadIsBlockingForDebugger(self); }
static inline HRESULT IDebuggerThreadControl_ReleaseAllRuntimeThreads(IDebuggerThreadControl *self) { return self->lpVtbl->ReleaseAllRuntimeThreads(self); }
static inline HRESULT IDebuggerThreadControl_StartBlockingForDebugger(IDebuggerThreadControl *self, DWORD dwUnused) { return self->lpVtbl->StartBlockingForDebugger(self, dwUnused); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IDebuggerInfo = {0xBF24142D, 0xA47D, 0x4D24, {0xA6, 0x6D, 0x8C, 0x21, 0x41, 0x94, 0x4E, 0x44}};

typedef struct IDebuggerInfoVtbl {
    HRESULT (*QueryInterface)(IDebuggerInfo *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IDebuggerInfo *self);
    ULONG (*Release)(IDebuggerInfo *self);
    HRESULT (*IsDebuggerAttached)(IDebuggerInfo *self, BOOL *pbAttached);
} IDebuggerInfoVtbl;

struct IDebuggerInfo {
    const IDebuggerInfoVtbl *lpVtbl;
};

static inline HRESULT IDebuggerInfo_QueryInterface(IDebuggerInfo *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IDebuggerInfo_AddRef(IDebuggerInfo *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IDebuggerInfo_Release(IDebuggerInfo *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IDebuggerInfo_IsDebuggerAttached(IDebuggerInfo *self, BOOL *pbAttached) { return self->lpVtbl->IsDebuggerAttached(self, pbAttached); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICorConfiguration = {0x5C2B07A5, 0x1E98, 0x11D3, {0x87, 0x2F, 0x00, 0xC0, 0x4F, 0x79, 0xED, 0x0D}};

typedef struct ICorConfigurationVtbl {
    HRESULT (*QueryInterface)(ICorConfiguration *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICorConfiguration *self);
    ULONG (*Release)(ICorConfiguration *self);
    HRESULT (*SetGCThreadControl)(ICorConfiguration *self, IGCThreadControl *pGCThreadControl);
    HRESULT (*SetGCHostControl)(ICorConfiguration *self, IGCHostControl *pGCHostControl);
    HRESULT (*SetDebuggerThreadControl)(ICorConfiguration *self, IDebuggerThreadControl *pDebuggerThreadControl);
    HRESULT (*AddDebuggerSpecialThread)(ICorConfiguration *self, DWORD dwSpecialThreadId);
} ICorConfigurationVtbl;

struct ICorConfiguration {
    const ICorConfigurationVtbl *lpVtbl;
};

static inline HRESULT ICorConfiguration_QueryInterface(ICorConfiguration *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICorConfiguration_AddRef(ICorConfiguration *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICorConfiguration_Release(ICorConfiguration *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICorConfiguration_SetGCThreadControl(ICorConfiguration *self, IGCThreadControl *pGCThreadControl) { return self->lpVtbl->SetGCThreadControl(self, pGCThreadControl); }
static inline HRESULT ICorConfiguration_SetGCHostControl(ICorConfiguration *self, IGCHostControl *pGCHostControl) { return self->lpVtbl->SetGCHostControl(self, pGCHostControl); }
static inline HRESULT ICorConfiguration_SetDebuggerThreadControl(ICorConfiguration *self, IDebuggerThreadControl *pDebuggerThreadControl) { return self->lpVtbl->SetDebuggerThreadControl(self, pDebuggerThreadControl); }
static inline HRESULT ICorConfiguration_AddDebuggerSpecialThread(ICorConfiguration *self, DWORD dwSpecialThreadId) { return self->lpVtbl->AddDebuggerSpecialThread(self, dwSpecialThreadId); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICorRuntimeHost = {0xCB2F6722, 0xAB3A, 0x11D2, {0x9C, 0x40, 0x00, 0xC0, 0x4F, 0xA3, 0x0A, 0x3E}};

typedef struct ICorRuntimeHostVtbl {
    HRESULT (*QueryInterface)(ICorRuntimeHost *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICorRuntimeHost *self);
    ULONG (*Release)(ICorRuntimeHost *self);
    HRESULT (*CreateLogicalThreadState)(ICorRuntimeHost *self);
    HRESULT (*DeleteLogicalThreadState)(ICorRuntimeHost *self);
    HRESULT (*SwitchInLogicalThreadState)(ICorRuntimeHost *self, DWORD *pFiberCookie);
    HRESULT (*SwitchOutLogicalThreadState)(ICorRuntimeHost *self, DWORD **pFiberCookie);
    HRESULT (*LocksHeldByLogicalThread)(ICorRuntimeHost *self, DWORD *pCount);
    HRESULT (*MapFile)(ICorRuntimeHost *self, HANDLE hFile, HMODULE *hMapAddress);
    HRESULT (*GetConfiguration)(ICorRuntimeHost *self, ICorConfiguration **pConfiguration);
    HRESULT (*Start)(ICorRuntimeHost *self);
    HRESULT (*Stop)(ICorRuntimeHost *self);
    HRESULT (*CreateDomain)(ICorRuntimeHost *self, LPCWSTR pwzFriendlyName, IUnknown *pIdentityArray, IUnknown **pAppDomain);
    HRESULT (*GetDefaultDomain)(ICorRuntimeHost *self, IUnknown **pAppDomain);
    HRESULT (*EnumDomains)(ICorRuntimeHost *self, HDOMAINENUM *hEnum);
    HRESULT (*NextDomain)(ICorRuntimeHost *self, HDOMAINENUM hEnum, IUnknown **pAppDomain);
    HRESULT (*CloseEnum)(ICorRuntimeHost *self, HDOMAINENUM hEnum);
    HRESULT (*CreateDomainEx)(ICorRuntimeHost *self, LPCWSTR pwzFriendlyName, IUnknown *pSetup, IUnknown *pEvidence, IUnknown **pAppDomain);
    HRESULT (*CreateDomainSetup)(ICorRuntimeHost *self, IUnknown **pAppDomainSetup);
    HRESULT (*CreateEvidence)(ICorRuntimeHost *self, IUnknown **pEvidence);
    HRESULT (*UnloadDomain)(ICorRuntimeHost *self, IUnknown *pAppDomain);
    HRESULT (*CurrentDomain)(ICorRuntimeHost *self, IUnknown **pAppDomain);
} ICorRuntimeHostVtbl;

struct ICorRuntimeHost {
    const ICorRuntimeHostVtbl *lpVtbl;
};

static inline HRESULT ICorRuntimeHost_QueryInterface(ICorRuntimeHost *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICorRuntimeHost_AddRef(ICorRuntimeHost *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICorRuntimeHost_Release(ICorRuntimeHost *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICorRuntimeHost_CreateLogicalThreadState(ICorRuntimeHost *self) { return self->lpVtbl->CreateLogicalThreadState(self); }
static inline HRESULT ICorRuntimeHost_DeleteLogicalThreadState(ICorRuntimeHost *self) { return self->lpVtbl->DeleteLogicalThreadState(self); }
static inline HRESULT ICorRuntimeHost_SwitchInLogicalThreadState(ICorRuntimeHost *self, DWORD *pFiberCookie) { return self->lpVtbl->SwitchInLogicalThreadState(self, pFiberCookie); }
static inline HRESULT ICorRuntimeHost_SwitchOutLogicalThreadState(ICorRuntimeHost *self, DWORD **pFiberCookie) { return self->lpVtbl->SwitchOutLogicalThreadState(self, pFiberCookie); }
static inline HRESULT ICorRuntimeHost_LocksHeldByLogicalThread(ICorRuntimeHost *self, DWORD *pCount) { return self->lpVtbl->LocksHeldByLogicalThread(self, pCount); }
static inline HRESULT ICorRuntimeHost_MapFile(ICorRuntimeHost *self, HANDLE hFile, HMODULE *hMapAddress) { return self->lpVtbl->MapFile(self, hFile, hMapAddress); }
static inline HRESULT ICorRuntimeHost_GetConfiguration(ICorRuntimeHost *self, ICorConfiguration **pConfiguration) { return self->lpVtbl->GetConfiguration(self, pConfiguration); }
static inline HRESULT ICorRuntimeHost_Start(ICorRuntimeHost *self) { return self->lpVtbl->Start(self); }
static inline HRESULT ICorRuntimeHost_Stop(ICorRuntimeHost *self) { return self->lpVtbl->Stop(self); }
static inline HRESULT ICorRuntimeHost_CreateDomain(ICorRuntimeHost *self, LPCWSTR pwzFriendlyName, IUnknown *pIdentityArray, IUnknown **pAppDomain) { return self->lpVtbl->CreateDomain(self, pwzFriendlyName, pIdentityArray, pAppDomain); }
static inline HRESULT ICorRuntimeHost_GetDefaultDomain(ICorRuntimeHost *self, IUnknown **pAppDomain) { return self->lpVtbl->GetDefaultDomain(self, pAppDomain); }
static inline HRESULT ICorRuntimeHost_EnumDomains(ICorRuntimeHost *self, HDOMAINENUM *hEnum) { return self->lpVtbl->EnumDomains(self, hEnum); }
static inline HRESULT ICorRuntimeHost_NextDomain(ICorRuntimeHost *self, HDOMAINENUM hEnum, IUnknown **pAppDomain) { return self->lpVtbl->NextDomain(self, hEnum, pAppDomain); }
static inline HRESULT ICorRuntimeHost_CloseEnum(ICorRuntimeHost *self, HDOMAINENUM hEnum) { return self->lpVtbl->CloseEnum(self, hEnum); }
static inline HRESULT ICorRuntimeHost_CreateDomainEx(ICorRuntimeHost *self, LPCWSTR pwzFriendlyName, IUnknown *pSetup, IUnknown *pEvidence, IUnknown **pAppDomain) { return self->lpVtbl->CreateDomainEx(self, pwzFriendlyName, pSetup, pEvidence, pAppDomain); }
static inline HRESULT ICorRuntimeHost_CreateDomainSetup(ICorRuntimeHost *self, IUnknown **pAppDomainSetup) { return self->lpVtbl->CreateDomainSetup(self, pAppDomainSetup); }
static inline HRESULT ICorRuntimeHost_CreateEvidence(ICorRuntimeHost *self, IUnknown **pEvidence) { return self->lpVtbl->CreateEvidence(self, pEvidence); }
static inline HRESULT ICorRuntimeHost_UnloadDomain(ICorRuntimeHost *self, IUnknown *pAppDomain) { return self->lpVtbl->UnloadDomain(self, pAppDomain); }
static inline HRESULT ICorRuntimeHost_CurrentDomain(ICorRuntimeHost *self, IUnknown **pAppDomain) { return self->lpVtbl->CurrentDomain(self, pAppDomain); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICorThreadpool = {0x84680D3A, 0xB2C1, 0x46E8, {0xAC, 0xC2, 0xDB, 0xC0, 0xA3, 0x59, 0x15, 0x9A}};

typedef struct ICorThreadpoolVtbl {
    HRESULT (*QueryInterface)(ICorThreadpool *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICorThreadpool *self);
    ULONG (*Release)(ICorThreadpool *self);
    HRESULT (*CorRegisterWaitForSingleObject)(ICorThreadpool *self, HANDLE *phNewWaitObject, HANDLE hWaitObject, WAITORTIMERCALLBACK Callback, PVOID Context, ULONG timeout, BOOL executeOnlyOnce, BOOL *result);
    HRESULT (*CorUnregisterWait)(ICorThreadpool *self, HANDLE hWaitObject, HANDLE CompletionEvent, BOOL *result);
    HRESULT (*CorQueueUserWorkItem)(ICorThreadpool *self, LPTHREAD_START_ROUTINE Function, PVOID Context, BOOL executeOnlyOnce, BOOL *result);
    HRESULT (*CorCreateTimer)(ICorThreadpool *self, HANDLE *phNewTimer, WAITORTIMERCALLBACK Callback, PVOID Parameter, DWORD DueTime, DWORD Period, BOOL *result);
    HRESULT (*CorChangeTimer)(ICorThreadpool *self, HANDLE Timer, ULONG DueTime, ULONG Period, BOOL *result);
    HRESULT (*CorDeleteTimer)(ICorThreadpool *self, HANDLE Timer, HANDLE CompletionEvent, BOOL *result);
    HRESULT (*CorBindIoCompletionCallback)(ICorThreadpool *self, HANDLE fileHandle, LPOVERLAPPED_COMPLETION_ROUTINE callback);
    HRESULT (*CorCallOrQueueUserWorkItem)(ICorThreadpool *self, LPTHREAD_START_ROUTINE Function, PVOID Context, BOOL *result);
    HRESULT (*CorSetMaxThreads)(ICorThreadpool *self, DWORD MaxWorkerThreads, DWORD MaxIOCompletionThreads);
    HRESULT (*CorGetMaxThreads)(ICorThreadpool *self, DWORD *MaxWorkerThreads, DWORD *MaxIOCompletionThreads);
    HRESULT (*CorGetAvailableThreads)(ICorThreadpool *self, DWORD *AvailableWorkerThreads, DWORD *AvailableIOCompletionThreads);
} ICorThreadpoolVtbl;

struct ICorThreadpool {
    const ICorThreadpoolVtbl *lpVtbl;
};

static inline HRESULT ICorThreadpool_QueryInterface(ICorThreadpool *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICorThreadpool_AddRef(ICorThreadpool *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICorThreadpool_Release(ICorThreadpool *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICorThreadpool_CorRegisterWaitForSingleObject(ICorThreadpool *self, HANDLE *phNewWaitObject, HANDLE hWaitObject, WAITORTIMERCALLBACK Callback, PVOID Context, ULONG timeout, BOOL executeOnlyOnce, BOOL *result) { return self->lpVtbl->CorRegisterWaitForSingleObject(self, phNewWaitObject, hWaitObject, Callback, Context, timeout, executeOnlyOnce, result); }
static inline HRESULT ICorThreadpool_CorUnregisterWait(ICorThreadpool *self, HANDLE hWaitObject, HANDLE CompletionEvent, BOOL *result) { return self->lpVtbl->CorUnregisterWait(self, hWaitObject, CompletionEvent, result); }
static inline HRESULT ICorThreadpool_CorQueueUserWorkItem(ICorThreadpool *self, LPTHREAD_START_ROUTINE Function, PVOID Context, BOOL executeOnlyOnce, BOOL *result) { return self->lpVtbl->CorQueueUserWorkItem(self, Function, Context, executeOnlyOnce, result); }
static inline HRESULT ICorThreadpool_CorCreateTimer(ICorThreadpool *self, HANDLE *phNewTimer, WAITORTIMERCALLBACK Callback, PVOID Parameter, DWORD DueTime, DWORD Period, BOOL *result) { return self->lpVtbl->CorCreateTimer(self, phNewTimer, Callback, Parameter, DueTime, Period, result); }
static inline HRESULT ICorThreadpool_CorChangeTimer(ICorThreadpool *self, HANDLE Timer, ULONG DueTime, ULONG Period, BOOL *result) { return self->lpVtbl->CorChangeTimer(self, Timer, DueTime, Period, result); }
static inline HRESULT ICorThreadpool_CorDeleteTimer(ICorThreadpool *self, HANDLE Timer, HANDLE CompletionEvent, BOOL *result) { return self->lpVtbl->CorDeleteTimer(self, Timer, CompletionEvent, result); }
static inline HRESULT ICorThreadpool_CorBindIoCompletionCallback(ICorThreadpool *self, HANDLE fileHandle, LPOVERLAPPED_COMPLETION_ROUTINE callback) { return self->lpVtbl->CorBindIoCompletionCallback(self, fileHandle, callback); }
static inline HRESULT ICorThreadpool_CorCallOrQueueUserWorkItem(ICorThreadpool *self, LPTHREAD_START_ROUTINE Function, PVOID Context, BOOL *result) { return self->lpVtbl->CorCallOrQueueUserWorkItem(self, Function, Context, result); }
static inline HRESULT ICorThreadpool_CorSetMaxThreads(ICorThreadpool *self, DWORD MaxWorkerThreads, DWORD MaxIOCompletionThreads) { return self->lpVtbl->CorSetMaxThreads(self, MaxWorkerThreads, MaxIOCompletionThreads); }
static inline HRESULT ICorThreadpool_CorGetMaxThreads(ICorThreadpool *self, DWORD *MaxWorkerThreads, DWORD *MaxIOCompletionThreads) { return self->lpVtbl->CorGetMaxThreads(self, MaxWorkerThreads, MaxIOCompletionThreads); }
static inline HRESULT ICorThreadpool_CorGetAvailableThreads(ICorThreadpool *self, DWORD *AvailableWorkerThreads, DWORD *AvailableIOCompletionThreads) { return self->lpVtbl->CorGetAvailableThreads(self, AvailableWorkerThreads, AvailableIOCompletionThreads); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IAppDomainBinding = {0x5C2B07A7, 0x1E98, 0x11D3, {0x87, 0x2F, 0x00, 0xC0, 0x4F, 0x79, 0xED, 0x0D}};

typedef struct IAppDomainBindingVtbl {
    HRESULT (*QueryInterface)(IAppDomainBinding *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IAppDomainBinding *self);
    ULONG (*Release)(IAppDomainBinding *self);
    HRESULT (*OnAppDomain)(IAppDomainBinding *self, IUnknown *pAppdomain);
} IAppDomainBindingVtbl;

struct IAppDomainBinding {
    const IAppDomainBindingVtbl *lpVtbl;
};

static inline HRESULT IAppDomainBinding_QueryInterface(IAppDomainBinding *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IAppDomainBinding_AddRef(IAppDomainBinding *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IAppDomainBinding_Release(IAppDomainBinding *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IAppDomainBinding_OnAppDomain(IAppDomainBinding *self, IUnknown *pAppdomain) { return self->lpVtbl->OnAppDomain(self, pAppdomain); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRRuntimeHost2 = {0x712AB73F, 0x2C22, 0x4807, {0xAD, 0x7E, 0xF5, 0x01, 0xD7, 0xB7, 0x2C, 0x2D}};

typedef struct ICLRRuntimeHost2Vtbl {
    HRESULT (*QueryInterface)(ICLRRuntimeHost2 *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRRuntimeHost2 *self);
    ULONG (*Release)(ICLRRuntimeHost2 *self);
    HRESULT (*Start)(ICLRRuntimeHost2 *self);
    HRESULT (*Stop)(ICLRRuntimeHost2 *self);
    HRESULT (*SetHostControl)(ICLRRuntimeHost2 *self, IHostControl *pHostControl);
    HRESULT (*GetCLRControl)(ICLRRuntimeHost2 *self, ICLRControl **pCLRControl);
    HRESULT (*UnloadAppDomain)(ICLRRuntimeHost2 *self, DWORD dwAppDomainId, BOOL fWaitUntilDone);
    HRESULT (*ExecuteInAppDomain)(ICLRRuntimeHost2 *self, DWORD dwAppDomainId, FExecuteInAppDomainCallback pCallback, void *cookie);
    HRESULT (*GetCurrentAppDomainId)(ICLRRuntimeHost2 *self, DWORD *pdwAppDomainId);
    HRESULT (*ExecuteApplication)(ICLRRuntimeHost2 *self, LPCWSTR pwzAppFullName, DWORD dwManifestPaths, LPCWSTR *ppwzManifestPaths, DWORD dwActivationData, LPCWSTR *ppwzActivationData, int *pReturnValue);
    HRESULT (*ExecuteInDefaultAppDomain)(ICLRRuntimeHost2 *self, LPCWSTR pwzAssemblyPath, LPCWSTR pwzTypeName, LPCWSTR pwzMethodName, LPCWSTR pwzArgument, DWORD *pReturnValue);
    HRESULT (*CreateAppDomainWithManager)(ICLRRuntimeHost2 *self, LPCWSTR wszFriendlyName, DWORD dwFlags, LPCWSTR wszAppDomainManagerAssemblyName, LPCWSTR wszAppDomainManagerTypeName, int nProperties, LPCWSTR *pPropertyNames, LPCWSTR *pPropertyValues, DWORD *pAppDomainID);
    HRESULT (*CreateDelegate)(ICLRRuntimeHost2 *self, DWORD appDomainID, LPCWSTR wszAssemblyName, LPCWSTR wszClassName, LPCWSTR wszMethodName, INT_PTR *fnPtr);
    HRESULT (*Authenticate)(ICLRRuntimeHost2 *self, ULONGLONG authKey);
    HRESULT (*RegisterMacEHPort)(ICLRRuntimeHost2 *self);
    HRESULT (*SetStartupFlags)(ICLRRuntimeHost2 *self, STARTUP_FLAGS dwFlags);
    HRESULT (*DllGetActivationFactory)(ICLRRuntimeHost2 *self, DWORD appDomainID, LPCWSTR wszTypeName, IActivationFactory **factory);
    HRESULT (*ExecuteAssembly)(ICLRRuntimeHost2 *self, DWORD dwAppDomainId, LPCWSTR pwzAssemblyPath, int argc, LPCWSTR *argv, DWORD *pReturnValue);
} ICLRRuntimeHost2Vtbl;

struct ICLRRuntimeHost2 {
    const ICLRRuntimeHost2Vtbl *lpVtbl;
};

static inline HRESULT ICLRRuntimeHost2_QueryInterface(ICLRRuntimeHost2 *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRRuntimeHost2_AddRef(ICLRRuntimeHost2 *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRRuntimeHost2_Release(ICLRRuntimeHost2 *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRRuntimeHost2_Start(ICLRRuntimeHost2 *self) { return self->lpVtbl->Start(self); }
static inline HRESULT ICLRRuntimeHost2_Stop(ICLRRuntimeHost2 *self) { return self->lpVtbl->Stop(self); }
static inline HRESULT ICLRRuntimeHost2_SetHostControl(ICLRRuntimeHost2 *self, IHostControl *pHostControl) { return self->lpVtbl->SetHostControl(self, pHostControl); }
static inline HRESULT ICLRRuntimeHost2_GetCLRControl(ICLRRuntimeHost2 *self, ICLRControl **pCLRControl) { return self->lpVtbl->GetCLRControl(self, pCLRControl); }
static inline HRESULT ICLRRuntimeHost2_UnloadAppDomain(ICLRRuntimeHost2 *self, DWORD dwAppDomainId, BOOL fWaitUntilDone) { return self->lpVtbl->UnloadAppDomain(self, dwAppDomainId, fWaitUntilDone); }
static inline HRESULT ICLRRuntimeHost2_ExecuteInAppDomain(ICLRRuntimeHost2 *self, DWORD dwAppDomainId, FExecuteInAppDomainCallback pCallback, void *cookie) { return self->lpVtbl->ExecuteInAppDomain(self, dwAppDomainId, pCallback, cookie); }
static inline HRESULT ICLRRuntimeHost2_GetCurrentAppDomainId(ICLRRuntimeHost2 *self, DWORD *pdwAppDomainId) { return self->lpVtbl->GetCurrentAppDomainId(self, pdwAppDomainId); }
static inline HRESULT ICLRRuntimeHost2_ExecuteApplication(ICLRRuntimeHost2 *self, LPCWSTR pwzAppFullName, DWORD dwManifestPaths, LPCWSTR *ppwzManifestPaths, DWORD dwActivationData, LPCWSTR *ppwzActivationData, int *pReturnValue) { return self->lpVtbl->ExecuteApplication(self, pwzAppFullName, dwManifestPaths, ppwzManifestPaths, dwActivationData, ppwzActivationData, pReturnValue); }
static inline HRESULT ICLRRuntimeHost2_ExecuteInDefaultAppDomain(ICLRRuntimeHost2 *self, LPCWSTR pwzAssemblyPath, LPCWSTR pwzTypeName, LPCWSTR pwzMethodName, LPCWSTR pwzArgument, DWORD *pReturnValue) { return self->lpVtbl->ExecuteInDefaultAppDomain(self, pwzAssemblyPath, pwzTypeName, pwzMethodName, pwzArgument, pReturnValue); }
static inline HRESULT ICLRRuntimeHost2_CreateAppDomainWithManager(ICLRRuntimeHost2 *self, LPCWSTR wszFriendlyName, DWORD dwFlags, LPCWSTR wszAppDomainManagerAssemblyName, LPCWSTR wszAppDomainManagerTypeName, int nProperties, LPCWSTR *pPropertyNames, LPCWSTR *pPropertyValues, DWORD *pAppDomainID) { return self->lpVtbl->CreateAppDomainWithManager(self, wszFriendlyName, dwFlags, wszAppDomainManagerAssemblyName, wszAppDomainManagerTypeName, nProperties, pPropertyNames, pPropertyValues, pAppDomainID); }
static inline HRESULT ICLRRuntimeHost2_CreateDelegate(ICLRRuntimeHost2 *self, DWORD appDomainID, LPCWSTR wszAssemblyName, LPCWSTR wszClassName, LPCWSTR wszMethodName, INT_PTR *fnPtr) { return self->lpVtbl->CreateDelegate(self, appDomainID, wszAssemblyName, wszClassName, wszMethodName, fnPtr); }
static inline HRESULT ICLRRuntimeHost2_Authenticate(ICLRRuntimeHost2 *self, ULONGLONG authKey) { return self->lpVtbl->Authenticate(self, authKey); }
static inline HRESULT ICLRRuntimeHost2_RegisterMacEHPort(ICLRRuntimeHost2 *self) { return self->lpVtbl->RegisterMacEHPort(self); }
static inline HRESULT ICLRRuntimeHost2_SetStartupFlags(ICLRRuntimeHost2 *self, STARTUP_FLAGS dwFlags) { return self->lpVtbl->SetStartupFlags(self, dwFlags); }
static inline HRESULT ICLRRuntimeHost2_DllGetActivationFactory(ICLRRuntimeHost2 *self, DWORD appDomainID, LPCWSTR wszTypeName, IActivationFactory **factory) { return self->lpVtbl->DllGetActivationFactory(self, appDomainID, wszTypeName, factory); }
static inline HRESULT ICLRRuntimeHost2_ExecuteAssembly(ICLRRuntimeHost2 *self, DWORD dwAppDomainId, LPCWSTR pwzAssemblyPath, int argc, LPCWSTR *argv, DWORD *pReturnValue) { return self->lpVtbl->ExecuteAssembly(self, dwAppDomainId, pwzAssemblyPath, argc, argv, pReturnValue); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_ICLRExecutionManager = {0x1000A3E7, 0xB420, 0x4620, {0xAE, 0x30, 0xFB, 0x19, 0xB5, 0x87, 0xAD, 0x1D}};

typedef struct ICLRExecutionManagerVtbl {
    HRESULT (*QueryInterface)(ICLRExecutionManager *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(ICLRExecutionManager *self);
    ULONG (*Release)(ICLRExecutionManager *self);
    HRESULT (*Pause)(ICLRExecutionManager *self, DWORD dwAppDomainId, DWORD dwFlags);
    HRESULT (*Resume)(ICLRExecutionManager *self, DWORD dwAppDomainId);
} ICLRExecutionManagerVtbl;

struct ICLRExecutionManager {
    const ICLRExecutionManagerVtbl *lpVtbl;
};

static inline HRESULT ICLRExecutionManager_QueryInterface(ICLRExecutionManager *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG ICLRExecutionManager_AddRef(ICLRExecutionManager *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG ICLRExecutionManager_Release(ICLRExecutionManager *self) { return self->lpVtbl->Release(self); }
static inline HRESULT ICLRExecutionManager_Pause(ICLRExecutionManager *self, DWORD dwAppDomainId, DWORD dwFlags) { return self->lpVtbl->Pause(self, dwAppDomainId, dwFlags); }
static inline HRESULT ICLRExecutionManager_Resume(ICLRExecutionManager *self, DWORD dwAppDomainId) { return self->lpVtbl->Resume(self, dwAppDomainId); }

#if defined(__GNUC__)
__attribute__((unused))
#endif
static const GUID IID_IStream = {0x0000000C, 0x0000, 0x0000, {0xC0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46}};

typedef struct IStreamVtbl {
    HRESULT (*QueryInterface)(IStream *self, REFIID riid, void **ppvObject);
    ULONG (*AddRef)(IStream *self);
    ULONG (*Release)(IStream *self);
    HRESULT (*Read)(IStream *self, void *pv, ULONG cb, ULONG *pcbRead);
    HRESULT (*Write)(IStream *self, void *pv, ULONG cb, ULONG *pcbWritten);
    HRESULT (*Seek)(IStream *self, LONGLONG dlibMove, DWORD dwOrigin, ULONGLONG *plibNewPosition);
    HRESULT (*SetSize)(IStream *self, ULONGLONG libNewSize);
    HRESULT (*CopyTo)(IStream *self, IStream *pstm, ULONGLONG cb, ULONGLONG *pcbRead, ULONGLONG *pcbWritten);
    HRESULT (*Commit)(IStream *self, DWORD grfCommitFlags);
    HRESULT (*Revert)(IStream *self);
    HRESULT (*LockRegion)(IStream *self, ULONGLONG libOffset, ULONGLONG cb, DWORD dwLockType);
    HRESULT (*UnlockRegion)(IStream *self, ULONGLONG libOffset, ULONGLONG cb, DWORD dwLockType);
    HRESULT (*Stat)(IStream *self, STATSTG *pstatstg, DWORD grfStatFlag);
    HRESULT (*Clone)(IStream *self, IStream **ppstm);
} IStreamVtbl;

struct IStream {
    const IStreamVtbl *lpVtbl;
};

static inline HRESULT IStream_QueryInterface(IStream *self, REFIID riid, void **ppvObject) { return self->lpVtbl->QueryInterface(self, riid, ppvObject); }
static inline ULONG IStream_AddRef(IStream *self) { return self->lpVtbl->AddRef(self); }
static inline ULONG IStream_Release(IStream *self) { return self->lpVtbl->Release(self); }
static inline HRESULT IStream_Read(IStream *self, void *pv, ULONG cb, ULONG *pcbRead) { return self->lpVtbl->Read(self, pv, cb, pcbRead); }
static inline HRESULT IStream_Write(IStream *self, void *pv, ULONG cb, ULONG *pcbWritten) { return self->lpVtbl->Write(self, pv, cb, pcbWritten); }
static inline HRESULT IStream_Seek(IStream *self, LONGLONG dlibMove, DWORD dwOrigin, ULONGLONG *plibNewPosition) { return self->lpVtbl->Seek(self, dlibMove, dwOrigin, plibNewPosition); }
static inline HRESULT IStream_SetSize(IStream *self, ULONGLONG libNewSize) { return self->lpVtbl->SetSize(self, libNewSize); }
static inline HRESULT IStream_CopyTo(IStream *self, IStream *pstm, ULONGLONG cb, ULONGLONG *pcbRead, ULONGLONG *pcbWritten) { return self->lpVtbl->CopyTo(self, pstm, cb, pcbRead, pcbWritten); }
static inline HRESULT IStream_Commit(IStream *self, DWORD grfCommitFlags) { return self->lpVtbl->Commit(self, grfCommitFlags); }
static inline HRESULT IStream_Revert(IStream *self) { return self->lpVtbl->Revert(self); }
static inline HRESULT IStream_LockRegion(IStream *self, ULONGLONG libOffset, ULONGLONG cb, DWORD dwLockType) { return self->lpVtbl->LockRegion(self, libOffset, cb, dwLockType); }
static inline HRESULT IStream_UnlockRegion(IStream *self, ULONGLONG libOffset, ULONGLONG cb, DWORD dwLockType) { return self->lpVtbl->UnlockRegion(self, libOffset, cb, dwLockType); }
static inline HRESULT IStream_Stat(IStream *self, STATSTG *pstatstg, DWORD grfStatFlag) { return self->lpVtbl->Stat(self, pstatstg, grfStatFlag); }
static inline HRESULT IStream_Clone(IStream *self, IStream **ppstm) { return self->lpVtbl->Clone(self, ppstm); }

#endif /* FIBERHOST_NO_INTERFACES */

#ifdef __cplusplus
}
#endif

#endif /* FIBERHOST_H */
