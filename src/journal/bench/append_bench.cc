// What an append costs the shard that makes it: build/release/journal_append_bench. What the disk takes is
// journal_bench's question, so the records go to memory where there is such a directory.

#include <filesystem>
#include <vector>

#include <benchmark/benchmark.h>

#include "journal/journal.h"

namespace penumbra::journal {
namespace {

constexpr int kAtOnce = 64;  // a turn's writes, one group commit

void append(benchmark::State& state) {
    const std::filesystem::path memory = "/dev/shm";
    const auto directory = (std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path()) /
                           "penumbra_journal_append_bench.tmp";
    std::filesystem::remove_all(directory);
    auto opened = Journal::open({.directory = directory}, Clock::system());
    if (!opened) {
        state.SkipWithError(opened.error().what.c_str());
        return;
    }
    auto journal = std::move(opened).value();
    Shard shard("bench");
    const Bytes payload(static_cast<std::size_t>(state.range(0)), 'p');
    std::vector<EntryId> durable;
    bool begun = false;
    shard.run([&] {
        // Inside the loop, where a shard's code runs; each round of appends is awaited before the next.
        if (begun && durable.size() < kAtOnce) return false;
        if (begun) {
            if (state.error_occurred()) return true;
            for (const auto id : durable) journal->settle(id);
            durable.clear();
            state.ResumeTiming();
        }
        if (!state.KeepRunningBatch(kAtOnce)) return true;
        for (int i = 0; i < kAtOnce; ++i) {
            journal->append(1, 1, payload, [&](Result<EntryId> id) {
                if (!id) state.SkipWithError(id.error().what.c_str());
                durable.push_back(id ? id.value() : EntryId{});
            });
        }
        state.PauseTiming();
        begun = true;
        return false;
    });
    state.SetBytesProcessed(state.iterations() * state.range(0));
    journal.reset();
    std::filesystem::remove_all(directory);
}
BENCHMARK(append)->Arg(300)->Arg(16 * 1024)->Iterations(64 * 1000);

}  // namespace
}  // namespace penumbra::journal
