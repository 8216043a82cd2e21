// A thread pool that was there before: its threads become tasks of the host, and wait for other tasks.
#include <atomic>
#include <condition_variable>
#include <deque>
#include <iostream>
#include <thread>

#include "fiberhost.hpp"

// As found in many programs; it knows nothing of the host but for one line.
class pool {
public:
    pool(fiberhost::host &host, unsigned threads) : host_(host)
    {
        while (threads--)
            threads_.emplace_back([this] { work(); });
    }
    ~pool()
    {
        {
            std::lock_guard<std::mutex> guard(lock_);
            closed_ = true;
        }
        changed_.notify_all();
        for (auto &thread : threads_)
            thread.join();
    }
    void post(std::function<void()> job)
    {
        {
            std::lock_guard<std::mutex> guard(lock_);
            jobs_.push_back(std::move(job));
        }
        changed_.notify_one();
    }

private:
    void work()
    {
        // Between jobs the thread is in native code: it may wait as it likes, and counts as off the scheduler.
        fiberhost::adopted adopted(host_);
        for (;;) {
            std::unique_lock<std::mutex> guard(lock_);
            changed_.wait(guard, [this] { return closed_ || !jobs_.empty(); });
            if (jobs_.empty())
                return;
            auto job = std::move(jobs_.front());
            jobs_.pop_front();
            guard.unlock();
            adopted.run(job);
        }
    }

    fiberhost::host &host_;
    std::mutex lock_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;
    bool closed_ = false;
    std::vector<std::thread> threads_;
};

int main()
{
    fiberhost_options options = FIBERHOST_OPTIONS_INIT;
    options.workers = 2;
    fiberhost::host host(options);
    std::atomic<int> done{0};
    {
        pool workers(host, 3);
        for (int i = 0; i < 60; i++)
            workers.post([&] {
                // A job is a task now: it has a number, and what it waits for may be another task.
                if (fiberhost_current_task_id() == 0)
                    std::abort();
                fiberhost::event ready;
                fiberhost::task helper(host, [&] { ready.set(); });
                if (ready.wait() == FIBERHOST_OK)
                    done++;
                helper.join();
            });
    }
    std::cout << "jobs done " << done << "\n";
    return done == 60 ? 0 : 1;
}
