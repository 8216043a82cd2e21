/*
 * A C program with the scheduler in a library. Its threads are foreign to the scheduler, and nothing of Rust's start-up
 * has run: no signal handler of std's is there, and no thread has an alternate signal stack from it.
 *
 *     host MODE     plays one part; exits with 0 if all went well
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Scheduler Scheduler;
typedef struct Task Task;
typedef struct Adopted Adopted;
typedef struct Event Event;

typedef struct {
    const char *name;
    size_t stack_size;
    int thread;
} Plan;

Scheduler *fiberhost_cdylib_start(size_t workers);
Task *fiberhost_cdylib_spawn(const Scheduler *, const Plan *, void (*work)(void *), void *argument);
Task *fiberhost_cdylib_spawn_panic(const Scheduler *);
int fiberhost_cdylib_wait(Task *);
void fiberhost_cdylib_yield(void);
int fiberhost_cdylib_worker(void);
int fiberhost_cdylib_stop(Scheduler *);
Adopted *fiberhost_cdylib_adopt(const Scheduler *);
void fiberhost_cdylib_let_go(Adopted *);
void fiberhost_cdylib_until_exit(Adopted *);
void fiberhost_cdylib_leave(void);
void fiberhost_cdylib_enter(void);
void fiberhost_cdylib_callback(void (*work)(void *), void *argument);
Event *fiberhost_cdylib_event(void);
void fiberhost_cdylib_set(const Event *);
int fiberhost_cdylib_wait_event(const Event *);
void fiberhost_cdylib_free_event(Event *);

enum { WORKERS = 3, THREADS = 4, TASKS = 500, HANDLED = 77 };

static void check(int so, const char *what)
{
    if (!so) {
        fprintf(stderr, "host: %s\n", what);
        exit(1);
    }
}

static Scheduler *start(void)
{
    Scheduler *scheduler = fiberhost_cdylib_start(WORKERS);
    check(scheduler != NULL, "no scheduler");
    return scheduler;
}

/* A task that waits, and spawns and waits for another one. */
typedef struct {
    Scheduler *scheduler;
    atomic_uint *sum;
    unsigned number;
} Job;

static void add(void *argument)
{
    Job *job = argument;
    check(fiberhost_cdylib_worker() >= 0, "a task runs on a worker");
    fiberhost_cdylib_yield();
    atomic_fetch_add(job->sum, job->number);
}

static void spawn_and_add(void *argument)
{
    Job *job = argument;
    Task *child = fiberhost_cdylib_spawn(job->scheduler, NULL, add, job);
    check(child != NULL, "no child");
    fiberhost_cdylib_yield();
    check(fiberhost_cdylib_wait(child) == 0, "the child fails");
    atomic_fetch_add(job->sum, job->number);
}

/* What a thread that the scheduler does not know does with it. */
static void *foreign(void *argument)
{
    Scheduler *scheduler = argument;
    atomic_uint sum = 0;
    static const Plan plans[] = {
        {NULL, 0, 0}, {"named", 0, 0}, {"large", 256 * 1024, 0}, {"thread", 0, 1},
    };
    Job jobs[TASKS];
    Task *tasks[TASKS];
    unsigned expected = 0;
    check(fiberhost_cdylib_worker() == -1, "a foreign thread is no worker");
    for (unsigned i = 0; i < TASKS; i++) {
        /* Few on threads: those are expensive. */
        const Plan *plan = &plans[i % 100 == 3 ? 3 : i % 3];
        jobs[i] = (Job){scheduler, &sum, i};
        tasks[i] = fiberhost_cdylib_spawn(scheduler, plan, i % 2 ? add : spawn_and_add, &jobs[i]);
        check(tasks[i] != NULL, "no task");
        expected += i % 2 ? i : 2 * i;
    }
    for (unsigned i = 0; i < TASKS; i++)
        check(fiberhost_cdylib_wait(tasks[i]) == 0, "a task fails");
    check(atomic_load(&sum) == expected, "every task has run once");
    return NULL;
}

static void run_tasks(Scheduler *scheduler)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], NULL, foreign, scheduler) == 0, "no thread");
    foreign(scheduler);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void tasks(void)
{
    for (int round = 0; round < 3; round++) {
        Scheduler *scheduler = start();
        run_tasks(scheduler);
        check(fiberhost_cdylib_stop(scheduler) == 0, "it does not stop");
    }
}

/* Threads that become tasks. */

typedef struct {
    Scheduler *scheduler;
    Event *event;
    atomic_uint sum;
} Caller;

static void set(void *argument)
{
    fiberhost_cdylib_yield();
    fiberhost_cdylib_set(argument);
}

static void deeper(void *argument)
{
    unsigned *done = argument;
    check(fiberhost_cdylib_worker() >= 0, "a callback has a slot");
    fiberhost_cdylib_yield();
    *done += 1;
}

