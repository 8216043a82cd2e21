/* What bad input gets from the functions of fiberhost.h: a code, and nothing is changed. */
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fiberhost.h"

static int failures;

static void expect(int line, fiberhost_code got, fiberhost_code wanted)
{
    if (got != wanted) {
        printf("line %d: %d (%s) instead of %d (%s)\n", line, got, fiberhost_code_text(got), wanted,
               fiberhost_code_text(wanted));
        failures++;
    }
}

#define EXPECT(call, wanted) expect(__LINE__, (call), (wanted))

static void *nothing(void *argument)
{
    return argument;
}

static void *join_itself(void *argument)
{
    fiberhost_task **task = argument;
    return (void *)(intptr_t)fiberhost_task_join(*task, FIBERHOST_FOREVER, NULL);
}

static void *shut_down(void *argument)
{
    return (void *)(intptr_t)fiberhost_host_shutdown(argument, 0);
}

static void *adopt(void *argument)
{
    fiberhost_adopted *adopted;
    return (void *)(intptr_t)fiberhost_adopt(argument, &adopted);
}

/* How many of those that do not end by themselves have begun. */
static atomic_int begun;

static void *wait_for_ever(void *argument)
{
    atomic_fetch_add(&begun, 1);
    return (void *)(intptr_t)fiberhost_event_wait(argument, FIBERHOST_FOREVER);
}

static atomic_bool enough;

static void *ignore_the_end(void *argument)
{
    /* Once it is cancelled all its waits say so, and it goes on all the same. Its neighbours on this thread are to be told of
     * the end too: so it gives way. */
    atomic_fetch_add(&begun, 1);
    while (!atomic_load(&enough)) {
        fiberhost_event_wait(argument, 1000000);
        fiberhost_yield();
    }
    return NULL;
}

static fiberhost_host *create(void)
{
    fiberhost_options options = FIBERHOST_OPTIONS_INIT;
    fiberhost_host *host = NULL;
    options.workers = 2;
    EXPECT(fiberhost_host_create(&options, &host), FIBERHOST_OK);
    return host;
}

static void options(void)
{
    fiberhost_options good = FIBERHOST_OPTIONS_INIT, bad;
    fiberhost_host *host = (fiberhost_host *)&good;
    struct {
        fiberhost_options known;
        uint64_t later;
    } newer;

    EXPECT(fiberhost_host_create(&good, NULL), FIBERHOST_E_INVALID);
    memset(&bad, 0, sizeof(bad));
    EXPECT(fiberhost_host_create(&bad, &host), FIBERHOST_E_INVALID);
    if (host != NULL)
        failures++;
    bad = good;
    bad.version = FIBERHOST_VERSION + (1u << 24);
    EXPECT(fiberhost_host_create(&bad, &host), FIBERHOST_E_VERSION);
    EXPECT(fiberhost_check_version(bad.version), FIBERHOST_E_VERSION);
    EXPECT(fiberhost_check_version(FIBERHOST_VERSION), FIBERHOST_OK);
    bad = good;
    bad.flags = 1u << 30;
    EXPECT(fiberhost_host_create(&bad, &host), FIBERHOST_E_INVALID);
    bad = good;
    bad.name = "\xff\xfe";
    EXPECT(fiberhost_host_create(&bad, &host), FIBERHOST_E_INVALID);
    bad = good;
    bad.stack_size = SIZE_MAX / 2;
    EXPECT(fiberhost_host_create(&bad, &host), FIBERHOST_E_INVALID);
    /* A program of a later version may say more than is known, as long as it says nothing with it. */
    newer.known = good;
    newer.known.size = sizeof(newer);
    newer.later = 1;
    EXPECT(fiberhost_host_create(&newer.known, &host), FIBERHOST_E_VERSION);
    newer.later = 0;
    EXPECT(fiberhost_host_create(&newer.known, &host), FIBERHOST_OK);
    EXPECT(fiberhost_host_destroy(host), FIBERHOST_OK);
    EXPECT(fiberhost_host_destroy(NULL), FIBERHOST_OK);
}

