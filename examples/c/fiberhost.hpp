// RAII over fiberhost.h, for C++17. Errors are exceptions; how a wait ended is a value.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "fiberhost.h"

namespace fiberhost {

class error : public std::runtime_error {
public:
    error(fiberhost_code code, const std::string &text) : std::runtime_error(text), code_(code) {}
    fiberhost_code code() const noexcept { return code_; }

private:
    fiberhost_code code_;
};

// Throws for an error; answers 0 or how a wait ended.
inline fiberhost_code check(fiberhost_code code)
{
    if (code >= 0)
        return code;
    std::string text(fiberhost_last_error(nullptr, 0), '\0');
    fiberhost_last_error(text.data(), text.size() + 1);
    throw error(code, text);
}

inline uint64_t nanoseconds(std::chrono::nanoseconds time) { return static_cast<uint64_t>(time.count()); }

class host {
public:
    explicit host(fiberhost_options options = FIBERHOST_OPTIONS_INIT)
    {
        check(fiberhost_host_create(&options, &host_));
    }
    ~host() { fiberhost_host_destroy(host_); }
    host(const host &) = delete;
    host &operator=(const host &) = delete;

    fiberhost_host *get() const noexcept { return host_; }
    void shutdown(std::chrono::nanoseconds limit) { check(fiberhost_host_shutdown(host_, nanoseconds(limit))); }

private:
    fiberhost_host *host_ = nullptr;
};

// A task that is joined when it goes. What the function throws is thrown by `join`.
class task {
public:
    template <typename Work>
    task(const host &host, Work work) : state_(std::make_unique<state>())
    {
        state_->work = std::move(work);
        check(fiberhost_spawn(host.get(), nullptr, &task::run, state_.get(), &task_));
    }
    task(task &&other) noexcept : state_(std::move(other.state_)), task_(std::exchange(other.task_, nullptr)) {}
    ~task()
    {
        if (task_) {
            // The function uses what belongs to this object: an interruption does not end this wait. A caller who was cancelled is
            // told so each time, at once, and lets the others run in between.
            while (fiberhost_task_join(task_, FIBERHOST_FOREVER, nullptr) > 0)
                fiberhost_yield();
            fiberhost_task_release(task_);
        }
    }
    task &operator=(const task &) = delete;

    // Something else than 0: it was the caller who was cancelled or alerted, and the task goes on.
    fiberhost_code join()
    {
        fiberhost_code code = check(fiberhost_task_join(task_, FIBERHOST_FOREVER, nullptr));
        if (code == FIBERHOST_OK && state_->failure)
            std::rethrow_exception(std::exchange(state_->failure, nullptr));
        return code;
    }
    void cancel() { check(fiberhost_task_cancel(task_)); }

private:
    struct state {
        std::function<void()> work;
        std::exception_ptr failure;
    };

    // No exception may leave it.
    static void *run(void *argument) noexcept
    {
        auto *state = static_cast<struct state *>(argument);
        try {
            state->work();
        } catch (...) {
            state->failure = std::current_exception();
        }
        return nullptr;
    }

    std::unique_ptr<state> state_;
    fiberhost_task *task_ = nullptr;
};

class event {
public:
    explicit event(bool manual = false, bool set = false) { check(fiberhost_event_create(manual, set, &event_)); }
    ~event() { fiberhost_event_destroy(event_); }
    event(const event &) = delete;
    event &operator=(const event &) = delete;

    void set() { check(fiberhost_event_set(event_)); }
    fiberhost_code wait() { return check(fiberhost_event_wait(event_, FIBERHOST_FOREVER)); }
    fiberhost_code wait_for(std::chrono::nanoseconds time) { return check(fiberhost_event_wait(event_, nanoseconds(time))); }

private:
    fiberhost_event *event_ = nullptr;
};

// Works with std::lock_guard and std::unique_lock.
class mutex {
public:
    mutex() { check(fiberhost_mutex_create(&mutex_)); }
    ~mutex() { fiberhost_mutex_destroy(mutex_); }
    mutex(const mutex &) = delete;
    mutex &operator=(const mutex &) = delete;

    void lock()
    {
        if (check(fiberhost_mutex_lock(mutex_, FIBERHOST_FOREVER)) != FIBERHOST_OK)
            throw error(FIBERHOST_CANCELLED, "interrupted while waiting for a mutex");
    }
    bool try_lock() { return fiberhost_mutex_lock(mutex_, 0) == FIBERHOST_OK; }
    void unlock() { check(fiberhost_mutex_unlock(mutex_)); }

private:
    fiberhost_mutex *mutex_ = nullptr;
};

// Code that the scheduler cannot see into, from here to the end of the scope.
class native_section {
public:
    explicit native_section(const fiberhost_target *target = nullptr) { fiberhost_leave(target); }
    ~native_section() { fiberhost_enter(); }
    native_section(const native_section &) = delete;
    native_section &operator=(const native_section &) = delete;
};

// The calling thread is a task of the host, until the end of the scope.
class adopted {
public:
    explicit adopted(const host &host) { check(fiberhost_adopt(host.get(), &adopted_)); }
    ~adopted() { fiberhost_adopted_release(adopted_); }
    adopted(const adopted &) = delete;
    adopted &operator=(const adopted &) = delete;

    // Runs as a task, which may wait without blocking the scheduler's workers.
    template <typename Work>
    void run(Work work)
    {
        std::exception_ptr failure;
        auto whole = [&]() noexcept {
            try {
                work();
            } catch (...) {
                failure = std::current_exception();
            }
        };
        using Whole = decltype(whole);
        check(fiberhost_callback([](void *argument) { (*static_cast<Whole *>(argument))(); }, &whole));
        if (failure)
            std::rethrow_exception(failure);
    }

private:
    fiberhost_adopted *adopted_ = nullptr;
};

} // namespace fiberhost
