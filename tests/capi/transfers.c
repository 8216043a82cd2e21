/* A runtime in C whose transfers, memory, tokens and assemblies are the host's: with the kernel's ring, and with helpers. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fiberhost.h"

#define CHECK(what)                                            \
    do {                                                       \
        if (!(what)) {                                         \
            printf("line %d: %s does not hold\n", __LINE__, #what); \
            failures++;                                        \
        }                                                      \
    } while (0)

static int failures;

/* The structure with room for the host's bytes, as a runtime has it. */
struct transfer {
    OVERLAPPED overlapped;
    unsigned char host[64];
    char buffer[16];
};

static fiberhost_event *told;
static _Atomic uint32_t told_error, told_bytes;
static void *_Atomic told_overlapped;
static atomic_int times;

static HRESULT query(ICLRIoCompletionManager *self, REFIID iid, void **found)
{
    (void)self, (void)iid;
    *found = NULL;
    return E_NOINTERFACE;
}

static ULONG count(ICLRIoCompletionManager *self)
{
    (void)self;
    return 1;
}

static HRESULT complete(ICLRIoCompletionManager *self, DWORD error, DWORD bytes, void *overlapped)
{
    (void)self;
    atomic_store(&told_error, error);
    atomic_store(&told_bytes, bytes);
    atomic_store(&told_overlapped, overlapped);
    atomic_fetch_add(&times, 1);
    fiberhost_event_set(told);
    return S_OK;
}

static const ICLRIoCompletionManagerVtbl table = {query, count, count, complete};
static ICLRIoCompletionManager manager = {&table};

static void wait_for(struct transfer *transfer, uint32_t error, uint32_t bytes)
{
    CHECK(fiberhost_event_wait(told, FIBERHOST_FOREVER) == FIBERHOST_OK);
    CHECK(atomic_load(&told_overlapped) == transfer);
    CHECK(atomic_load(&told_error) == error);
    CHECK(atomic_load(&told_bytes) == bytes);
}

static void *find(fiberhost_host *host, const GUID *iid)
{
    IHostControl *control;
    void *found = NULL;
    CHECK(fiberhost_host_control(host, &control) == FIBERHOST_OK);
    IHostControl_GetHostManager(control, iid, &found);
    IHostControl_Release(control);
    return found;
}