static void handles(fiberhost_host *host)
{
    fiberhost_event *event;
    fiberhost_mutex *mutex;
    fiberhost_semaphore *semaphore;
    fiberhost_task *task;
    fiberhost_figures figures = {0};
    IHostControl *control;
    uint64_t junk[8] = {0};

    EXPECT(fiberhost_event_create(true, false, &event), FIBERHOST_OK);
    EXPECT(fiberhost_mutex_create(&mutex), FIBERHOST_OK);
    EXPECT(fiberhost_semaphore_create(SIZE_MAX, &semaphore), FIBERHOST_OK);
    EXPECT(fiberhost_spawn(host, NULL, nothing, junk, &task), FIBERHOST_OK);

    /* Null, of another kind, memory that is no object, misaligned. */
    EXPECT(fiberhost_host_control(NULL, &control), FIBERHOST_E_HANDLE);
    EXPECT(fiberhost_host_control(host, NULL), FIBERHOST_E_INVALID);
    EXPECT(fiberhost_host_control((fiberhost_host *)event, &control), FIBERHOST_E_HANDLE);
    EXPECT(fiberhost_host_shutdown((fiberhost_host *)junk, 0), FIBERHOST_E_HANDLE);
    EXPECT(fiberhost_host_destroy((fiberhost_host *)mutex), FIBERHOST_E_HANDLE);
    EXPECT(fiberhost_event_set(NULL), FIBERHOST_E_HANDLE);
    EXPECT(fiberhost_event_set((fiberhost_event *)mutex), FIBERHOST_E_HANDLE);
    EXPECT(fiberhost_event_wait((fiberhost_event *)((char *)event + 1), 0), FIBERHOST_E_HANDLE);
    EXPECT(fiberhost_event_destroy((fiberhost_event *)semaphore), FIBERHOST_E_HANDLE);
    EXPECT(fiberhost_mutex_lock((fiberhost_mutex *)event, 0), FIBERHOST_E_HANDLE);
    EXPECT(fiberhost_semaphore_wait(NULL, 0), FIBERHOST_E_HANDLE);
    EXPECT(fiberhost_task_join(NULL, 0, NULL), FIBERHOST_E_HANDLE);
    EXPECT(fiberhost_task_cancel((fiberhost_task *)host), FIBERHOST_E_HANDLE);
    EXPECT(fiberhost_host_figures(host, &figures), FIBERHOST_E_INVALID);
    EXPECT(fiberhost_spawn(host, NULL, NULL, NULL, NULL), FIBERHOST_E_INVALID);
    EXPECT(fiberhost_target_create(NULL, NULL), FIBERHOST_E_INVALID);
    EXPECT(fiberhost_callback(NULL, NULL), FIBERHOST_E_INVALID);

    /* What is refused changes nothing. */
    EXPECT(fiberhost_mutex_unlock(mutex), FIBERHOST_E_NOT_OWNER);
    EXPECT(fiberhost_mutex_lock(mutex, 0), FIBERHOST_OK);
    EXPECT(fiberhost_mutex_lock(mutex, 0), FIBERHOST_E_DEADLOCK);
    EXPECT(fiberhost_mutex_destroy(mutex), FIBERHOST_E_STATE);
    EXPECT(fiberhost_mutex_unlock(mutex), FIBERHOST_OK);
    EXPECT(fiberhost_semaphore_add(semaphore, 1), FIBERHOST_E_INVALID);
    EXPECT(fiberhost_semaphore_wait(semaphore, 0), FIBERHOST_OK);
    EXPECT(fiberhost_event_wait(event, 0), FIBERHOST_TIMED_OUT);
    EXPECT(fiberhost_event_wait(event, 1000), FIBERHOST_TIMED_OUT);
    EXPECT(fiberhost_task_set_priority(task, 17), FIBERHOST_E_INVALID);
    EXPECT(fiberhost_task_join(task, FIBERHOST_FOREVER, NULL), FIBERHOST_OK);

    EXPECT(fiberhost_task_release(task), FIBERHOST_OK);
    EXPECT(fiberhost_event_destroy(event), FIBERHOST_OK);
    EXPECT(fiberhost_mutex_destroy(mutex), FIBERHOST_OK);
    EXPECT(fiberhost_semaphore_destroy(semaphore), FIBERHOST_OK);
}

static fiberhost_code result_of(fiberhost_host *host, void *(*work)(void *), void *argument)
{
    fiberhost_task *task;
    void *result = NULL;
    EXPECT(fiberhost_spawn(host, NULL, work, argument, &task), FIBERHOST_OK);
    EXPECT(fiberhost_task_join(task, FIBERHOST_FOREVER, &result), FIBERHOST_OK);
    fiberhost_task_release(task);
    return (fiberhost_code)(intptr_t)result;
}

