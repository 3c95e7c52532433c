#pragma once

#include <utility>

#include "runtime/async.h"
#include "runtime/gate.h"
#include "runtime/shard.h"
#include "runtime/task.h"

namespace penumbra::testing {

/// Runs `task` to its end on a loop of this thread.
inline void run(Task<void> task) {
    Shard shard("test");
    Gate gate;
    bool started = false;
    bool done = false;
    shard.run([&] {
        if (!started) {
            started = true;
            gate.spawn([](Task<void> inner, bool& flag) -> Task<void> {
                co_await std::move(inner);
                flag = true;
            }(std::move(task), done));
        }
        return done && gate.holders() == 0;
    });
}

}  // namespace penumbra::testing
