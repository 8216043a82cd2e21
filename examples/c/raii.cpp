// A host in C++: tasks as objects, locks as std knows them, exceptions that stay in their task until it is joined.
#include <iostream>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "fiberhost.hpp"

int main()
{
    fiberhost_options options = FIBERHOST_OPTIONS_INIT;
    options.name = "raii";
    options.workers = 2;
    fiberhost::host host(options);

    fiberhost::mutex lock;
    long sum = 0;
    {
        std::vector<fiberhost::task> tasks;
        for (long number = 1; number <= 100; number++)
            tasks.emplace_back(host, [&, number] {
                fiberhost_yield();
                std::lock_guard<fiberhost::mutex> guard(lock);
                sum += number;
            });
        for (auto &task : tasks)
            task.join();
    }
    std::cout << "sum " << sum << "\n";

    fiberhost::task failing(host, [] { throw std::runtime_error("thrown in a task"); });
    try {
        failing.join();
        return 1;
    } catch (const std::runtime_error &error) {
        std::cout << error.what() << "\n";
    }

    fiberhost::event never;
    fiberhost::task waiting(host, [&] {
        if (never.wait() == FIBERHOST_CANCELLED)
            std::cout << "cancelled\n";
    });
    waiting.cancel();
    waiting.join();

    // A task that was told to stop still waits for those that use what is on its stack.
    fiberhost::event begun;
    bool helped = false, waited = false;
    fiberhost::task parent(host, [&] {
        {
            fiberhost::task helper(host, [&] {
                for (int i = 0; i < 100; i++)
                    fiberhost_yield();
                helped = true;
            });
            begun.set();
            if (helper.join() == FIBERHOST_OK)
                never.wait();
        }
        waited = helped;
    });
    begun.wait();
    parent.cancel();
    parent.join();
    std::cout << (waited ? "waited\n" : "left\n");

    try {
        fiberhost_options wrong = options;
        wrong.version = 0x7f000000;
        fiberhost::host none(wrong);
        return 1;
    } catch (const fiberhost::error &error) {
        std::cout << error.what() << "\n";
    }
    return 0;
}
