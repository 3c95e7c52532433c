// Crashes and failures at every call that the journal makes of its disk.

#include <map>
#include <random>
#include <set>

#include <fmt/format.h>

#include "journal/tests/fixture.h"

namespace penumbra::journal {
namespace {

/// Works with a journal at random, and remembers what it was promised.
class CrashTest : public JournalFixture {
  protected:
    struct Promise {
        EntryId id;
        std::uint8_t stream = 0;
        std::uint32_t scope = 0;
        bool owed = true;  // acknowledged, and neither settled nor forgotten since
        bool lasting = false;
        bool given_up = false;  // forgotten, or dropped
    };

    void SetUp() override {
        options.segment_bytes = 640;
        options.idle_segment_bytes = 160;
    }

    void work(std::uint64_t seed, int steps) {
        std::mt19937_64 random(seed);
        const auto any = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
        if (!try_open()) return;
        for (int step = 0; step < steps && journal; ++step) {
            switch (any(14)) {
                case 0:
                case 1:
                case 2:
                case 3: {
                    Strings payloads;
                    for (auto n = 1 + any(4); n > 0; --n) {
                        payloads.push_back(
                            fmt::format("{}:{}", appended_.size() + payloads.size(), std::string(any(200), '.')));
                    }
                    const auto scope = static_cast<std::uint32_t>(next_scope_ + any(2));
                    const auto stream = static_cast<std::uint8_t>(any(4) == 0 ? 0 : 1);
                    appended_.insert(payloads.begin(), payloads.end());
                    const bool lasting = any(4) == 0;
                    const auto answers =
                        append_all(payloads, scope, stream, lasting ? Stays::behind_older : Stays::until_settled);
                    for (std::size_t i = 0; i < payloads.size(); ++i) {
                        if (!answers[i]) continue;
                        promises_[payloads[i]] = {answers[i].value(), stream, scope, true, lasting};
                        highest_ = std::max(highest_, answers[i].value());
                        if (any(2)) journal->release(answers[i].value());
                    }
                    if (!answers[0]) clock.advance(Seconds(2));
                    break;
                }
                case 4:
                case 5:
                case 6:
                case 7:
                    for (auto& [payload, promise] : promises_) {
                        if (!promise.owed || any(2)) continue;
                        promise.owed = false;
                        journal->settle(promise.id);
                    }
                    break;
                case 8:
                    for (auto& [payload, promise] : promises_) {
                        if (promise.owed && any(5) == 0) journal->set_aside(promise.id, "because");
                    }
                    break;
                case 9:
                    journal->retry_set_aside(next_scope_);
                    break;
                case 10:
                    journal->forget_scope(next_scope_);
                    for (auto& [payload, promise] : promises_) {
                        if (promise.scope == next_scope_) give_up(promise);
                    }
                    ++next_scope_;  // never used again, as in life
                    break;
                case 12:
                    for (const auto& aside : journal->set_aside_entries({}, 3))
                        journal->retry_set_aside(aside.entry.id);
                    break;
                case 13:
                    for (const auto& aside : journal->set_aside_entries({}, 2)) {
                        for (auto& [payload, promise] : promises_) {
                            if (promise.id == aside.entry.id) give_up(promise);
                        }
                        EXPECT_TRUE(journal->drop_set_aside(aside.entry.id));
                    }
                    break;
                case 11:
                    close();
                    if (!try_open() && !try_open()) return;
                    break;
            }
        }
    }

    static void give_up(Promise& promise) {
        promise.owed = false;
        promise.given_up = true;
    }

    /// Everything promised is there, everything there was appended, and nothing is twice.
    void check(const std::string& when) {
        auto opened = try_open();
        ASSERT_TRUE(opened) << when << ": " << opened.error().what;
        std::set<std::string> found;
        std::set<EntryId> ids;
        std::vector<EntryInfo> entries;
        for (const std::uint8_t stream : {0, 1}) {
            for (const auto& entry : journal->owed(stream, 1'000'000)) entries.push_back(entry);
        }
        for (const auto& aside : journal->set_aside_entries({}, 1'000'000)) {
            EXPECT_EQ(aside.reason, "because");
            entries.push_back(aside.entry);
        }
        for (const auto& entry : entries) {
            const auto payload = journal->read(entry.id);
            ASSERT_TRUE(payload) << when << ": " << payload.error().what;
            const std::string text(text_of(payload.value()));
            EXPECT_TRUE(appended_.contains(text)) << when;
            EXPECT_TRUE(found.insert(text).second) << when << ": twice";
            EXPECT_TRUE(ids.insert(entry.id).second) << when;
            if (const auto promise = promises_.find(text); promise != promises_.end()) {
                EXPECT_EQ(promise->second.id, entry.id) << when;
                EXPECT_EQ(promise->second.scope, entry.scope) << when;
                EXPECT_EQ(promise->second.stream, entry.stream) << when;
            }
        }
        for (const auto& [payload, promise] : promises_) {
            EXPECT_TRUE(!promise.owed || found.contains(payload)) << when << ": acknowledged and gone: " << payload;
            if (!promise.lasting || promise.given_up || found.contains(payload)) continue;
            EXPECT_TRUE(std::ranges::none_of(entries,
                                             [&](const EntryInfo& older) {
                                                 return older.stream == promise.stream &&
                                                        older.scope == promise.scope && older.id < promise.id;
                                             }))
                << when << ": gone before an older one of its scope: " << payload;
        }
        EXPECT_EQ(journal->owed_total().entries, entries.size()) << when;
    }