/* Called back: a task's code, which spawns, joins, waits, and makes native calls of its own. */
static void called_back(void *argument)
{
    Caller *caller = argument;
    pthread_t thread = pthread_self();
    Job job = {caller->scheduler, &caller->sum, 1};
    check(fiberhost_cdylib_worker() >= 0, "a callback has a slot");
    spawn_and_add(&job);
    Task *setter = fiberhost_cdylib_spawn(caller->scheduler, NULL, set, caller->event);
    check(setter != NULL, "no setter");
    check(fiberhost_cdylib_wait_event(caller->event) == 0, "the event is set");
    check(fiberhost_cdylib_wait(setter) == 0, "the setter fails");
    unsigned done = 0;
    fiberhost_cdylib_leave();
    usleep(100);
    fiberhost_cdylib_callback(deeper, &done);
    fiberhost_cdylib_enter();
    check(fiberhost_cdylib_worker() >= 0, "it has come back");
    check(done == 1, "called back once");
    check(pthread_equal(thread, pthread_self()), "the thread is its own");
}

static void call_back_often(Scheduler *scheduler)
{
    Caller caller = {scheduler, fiberhost_cdylib_event(), 0};
    for (int i = 0; i < 20; i++) {
        fiberhost_cdylib_callback(called_back, &caller);
        /* Outside the wait blocks the thread. */
        Task *setter = fiberhost_cdylib_spawn(scheduler, NULL, set, caller.event);
        check(setter != NULL, "no setter");
        check(fiberhost_cdylib_wait_event(caller.event) == 0, "the event is set");
        check(fiberhost_cdylib_wait(setter) == 0, "the setter fails");
    }
    check(atomic_load(&caller.sum) == 40, "every child has run once");
    fiberhost_cdylib_free_event(caller.event);
}

static void *adopted_for_a_while(void *argument)
{
    Scheduler *scheduler = argument;
    for (int round = 0; round < 3; round++) {
        Adopted *adopted = fiberhost_cdylib_adopt(scheduler);
        check(adopted != NULL, "it is not adopted");
        check(fiberhost_cdylib_adopt(scheduler) == NULL, "nobody is adopted twice");
        call_back_often(scheduler);
        fiberhost_cdylib_let_go(adopted);
        foreign(scheduler);
    }
    return NULL;
}

static void *adopted_until_exit(void *argument)
{
    Adopted *adopted = fiberhost_cdylib_adopt(argument);
    check(adopted != NULL, "it is not adopted");
    fiberhost_cdylib_until_exit(adopted);
    call_back_often(argument);
    pthread_exit(NULL);
}

static void adopts(void)
{
    for (int round = 0; round < 3; round++) {
        Scheduler *scheduler = start();
        pthread_t threads[2 * THREADS];
        for (int i = 0; i < 2 * THREADS; i++) {
            void *(*life)(void *) = i % 2 ? adopted_for_a_while : adopted_until_exit;
            check(pthread_create(&threads[i], NULL, life, scheduler) == 0, "no thread");
        }
        adopted_for_a_while(scheduler);
        for (int i = 0; i < 2 * THREADS; i++)
            pthread_join(threads[i], NULL);
        check(fiberhost_cdylib_stop(scheduler) == 0, "it does not stop");
    }
}

/* Two hosts in one process, each with a scheduler of its own, and a thread that works for both in turn. */
static void *host_of_its_own(void *argument)
{
    (void)argument;
    Scheduler *scheduler = start();
    adopted_for_a_while(scheduler);
    foreign(scheduler);
    check(fiberhost_cdylib_stop(scheduler) == 0, "it does not stop");
    return NULL;
}

static void two_hosts(void)
{
    pthread_t other;
    Scheduler *both[2] = {start(), start()};
    check(pthread_create(&other, NULL, host_of_its_own, NULL) == 0, "no thread");
    for (int i = 0; i < 6; i++) {
        Adopted *adopted = fiberhost_cdylib_adopt(both[i % 2]);
        check(adopted != NULL, "it is not adopted");
        check(fiberhost_cdylib_adopt(both[1 - i % 2]) == NULL, "one master at a time");
        call_back_often(both[i % 2]);
        /* The other one's tasks it spawns and joins as any foreign thread does. */
        call_back_often(both[1 - i % 2]);
        fiberhost_cdylib_let_go(adopted);
    }
    pthread_join(other, NULL);
    for (int i = 0; i < 2; i++)
        check(fiberhost_cdylib_stop(both[i]) == 0, "it does not stop");
}

/* Faults. */

static unsigned deep(unsigned level);
static unsigned (*volatile again)(unsigned) = deep;

static unsigned deep(unsigned level)
{
    volatile unsigned char frame[75 * 1024];
    frame[0] = (unsigned char)level;
    unsigned below = again(level + 1);
    return below + frame[0];
}

static void overflow(void *argument)
{
    (void)argument;
    fiberhost_cdylib_yield();
    again(0);
}

/* The guard of a thread of the C library is one page: frames that do not jump it. */
static unsigned small_frames(unsigned level);
static unsigned (*volatile small_again)(unsigned) = small_frames;

static unsigned small_frames(unsigned level)
{
    volatile unsigned char frame[1024];
    frame[0] = (unsigned char)level;
    unsigned below = small_again(level + 1);
    return below + frame[0];
}

