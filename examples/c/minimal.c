/*
 * A minimal host: a scheduler, tasks that wait for each other, native code that blocks, and the door for a runtime.
 */
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fiberhost.h"

/* Ends the program with the library's own words if a call has failed. */
static void check(fiberhost_code code, const char *what)
{
    char text[200];
    if (code >= 0)
        return;
    fiberhost_last_error(text, sizeof(text));
    fprintf(stderr, "%s: %s (%s)\n", what, fiberhost_code_text(code), text);
    exit(1);
}

enum { PRODUCERS = 4, ITEMS = 250 };

/* What producers fill and the consumer empties. */
typedef struct {
    fiberhost_mutex *lock;
    fiberhost_semaphore *filled;
    long sum;
    const fiberhost_target *disk;
} Shelf;

static void read_from_disk(void)
{
    const struct timespec millisecond = {0, 1000000};
    nanosleep(&millisecond, NULL);
}

static void *produce(void *argument)
{
    Shelf *shelf = argument;
    for (long item = 1; item <= ITEMS; item++) {
        if (item % 50 == 0) {
            /* Blocks the thread; the others go on meanwhile. */
            fiberhost_leave(shelf->disk);
            read_from_disk();
            fiberhost_enter();
        }
        check(fiberhost_mutex_lock(shelf->lock, FIBERHOST_FOREVER), "lock");
        shelf->sum += item;
        check(fiberhost_mutex_unlock(shelf->lock), "unlock");
        check(fiberhost_semaphore_add(shelf->filled, 1), "add");
        fiberhost_check_quantum();
    }
    return NULL;
}

static void *consume(void *argument)
{
    Shelf *shelf = argument;
    long taken = 0;
    while (taken < PRODUCERS * ITEMS) {
        /* Something else than 0 means that the program is told to stop. */
        if (fiberhost_semaphore_wait(shelf->filled, FIBERHOST_FOREVER) != FIBERHOST_OK)
            break;
        taken++;
    }
    return (void *)taken;
}

static void show_managers(fiberhost_host *host)
{
    IHostControl *control;
    void *tasks;
    check(fiberhost_host_control(host, &control), "control");
    /* What a runtime does first with the host that it is given. */
    HRESULT result = IHostControl_GetHostManager(control, &IID_IHostTaskManager, &tasks);
    printf("IHostTaskManager: %s\n", result == S_OK ? "there" : "missing");
    if (result == S_OK)
        IHostTaskManager_Release((IHostTaskManager *)tasks);
    IHostControl_Release(control);
}

int main(void)
{
    fiberhost_options options = FIBERHOST_OPTIONS_INIT;
    fiberhost_host *host;
    Shelf shelf = {0};
    fiberhost_task *producers[PRODUCERS], *consumer;
    void *taken;

    options.name = "minimal";
    options.workers = 2;
    check(fiberhost_host_create(&options, &host), "create");
    check(fiberhost_mutex_create(&shelf.lock), "mutex");
    check(fiberhost_semaphore_create(0, &shelf.filled), "semaphore");
    check(fiberhost_target_create("disk", &shelf.disk), "target");
    show_managers(host);

    check(fiberhost_spawn(host, NULL, consume, &shelf, &consumer), "spawn");
    for (int i = 0; i < PRODUCERS; i++)
        check(fiberhost_spawn(host, NULL, produce, &shelf, &producers[i]), "spawn");
    check(fiberhost_task_join(consumer, FIBERHOST_FOREVER, &taken), "join");
    for (int i = 0; i < PRODUCERS; i++) {
        check(fiberhost_task_join(producers[i], FIBERHOST_FOREVER, NULL), "join");
        fiberhost_task_release(producers[i]);
    }
    fiberhost_task_release(consumer);
    printf("taken %ld, sum %ld\n", (long)taken, shelf.sum);

    fiberhost_figures figures = {.size = sizeof(figures)};
    check(fiberhost_host_figures(host, &figures), "figures");
    printf("tasks spawned %llu, ended %llu\n", (unsigned long long)figures.spawned, (unsigned long long)figures.ended);

    fiberhost_mutex_destroy(shelf.lock);
    fiberhost_semaphore_destroy(shelf.filled);
    check(fiberhost_host_destroy(host), "destroy");
    return 0;
}