    void append_if_it_works() {
        appended_.insert("if it works");
        if (const auto id = try_append("if it works", 1'000'000)) {
            promises_["if it works"] = {id.value(), 1, 1'000'000};
            highest_ = id.value();
        }
    }
    void append_one_more(const std::string& when) {
        const std::string payload = "one more " + std::to_string(promises_.size());
        const auto id = append(payload, 1'000'000);
        EXPECT_GT(id, highest_) << when;
        highest_ = id;
        appended_.insert(payload);
        promises_[payload] = {id, 1, 1'000'000};
    }

    std::set<std::string> appended_;
    std::map<std::string, Promise> promises_;
    std::uint32_t next_scope_ = 1;
    EntryId highest_;
};

/// The state of one run, made anew for each call number.
#define FRESH_RUN()                                  \
    do {                                             \
        close();                                     \
        disk = std::make_unique<MemoryFileSystem>(); \
        appended_.clear();                           \
        promises_.clear();                           \
        next_scope_ = 1;                             \
        highest_ = EntryId();                        \
    } while (false)

TEST_F(CrashTest, AtEveryCallNothingAcknowledgedIsLost) {
    std::size_t crashes = 0;
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        bool reached = true;
        for (std::size_t at = 0; reached; ++at) {
            reached = false;
            FRESH_RUN();
            auto* const machine = disk.get();
            disk->plan([&](std::size_t number, const MemoryFileSystem::Call&) {
                if (number != at) return 0;
                reached = true;
                return machine->die();
            });
            work(seed, 25);
            const auto loses = std::array{Loses::everything, Loses::nothing, Loses::some}[(at + seed) % 3];
            const auto when = fmt::format("seed {}, crash at call {}, loses {}", seed, at, static_cast<int>(loses));
            crash(loses, seed * 1000 + at);
            check(when);
            if (HasFatalFailure()) return;
            // A second crash right after recovery: it may count on nothing that is only in a page cache.
            append_one_more(when);
            crash(Loses::everything);
            check(when + ", then another");
            append_one_more(when);
            crash(Loses::some, at);
            check(when + ", then two");
            if (HasFailure()) return;
            ++crashes;
        }
    }
    RecordProperty("crashes", static_cast<int>(crashes));
    EXPECT_GT(crashes, 400u);
}

TEST_F(CrashTest, AnyCallMayFailAndTheJournalGoesOn) {
    std::size_t failures = 0;
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        bool reached = true;
        for (std::size_t at = 0; reached; ++at) {
            reached = false;
            FRESH_RUN();
            const std::size_t many = std::array{1, 2, 7}[at % 3];
            disk->plan([&](std::size_t number, const MemoryFileSystem::Call&) {
                if (number < at || number >= at + many) return 0;
                reached = true;
                return at % 2 ? EIO : ENOSPC;
            });
            work(seed, 25);
            const auto when = fmt::format("seed {}, {} failures from call {}", seed, many, at);
            disk->plan({});
            if (!journal) {
                ASSERT_TRUE(try_open()) << when;
            }
            // One answer, whatever it is: the journal's thread may be in the middle of a call that fails, and would
            // count its pause from the time it comes back.
            append_if_it_works();
            clock.advance(Seconds(5));
            append_one_more(when);
            crash(std::array{Loses::everything, Loses::some, Loses::nothing}[at / 3 % 3], at);
            check(when);
            if (HasFailure()) return;
            ++failures;
        }
    }
    EXPECT_GT(failures, 250u);
}

TEST_F(CrashTest, WithoutAnyFaultLongRunsEndWhole) {
    for (std::uint64_t seed = 100; seed < 110; ++seed) {
        FRESH_RUN();
        work(seed, 300);
        crash(Loses::some, seed);
        check(fmt::format("seed {}", seed));
    }
}

}  // namespace
}  // namespace penumbra::journal