static void overflow_in_a_callback(void *argument)
{
    (void)argument;
    fiberhost_cdylib_yield();
    small_again(0);
}

static void *overflow_adopted(void *argument)
{
    pthread_setname_np(pthread_self(), "the adopted one");
    check(fiberhost_cdylib_adopt(argument) != NULL, "it is not adopted");
    fiberhost_cdylib_callback(overflow_in_a_callback, NULL);
    return NULL;
}

static void in_an_adopted_thread(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    check(pthread_create(&thread, &attributes, overflow_adopted, start()) == 0, "no thread");
    pthread_join(thread, NULL);
}

static void touch_nothing(void *argument)
{
    (void)argument;
    *(volatile int *)16 = 1;
}

static void in_a_task(const Plan *plan, void (*work)(void *))
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    Scheduler *scheduler = start();
    Task *task = fiberhost_cdylib_spawn(scheduler, plan, work, NULL);
    check(task != NULL, "no task");
    fiberhost_cdylib_wait(task);
}

static void handle(int signal)
{
    static const char text[] = "host: handled\n";
    (void)signal;
    if (write(2, text, sizeof text - 1) < 0)
        _exit(1);
    _exit(HANDLED);
}

/* A panic in a task: where panics unwind, that task fails, and nobody else notices. */

static void panics(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    Scheduler *scheduler = start();
    Task *task = fiberhost_cdylib_spawn_panic(scheduler);
    check(task != NULL, "no task");
    check(fiberhost_cdylib_wait(task) != 0, "a task that panics fails");
    run_tasks(scheduler);
    check(fiberhost_cdylib_stop(scheduler) == 0, "it does not stop");
}

/* Forks. */

static const char *self;

static void exec_in_a_child(void)
{
    pid_t child = fork();
    check(child >= 0, "no child");
    if (child == 0) {
        execl(self, self, "say", (char *)NULL);
        _exit(1);
    }
    int status;
    check(waitpid(child, &status, 0) == child, "the child is gone");
    check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child's program fails");
}

static void touch_nothing_in_a_child(void)
{
    pid_t child = fork();
    check(child >= 0, "no child");
    if (child == 0)
        _exit(HANDLED);
    int status;
    check(waitpid(child, &status, 0) == child, "the child is gone");
    check(WIFEXITED(status) && WEXITSTATUS(status) == HANDLED, "the child does not just end");
}

static void fork_in_a_task(void *argument)
{
    (void)argument;
    exec_in_a_child();
    fiberhost_cdylib_yield();
    touch_nothing_in_a_child();
}

/* From a foreign thread and from tasks of both kinds, while others of the scheduler's threads are busy. */
static void forks(void)
{
    static const Plan plans[] = {{"forks", 0, 0}, {"forks on a thread", 0, 1}};
    Scheduler *scheduler = start();
    pthread_t busy;
    check(pthread_create(&busy, NULL, foreign, scheduler) == 0, "no thread");
    for (int round = 0; round < 10; round++) {
        exec_in_a_child();
        touch_nothing_in_a_child();
        for (int i = 0; i < 2; i++) {
            Task *task = fiberhost_cdylib_spawn(scheduler, &plans[i], fork_in_a_task, NULL);
            check(task != NULL && fiberhost_cdylib_wait(task) == 0, "a task that forks fails");
        }
    }
    pthread_join(busy, NULL);
    /* The parent has not noticed anything. */
    run_tasks(scheduler);
    check(fiberhost_cdylib_stop(scheduler) == 0, "it does not stop");
}

int main(int count, char **words)
{
    static const Plan fiber = {"the deep one", 256 * 1024, 0};
    static const Plan thread = {"the deep one", 256 * 1024, 1};
    check(count == 2, "one mode");
    self = words[0];
    const char *mode = words[1];
    if (strcmp(mode, "tasks") == 0)
        tasks();
    else if (strcmp(mode, "adopt") == 0)
        adopts();
    else if (strcmp(mode, "two hosts") == 0)
        two_hosts();
    else if (strcmp(mode, "overflow when adopted") == 0)
        in_an_adopted_thread();
    else if (strcmp(mode, "panic") == 0)
        panics();
    else if (strcmp(mode, "forks") == 0)
        forks();
    else if (strcmp(mode, "overflow") == 0)
        in_a_task(&fiber, overflow);
    else if (strcmp(mode, "overflow on a thread") == 0)
        in_a_task(&thread, overflow);
    else if (strcmp(mode, "overflow with a handler") == 0) {
        signal(SIGSEGV, handle);
        in_a_task(&fiber, overflow);
    } else if (strcmp(mode, "nothing") == 0)
        in_a_task(&fiber, touch_nothing);
    else if (strcmp(mode, "nothing with a handler") == 0) {
        signal(SIGSEGV, handle);
        in_a_task(&fiber, touch_nothing);
    } else if (strcmp(mode, "say") != 0)
        check(0, "no such mode");
    puts("well");
    return 0;
}