static void run(uint32_t engine)
{
    fiberhost_options options = FIBERHOST_OPTIONS_INIT;
    fiberhost_host *host;
    options.workers = 2;
    options.flags = FIBERHOST_IO_COMPLETION | engine | FIBERHOST_MEMORY | FIBERHOST_SECURITY;
    options.memory_task = 1000;
    options.assemblies = "/";
    CHECK(fiberhost_host_create(&options, &host) == FIBERHOST_OK);
    CHECK(fiberhost_event_create(false, false, &told) == FIBERHOST_OK);
    IHostIoCompletionManager *io = find(host, &IID_IHostIoCompletionManager);
    CHECK(io != NULL);

    /* Transfers. */
    struct transfer *one = calloc(1, sizeof *one);
    int pipes[2];
    DWORD size = 0;
    CHECK(pipe(pipes) == 0);
    CHECK(IHostIoCompletionManager_GetHostOverlappedSize(io, &size) == S_OK && size <= sizeof one->host);
    CHECK(IHostIoCompletionManager_SetCLRIoCompletionManager(io, &manager) == S_OK);
    CHECK(fiberhost_io_read(host, pipes[0], one->buffer, 16, one, 0) == FIBERHOST_E_INVALID);
    CHECK(IHostIoCompletionManager_InitializeHostOverlapped(io, one) == S_OK);
    CHECK(fiberhost_io_read(host, pipes[0], one->buffer, 16, one, 0) == FIBERHOST_E_HANDLE);
    CHECK(IHostIoCompletionManager_Bind(io, NULL, (HANDLE)(intptr_t)pipes[0]) == S_OK);
    CHECK(fiberhost_io_read(host, pipes[0], one->buffer, 16, one, 2) == FIBERHOST_E_INVALID);
    CHECK(fiberhost_io_read(host, -1, one->buffer, 16, one, 0) == FIBERHOST_E_HANDLE);
    CHECK(fiberhost_io_read(host, pipes[0], NULL, 16, one, 0) == FIBERHOST_E_INVALID);
    CHECK(fiberhost_io_read(host, pipes[0], one->buffer, 16, one, FIBERHOST_IO_OF_TASK) == FIBERHOST_E_STATE);
    CHECK(fiberhost_io_read(host, pipes[0], one->buffer, 16, one, 0) == FIBERHOST_OK);
    CHECK(fiberhost_io_read(host, pipes[0], one->buffer, 16, one, 0) == FIBERHOST_E_STATE);
    CHECK(write(pipes[1], "hello", 5) == 5);
    wait_for(one, 0, 5);
    CHECK(memcmp(one->buffer, "hello", 5) == 0);
    CHECK(IHostIoCompletionManager_Bind(io, NULL, (HANDLE)(intptr_t)pipes[1]) == S_OK);
    CHECK(fiberhost_io_write(host, pipes[1], one->buffer, 3, one, 0) == FIBERHOST_OK);
    wait_for(one, 0, 3);
    CHECK(fiberhost_io_read(host, pipes[0], one->buffer, 16, one, 0) == FIBERHOST_OK);
    wait_for(one, 0, 3);
    CHECK(fiberhost_io_cancel(host, pipes[0], NULL) == FIBERHOST_E_NOT_FOUND);
    CHECK(fiberhost_io_read(host, pipes[0], one->buffer, 16, one, 0) == FIBERHOST_OK);
    CHECK(fiberhost_io_cancel(host, pipes[0], one) == FIBERHOST_OK);
    wait_for(one, 995, 0);
    CHECK(fiberhost_io_unbind(host, pipes[1]) == FIBERHOST_OK);
    CHECK(fiberhost_io_unbind(host, pipes[1]) == FIBERHOST_E_HANDLE);

    /* Memory within its limit, a token, and a store of assemblies. */
    IHostMemoryManager *memory = find(host, &IID_IHostMemoryManager);
    IHostMalloc *heap;
    void *block;
    CHECK(IHostMemoryManager_CreateMalloc(memory, MALLOC_THREADSAFE, &heap) == S_OK);
    CHECK(IHostMalloc_Alloc(heap, 1001, eTaskCritical, &block) == E_OUTOFMEMORY && block == NULL);
    CHECK(IHostMalloc_Alloc(heap, 900, eTaskCritical, &block) == S_OK);
    CHECK(IHostMalloc_Free(heap, block) == S_OK);
    CHECK(IHostMalloc_Release(heap) == 0);
    IHostMemoryManager_Release(memory);
    IHostSecurityManager *security = find(host, &IID_IHostSecurityManager);
    size_t token = 1;
    CHECK(fiberhost_token(host, &token) == FIBERHOST_OK && token == 0);
    CHECK(IHostSecurityManager_ImpersonateLoggedOnUser(security, (HANDLE)(intptr_t)7) == S_OK);
    CHECK(fiberhost_token(host, &token) == FIBERHOST_OK && token == 7);
    CHECK(IHostSecurityManager_RevertToSelf(security) == S_OK);
    IHostSecurityManager_Release(security);
    IHostAssemblyManager *assemblies = find(host, &IID_IHostAssemblyManager);
    IHostAssemblyStore *store;
    CHECK(IHostAssemblyManager_GetAssemblyStore(assemblies, &store) == S_OK);
    CHECK(IHostAssemblyStore_Release(store) == 0);
    IHostAssemblyManager_Release(assemblies);

    /* One is on when the host ends. */
    int before = atomic_load(&times);
    CHECK(fiberhost_io_read(host, pipes[0], one->buffer, 16, one, 0) == FIBERHOST_OK);
    IHostIoCompletionManager_Release(io);
    CHECK(fiberhost_host_shutdown(host, 60000000000) == FIBERHOST_OK);
    CHECK(atomic_load(&times) == before + 1 && atomic_load(&told_error) == 995);
    CHECK(fiberhost_io_read(host, pipes[0], one->buffer, 16, one, 0) == FIBERHOST_E_SHUT_DOWN);
    CHECK(fiberhost_event_destroy(told) == FIBERHOST_OK);
    CHECK(fiberhost_host_destroy(host) == FIBERHOST_OK);
    close(pipes[0]);
    close(pipes[1]);
    free(one);
}

/* Settings that do not go together. */
static void wrong_settings(void)
{
    fiberhost_options good = FIBERHOST_OPTIONS_INIT, bad = good;
    fiberhost_host *host;
    bad.flags = FIBERHOST_IO_HELPERS;
    CHECK(fiberhost_host_create(&bad, &host) == FIBERHOST_E_INVALID && host == NULL);
    bad = good;
    bad.memory_process = 1;
    CHECK(fiberhost_host_create(&bad, &host) == FIBERHOST_E_INVALID && host == NULL);
    bad = good;
    bad.assemblies = "/nowhere";
    CHECK(fiberhost_host_create(&bad, &host) == FIBERHOST_E_SYSTEM && host == NULL);
    /* A program that knows nothing of them. */
    bad = good;
    bad.size = offsetof(fiberhost_options, assemblies);
    bad.assemblies = "/nowhere";
    CHECK(fiberhost_host_create(&bad, &host) == FIBERHOST_OK);
    size_t token;
    CHECK(fiberhost_io_read(host, 0, NULL, 0, NULL, 0) == FIBERHOST_E_STATE);
    CHECK(fiberhost_token(host, &token) == FIBERHOST_OK && token == 0);
    CHECK(fiberhost_token(host, NULL) == FIBERHOST_E_INVALID);
    CHECK(fiberhost_token(NULL, &token) == FIBERHOST_E_HANDLE);
    CHECK(fiberhost_io_cancel(NULL, 0, NULL) == FIBERHOST_E_HANDLE);
    CHECK(fiberhost_io_unbind(NULL, 0) == FIBERHOST_E_HANDLE);
    CHECK(fiberhost_host_destroy(host) == FIBERHOST_OK);
}

int main(void)
{
    run(0);
    run(FIBERHOST_IO_HELPERS);
    wrong_settings();
    printf("%d failures\n", failures);
    return failures != 0;
}
