/*
 * So many pairs of leave and enter in a task, through the shared library: what `tests/capi.rs` counts the instructions of.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fiberhost.h"

static const fiberhost_target *nothing;

static void *pairs(void *argument)
{
    for (long left = *(long *)argument; left > 0; left--) {
        fiberhost_leave(nothing);
        fiberhost_enter();
    }
    return NULL;
}

int main(int count, char **words)
{
    long number = count > 1 ? atol(words[1]) : 1;
    fiberhost_options options = FIBERHOST_OPTIONS_INIT;
    fiberhost_host *host;
    fiberhost_task *task;
    options.workers = 1;
    if (fiberhost_host_create(&options, &host) < 0 || fiberhost_target_create("nothing", &nothing) < 0)
        return 1;
    if (fiberhost_spawn(host, NULL, pairs, &number, &task) < 0)
        return 2;
    if (fiberhost_task_join(task, FIBERHOST_FOREVER, NULL) != FIBERHOST_OK)
        return 3;
    fiberhost_host_destroy(host);
    printf("%ld pairs\n", number);
    return 0;
}
