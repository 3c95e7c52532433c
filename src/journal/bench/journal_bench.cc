// How many appends per second this disk takes: build/release/journal_bench [DIRECTORY]

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "journal/journal.h"

namespace penumbra::journal {
namespace {

constexpr std::size_t kPayload = 300;

/// Keeps `at_once` appends under way on one shard; each is settled when it is on disk.
struct Appenders {
    Journal& journal;
    const Bytes payload = Bytes(kPayload, 'p');
    bool more = true;
    std::uint64_t done = 0;
    int under_way = 0;
    std::vector<double> micros;

    void next() {
        ++under_way;
        journal.append(1, 1, payload, [this, began = std::chrono::steady_clock::now()](Result<EntryId> id) {
            --under_way;
            if (!id) {
                fmt::print(stderr, "{}\n", id.error().what);
                more = false;
                return;
            }
            ++done;
            micros.push_back(
                std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - began).count());
            journal.settle(id.value());
            if (more) next();
        });
    }
};

void measure(const std::filesystem::path& directory, int at_once) {
    std::filesystem::remove_all(directory);
    auto opened = Journal::open({.directory = directory}, Clock::system());
    if (!opened) {
        fmt::print(stderr, "{}\n", opened.error().what);
        std::exit(1);
    }
    auto journal = std::move(opened).value();
    Shard shard("bench");
    Appenders appenders{*journal};
    constexpr Seconds kFor{3};
    shard.post([&] {
        for (int i = 0; i < at_once; ++i) appenders.next();
        shard.call_in(kFor, [&] { appenders.more = false; });
    });
    const auto began = std::chrono::steady_clock::now();
    shard.run([&] { return !appenders.more && appenders.under_way == 0; });
    const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    const auto figures = journal->figures();
    std::ranges::sort(appenders.micros);
    const auto at = [&](double part) {
        return appenders.micros[static_cast<std::size_t>(part * static_cast<double>(appenders.micros.size() - 1))];
    };
    fmt::print("{:>5} at once: {:>8.0f} appends/s of {} bytes, {:>6.1f} per sync, p50 {:.0f} us, p99 {:.0f} us\n",
               at_once, static_cast<double>(appenders.done) / took, kPayload,
               static_cast<double>(figures.records) / static_cast<double>(std::max<std::uint64_t>(figures.syncs, 1)),
               at(0.5), at(0.99));
    journal.reset();
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace penumbra::journal

int main(int argc, char** argv) {
    const auto directory = std::filesystem::path(argc > 1 ? argv[1] : ".") / "journal_bench.tmp";
    for (const int at_once : {1, 64, 1024}) penumbra::journal::measure(directory, at_once);
}
