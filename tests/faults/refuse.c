/*
 * Refuses one call to the kernel, or all from one on, as if memory or threads had run out.
 *
 * Loaded before the C library. Only calls that the scheduler makes are counted: mappings of stacks (the only ones without
 * reserve), protections, advice, and threads. The C library's own go past this.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A stack's guard is at least so large; Rust protects a page of each thread's signal stack, and can do nothing without. */
enum { GUARD = 64 * 1024 };

enum { MAPPING = 1, PROTECTION = 2, ADVICE = 4, THREAD = 8 };

static atomic_int kinds, first, all_from_there, seen, refused;

/* From now on the `call`-th call of these kinds is refused, and those after it if `for_good`. No kinds: nothing is. */
void fiberhost_refuse(int which, int call, int for_good)
{
    atomic_store(&kinds, 0);
    atomic_store(&first, call);
    atomic_store(&all_from_there, for_good);
    atomic_store(&seen, 0);
    atomic_store(&refused, 0);
    atomic_store(&kinds, which);
}

/* Changes the kinds only, and returns what they were. */
int fiberhost_refuse_only(int which)
{
    return atomic_exchange(&kinds, which);
}

/* How many calls were refused since then. */
int fiberhost_refused(void)
{
    return atomic_load(&refused);
}

static int is_refused(int kind)
{
    if (!(atomic_load(&kinds) & kind))
        return 0;
    int call = atomic_fetch_add(&seen, 1) + 1;
    int at = atomic_load(&first);
    if (call != at && !(call > at && atomic_load(&all_from_there)))
        return 0;
    atomic_fetch_add(&refused, 1);
    return 1;
}

void *mmap(void *at, size_t length, int protection, int flags, int file, off_t offset)
{
    if ((flags & MAP_NORESERVE) && is_refused(MAPPING)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, length, protection, flags, file, offset);
}

void *mmap64(void *at, size_t length, int protection, int flags, int file, off_t offset)
{
    return mmap(at, length, protection, flags, file, offset);
}

int mprotect(void *at, size_t length, int protection)
{
    if (protection == PROT_NONE && length >= GUARD && is_refused(PROTECTION)) {
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_mprotect, at, length, protection);
}

int madvise(void *at, size_t length, int advice)
{
    if (is_refused(ADVICE)) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_madvise, at, length, advice);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    if (is_refused(THREAD))
        return EAGAIN;
    return real(thread, attributes, start, argument);
}