static void tasks(fiberhost_host *host)
{
    fiberhost_task_options bad = {0};
    fiberhost_task *task = NULL;
    void *result;

    bad.stack_size = SIZE_MAX / 2;
    EXPECT(fiberhost_spawn(host, &bad, nothing, NULL, NULL), FIBERHOST_E_INVALID);
    bad.stack_size = 0;
    bad.priority = 99;
    EXPECT(fiberhost_spawn(host, &bad, nothing, NULL, NULL), FIBERHOST_E_INVALID);
    bad.priority = FIBERHOST_PRIORITY_HIGH;
    bad.name = "high";
    bad.thread = 1;
    EXPECT(fiberhost_spawn(host, &bad, nothing, &bad, &task), FIBERHOST_OK);
    EXPECT(fiberhost_task_join(task, FIBERHOST_FOREVER, &result), FIBERHOST_OK);
    if (result != &bad)
        failures++;
    /* As often as one likes. */
    EXPECT(fiberhost_task_join(task, 0, NULL), FIBERHOST_OK);
    fiberhost_task_release(task);

    EXPECT(result_of(host, shut_down, host), FIBERHOST_E_STATE);
    EXPECT(result_of(host, adopt, host), FIBERHOST_E_STATE);
    /* The task reads the place when it runs, which may be before it is written: then it joins null, and is tried again. */
    EXPECT(fiberhost_spawn(host, NULL, join_itself, &task, &task), FIBERHOST_OK);
    for (;;) {
        fiberhost_code code = fiberhost_task_join(task, FIBERHOST_FOREVER, &result);
        EXPECT(code, FIBERHOST_OK);
        if ((intptr_t)result == FIBERHOST_E_DEADLOCK)
            break;
        fiberhost_task_release(task);
        EXPECT(fiberhost_spawn(host, NULL, join_itself, &task, &task), FIBERHOST_OK);
    }
    fiberhost_task_release(task);
}

/* Two hosts in one process, and the end of each. */
static void ends(void)
{
    fiberhost_host *first = create(), *second = create();
    fiberhost_event *event;
    fiberhost_task *waiting, *stubborn, *other, *late;
    void *result;

    EXPECT(fiberhost_event_create(true, false, &event), FIBERHOST_OK);
    EXPECT(fiberhost_spawn(first, NULL, wait_for_ever, event, &waiting), FIBERHOST_OK);
    EXPECT(fiberhost_spawn(first, NULL, ignore_the_end, event, &stubborn), FIBERHOST_OK);
    EXPECT(fiberhost_spawn(second, NULL, wait_for_ever, event, &other), FIBERHOST_OK);
    /* Tasks that have not begun would be dropped by the shutdown. */
    while (atomic_load(&begun) < 3)
        sched_yield();
    EXPECT(fiberhost_task_join(stubborn, 1000000, NULL), FIBERHOST_TIMED_OUT);

    EXPECT(fiberhost_host_shutdown(first, 50000000), FIBERHOST_E_SURVIVORS);
    EXPECT(fiberhost_task_join(waiting, FIBERHOST_FOREVER, &result), FIBERHOST_OK);
    if ((intptr_t)result != FIBERHOST_CANCELLED)
        failures++;
    EXPECT(fiberhost_spawn(first, NULL, nothing, NULL, &late), FIBERHOST_OK);
    EXPECT(fiberhost_task_join(late, FIBERHOST_FOREVER, NULL), FIBERHOST_E_SHUT_DOWN);
    fiberhost_task_release(late);
    /* The other host does not notice. */
    EXPECT(fiberhost_task_join(other, 0, NULL), FIBERHOST_TIMED_OUT);
    EXPECT(result_of(second, nothing, NULL), FIBERHOST_OK);

    EXPECT(fiberhost_event_set(event), FIBERHOST_OK);
    atomic_store(&enough, true);
    EXPECT(fiberhost_task_join(stubborn, FIBERHOST_FOREVER, NULL), FIBERHOST_OK);
    EXPECT(fiberhost_task_join(other, FIBERHOST_FOREVER, &result), FIBERHOST_OK);
    if ((intptr_t)result != FIBERHOST_OK)
        failures++;
    fiberhost_task_release(waiting);
    fiberhost_task_release(stubborn);
    fiberhost_task_release(other);
    EXPECT(fiberhost_host_destroy(first), FIBERHOST_OK);
    EXPECT(fiberhost_host_destroy(second), FIBERHOST_OK);
    EXPECT(fiberhost_event_destroy(event), FIBERHOST_OK);
}

static void texts(void)
{
    char text[8];
    size_t length;
    EXPECT(fiberhost_event_set(NULL), FIBERHOST_E_HANDLE);
    length = fiberhost_last_error(NULL, 0);
    if (length < sizeof(text) || fiberhost_last_error(text, sizeof(text)) != length || strlen(text) != sizeof(text) - 1)
        failures++;
    for (fiberhost_code code = -20; code < 10; code++)
        if (strlen(fiberhost_code_text(code)) == 0)
            failures++;
}

int main(void)
{
    fiberhost_host *host = create();
    options();
    handles(host);
    tasks(host);
    texts();
    EXPECT(fiberhost_host_destroy(host), FIBERHOST_OK);
    ends();
    printf("%d failures\n", failures);
    return failures != 0;
}
