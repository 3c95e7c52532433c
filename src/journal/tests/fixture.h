#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/journal.h"
#include "journal/tests/memory_file_system.h"

namespace penumbra::journal {

using Strings = std::vector<std::string>;

/// A journal on a disk that forgets, driven from one shard that runs on the test's thread.
class JournalFixture : public ::testing::Test {
  protected:
    using Loses = MemoryFileSystem::Loses;

    static constexpr const char* kDirectory = "/state/journal";
    static constexpr const char* kStream1 = "/state/journal/stream-1";

    Status try_open() {
        options.directory = kDirectory;
        auto opened = Journal::open(options, clock, *disk);
        if (!opened) return fail(std::move(opened).error());
        journal = std::move(opened).value();
        return ok();
    }
    void open() {
        auto opened = try_open();
        ASSERT_TRUE(opened) << opened.error().what;
    }
    void close() {
        journal.reset();
        run_answers();
    }
    void restart() {
        close();
        open();
    }
    /// Power fails now; what is on the disk afterwards is found by a new process.
    void crash(Loses loses, std::uint64_t seed = 1) {
        auto after = disk->after_crash(loses, seed);
        close();
        disk = std::move(after);
    }

    template <class F>
    void on_shard(F work) {
        bool done = false;
        shard.post([&] {
            work();
            done = true;
        });
        shard.run([&] { return done; });
    }
    void run_answers() {
        on_shard([] {});
    }
    using Stays = Journal::Stays;
    std::vector<Result<EntryId>> append_all(const Strings& payloads, std::uint32_t scope = 1, std::uint8_t stream = 1,
                                            Stays stays = Stays::until_settled) {
        std::vector<std::optional<Result<EntryId>>> answers(payloads.size());
        std::size_t left = payloads.size();
        on_shard([&] {
            for (std::size_t i = 0; i < payloads.size(); ++i) {
                const auto answered = [&, i](Result<EntryId> id) {
                    answers[i].emplace(std::move(id));
                    --left;
                };
                journal->append(stream, scope, bytes_of(payloads[i]), answered, stays);
            }
        });
        shard.run([&] { return left == 0; });
        std::vector<Result<EntryId>> out;
        for (auto& answer : answers) out.push_back(std::move(*answer));
        return out;
    }
    Result<EntryId> try_append(const std::string& payload, std::uint32_t scope = 1, std::uint8_t stream = 1) {
        return append_all({payload}, scope, stream).front();
    }
    EntryId append(const std::string& payload, std::uint32_t scope = 1, std::uint8_t stream = 1) {
        auto id = try_append(payload, scope, stream);
        EXPECT_TRUE(id) << id.error().what;
        return id ? id.value() : EntryId();
    }
    EntryId append_released(const std::string& payload, std::uint32_t scope = 1, std::uint8_t stream = 1) {
        const auto id = append(payload, scope, stream);
        journal->release(id);
        return id;
    }
    /// What is offered for replay, as text.
    Strings owed(std::uint8_t stream = 1, const std::vector<std::uint32_t>& skip = {}) const {
        Strings out;
        for (const auto& entry : journal->owed(stream, 1'000'000, skip)) {
            auto payload = journal->read(entry.id);
            out.emplace_back(payload ? std::string(text_of(payload.value())) : payload.error().what);
        }
        return out;
    }
    template <class F>
    void await(F condition) {
        for (int i = 0; i < 5000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        EXPECT_TRUE(condition());
    }
    Strings segments(const std::string& directory = kStream1) const {
        auto names = disk->names(directory);
        std::erase_if(names, [](const auto& name) { return !name.ends_with(".segment"); });
        for (auto& name : names) name = std::to_string(std::stoull(name));
        return names;
    }

    ManualClock clock;
    Options options{.segment_bytes = 1024,
                    .quota_bytes = 1 << 20,
                    .idle_segment_bytes = 1 << 20,
                    .idle_segment_age = Seconds(3600)};
    std::unique_ptr<MemoryFileSystem> disk = std::make_unique<MemoryFileSystem>();
    Shard shard{"test"};
    std::unique_ptr<Journal> journal;
};

}  // namespace penumbra::journal
