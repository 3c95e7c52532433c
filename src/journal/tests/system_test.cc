// On the real file system, with real threads and a real kill.

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "journal/file_system.h"
#include "journal/journal.h"

namespace penumbra::journal {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        auto name = (fs::temp_directory_path() / "penumbra-journal-XXXXXX").native();
        path_ = ::mkdtemp(name.data());
    }
    ~TemporaryDirectory() { fs::remove_all(path_); }
    const fs::path& path() const { return path_; }

  private:
    fs::path path_;
};

int mode_of(const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return static_cast<int>(status.st_mode & 0777);
}

std::unique_ptr<Journal> open_or_die(Options options) {
    auto opened = Journal::open(std::move(options), Clock::system());
    if (!opened) {
        ADD_FAILURE() << opened.error().what;
        std::abort();
    }
    return std::move(opened).value();
}

Result<EntryId> append(Shard& shard, Journal& journal, std::string_view payload, std::uint32_t scope = 1) {
    std::optional<Result<EntryId>> answer;
    shard.post([&] {
        journal.append(1, scope, bytes_of(payload), [&](Result<EntryId> id) { answer.emplace(std::move(id)); });
    });
    shard.run([&] { return answer.has_value(); });
    return std::move(*answer);
}

TEST(SystemJournal, FilesAreTheUsersAlone) {
    const TemporaryDirectory temporary;
    const auto directory = temporary.path() / "state" / "journal";
    Shard shard("test");
    auto journal = open_or_die({.directory = directory});
    ASSERT_TRUE(append(shard, *journal, "secret"));
    EXPECT_EQ(mode_of(directory), 0700);
    EXPECT_EQ(mode_of(directory / "lock"), 0600);
    EXPECT_EQ(mode_of(directory / "stream-1"), 0700);
    EXPECT_EQ(mode_of(directory / "stream-1" / "00000000000000000001.segment"), 0600);
    EXPECT_EQ(journal->bytes_on_disk(), 64u + 56u);
    EXPECT_EQ(fs::file_size(directory / "stream-1" / "00000000000000000001.segment"), journal->bytes_on_disk());
}

TEST(SystemJournal, ASecondOwnerIsToldAboutTheFirst) {
    const TemporaryDirectory temporary;
    auto journal = open_or_die({.directory = temporary.path()});
    const auto second = Journal::open({.directory = temporary.path() / ""}, Clock::system());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::conflict);
    EXPECT_EQ(second.error().what,
              fmt::format("cannot open the journal: the journal in {} is in use by process {}; stop that process, or "
                          "give this one a directory of its own with --state",
                          temporary.path().native(), ::getpid()));
    journal.reset();
    EXPECT_TRUE(Journal::open({.directory = temporary.path()}, Clock::system()));
}

TEST(SystemJournal, ADirectoryThatCannotBeIsNamed) {
    const TemporaryDirectory temporary;
    std::ofstream(temporary.path() / "file") << "x";
    const auto opened = Journal::open({.directory = temporary.path() / "file"}, Clock::system());
    EXPECT_EQ(opened.error().what,
              fmt::format("cannot open the journal: make directory {}/file: File exists; check the disk and the "
                          "kernel's log; the journal goes on by itself, in a new segment, once writes succeed",
                          temporary.path().native()));
    const auto below = Journal::open({.directory = temporary.path() / "file" / "journal"}, Clock::system());
    EXPECT_THAT(below.error().what, HasSubstr("Not a directory"));
}

TEST(SystemJournal, SurvivesARestartATornTailAndRefusesDamage) {
    const TemporaryDirectory temporary;
    Shard shard("test");
    const Options options{.directory = temporary.path()};
    const auto file = temporary.path() / "stream-1" / "00000000000000000001.segment";
    for (const auto* payload : {"one", "two"}) {
        auto journal = open_or_die(options);
        ASSERT_TRUE(append(shard, *journal, payload));
    }
    std::ofstream(temporary.path() / "stream-1" / "00000000000000000002.segment", std::ios::app)
        << "PREC, and then the power went";
    {
        auto journal = open_or_die(options);
        const auto owed = journal->owed(1, 10);
        ASSERT_EQ(owed.size(), 2u);
        EXPECT_EQ(text_of(journal->read(owed[0].id).value()), "one");
        EXPECT_EQ(text_of(journal->read(owed[1].id).value()), "two");
    }
    {
        std::fstream damage(file, std::ios::in | std::ios::out | std::ios::binary);
        damage.seekp(64 + 48);
        damage << "X";
    }
    const auto opened = Journal::open(options, Clock::system());
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().what,
                HasSubstr(file.native() + ": damaged at offset 64 (the checksum of the payload does not hold)"));
}

TEST(SystemJournal, AWriteThatTheKernelCutsShortIsAnErrorAndTheNextSegmentWorks) {
    const TemporaryDirectory temporary;
    Shard shard("test");
    const Options options{.directory = temporary.path(), .segment_bytes = 8 << 20};
    auto journal = open_or_die(options);
    ASSERT_TRUE(append(shard, *journal, "first"));
    struct rlimit before {};
    ::getrlimit(RLIMIT_FSIZE, &before);
    auto small = before;
    small.rlim_cur = 1 << 20;
    ::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &small);
    const auto answer = append(shard, *journal, std::string(2 << 20, 'x'));
    ::setrlimit(RLIMIT_FSIZE, &before);
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().what,
                AllOf(StartsWith("write " + temporary.path().native()), HasSubstr("File too large; check the disk")));
    ASSERT_TRUE(append(shard, *journal, std::string(2 << 20, 'y')));
    journal.reset();
    journal = open_or_die(options);
    const auto owed = journal->owed(1, 10);
    ASSERT_EQ(owed.size(), 2u);
    EXPECT_EQ(journal->read(owed[1].id).value().size(), std::size_t{2} << 20);
}

TEST(SystemFile, ManyPartsArriveInOrder) {
    const TemporaryDirectory temporary;
    auto& files = FileSystem::system();
    auto file = files.create(temporary.path() / "f").value();
    Bytes bytes(5000);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<Byte>(i * 7);
    std::vector<BytesView> parts;  // more than one writev takes
    for (std::size_t i = 0; i < bytes.size(); i += 2) parts.push_back(BytesView(bytes).subspan(i, 2));
    ASSERT_TRUE(file->write_at(10, parts));
    Bytes back(6000);
    EXPECT_EQ(file->read_at(10, back).value(), 5000u);
    back.resize(5000);
    EXPECT_EQ(back, bytes);
    EXPECT_EQ(file->size().value(), 5010u);
}

TEST(SystemFile, ErrorsNameCallAndPath) {
    const TemporaryDirectory temporary;
    auto& files = FileSystem::system();
    const auto nowhere = temporary.path() / "nowhere" / "f";
    const auto text = [&](const char* what) {
        return fmt::format("{}: No such file or directory", fmt::format(fmt::runtime(what), nowhere.native()));
    };
    EXPECT_EQ(files.open(nowhere).error().what, text("open {}"));
    EXPECT_EQ(files.create(nowhere).error().what, text("create {}"));
    EXPECT_EQ(files.remove(nowhere).error().what, text("remove {}"));
    EXPECT_EQ(files.rename(temporary.path() / "x", nowhere).error().what, text("rename to {}"));
    EXPECT_EQ(files.make_directory(nowhere).error().what, text("make directory {}"));
    EXPECT_EQ(files.sync_directory(nowhere).error().what, text("open directory {}"));
    EXPECT_EQ(files.list(nowhere).error().what, text("list {}"));
    EXPECT_EQ(files.lock(nowhere).error().what, text("open {}"));
    EXPECT_EQ(files.open(nowhere).error().detail, ENOENT);
}

TEST(SystemFile, RemediesFitTheirCause) {
    const auto remedy = [](int error) { return with_remedy(system_error("write", "f", error)).what; };
    EXPECT_THAT(remedy(ENOSPC),
                HasSubstr("free space on that file system; the journal goes on by itself once there is room"));
    EXPECT_THAT(remedy(EDQUOT), HasSubstr("free space"));
    EXPECT_THAT(remedy(EROFS), HasSubstr("mounted read-only: check the disk and the kernel's log, then remount it"));
    EXPECT_THAT(remedy(EACCES),
                HasSubstr("let the user that runs penumbra write there, or choose another directory with --state"));
    EXPECT_THAT(remedy(EMFILE), HasSubstr("raise the limit of open files"));
    EXPECT_THAT(remedy(EIO), HasSubstr("check the disk and the kernel's log"));
    EXPECT_EQ(with_remedy({Errc::corrupt, "x"}).what, "x");
}

// What a killed process had been told is on disk is owed by the next one.
TEST(SystemJournal, AKilledProcessLosesNothingThatItWasToldIsOnDisk) {
    const TemporaryDirectory temporary;
    const Options options{.directory = temporary.path(), .segment_bytes = 16 << 10};
    std::set<std::uint64_t> told;
    for (int round = 0; round < 3; ++round) {
        int pipe_ends[2];
        ASSERT_EQ(::pipe(pipe_ends), 0);
        const auto child = ::fork();
        if (child == 0) {
            ::close(pipe_ends[0]);
            Shard shard("child");
            auto journal = open_or_die(options);
            // Eight at a time, for ever; each answer goes up the pipe.
            UniqueFunction<void()> next;
            next = [&] {
                journal->append(1, 1, bytes_of(std::string(300, 'k')), [&](Result<EntryId> id) {
                    const auto number = id.value().value();
                    ASSERT(::write(pipe_ends[1], &number, sizeof number) == sizeof number);
                    next();
                });
            };
            shard.post([&] {
                for (int i = 0; i < 8; ++i) next();
            });
            shard.run();
        }
        ::close(pipe_ends[1]);
        std::uint64_t id = 0;
        for (int i = 0; i < 200 && ::read(pipe_ends[0], &id, sizeof id) == sizeof id; ++i)
            EXPECT_TRUE(told.insert(id).second);
        ::kill(child, SIGKILL);
        while (::read(pipe_ends[0], &id, sizeof id) == sizeof id) told.insert(id);
        ::close(pipe_ends[0]);
        ::waitpid(child, nullptr, 0);

        auto journal = open_or_die(options);
        std::set<std::uint64_t> owed;
        for (const auto& entry : journal->owed(1, 1'000'000)) {
            owed.insert(entry.id.value());
            ASSERT_EQ(journal->read(entry.id).value(), Bytes(300, 'k'));
        }
        EXPECT_TRUE(std::ranges::includes(owed, told));
        EXPECT_GT(told.size(), 200u * round);
    }
}

/// One shard's client of the journal: keeps some appends under way, and ends each in one of the ways there are.
class Client {
  public:
    Client(Journal& journal, std::uint32_t scope, int total) : journal_(journal), scope_(scope), left_(total) {}

    void start(int at_once) {
        for (int i = 0; i < at_once; ++i) next();
    }
    bool done() const { return done_; }
    std::set<std::uint64_t> kept;     // under way for ever
    std::set<std::uint64_t> refused;  // set aside

  private:
    void next() {
        if (left_ == 0) return;
        --left_;
        ++under_way_;
        const auto payload = fmt::format("{} {}", scope_, std::string(static_cast<std::size_t>(left_ % 700), 'p'));
        journal_.append(static_cast<std::uint8_t>(left_ % 2), scope_, bytes_of(payload),
                        [this, n = left_](Result<EntryId> id) {
                            ASSERT(id.has_value());
                            next();  // before the settle: this scope always owes something until the end
                            switch (n % 50) {
                                case 0:
                                    kept.insert(id.value().value());
                                    break;
                                case 1:
                                    refused.insert(id.value().value());
                                    journal_.set_aside(id.value(), "refused");
                                    break;
                                case 2:
                                case 3:
                                case 4:
                                case 5:
                                    journal_.release(id.value());
                                    break;  // the replayer's
                                default:
                                    journal_.settle(id.value());
                            }
                            if (--under_way_ == 0 && left_ == 0) done_ = true;
                        });
    }

    Journal& journal_;
    const std::uint32_t scope_;
    int left_;
    int under_way_ = 0;
    std::atomic<bool> done_{false};
};

TEST(SystemJournal, AFenceNeverSeesZeroWhileAnAppendIsUnderWay) {
    const TemporaryDirectory temporary;
    Shard shard("shard");
    auto journal = open_or_die({.directory = temporary.path()});
    std::atomic<bool> started{false};
    std::atomic<bool> last{false};
    std::atomic<bool> ended{false};
    int left = 300;
    UniqueFunction<void()> next;
    next = [&] {
        journal->append(1, 9, bytes_of("x"), [&](Result<EntryId> id) {
            if (--left > 0) {
                next();
            } else {
                last = true;
            }
            journal->settle(id.value());
            ended = last.load();
        });
        started = true;
    };
    shard.start();
    shard.post([&] { next(); });
    std::uint64_t looks = 0;
    std::uint64_t zeros = 0;
    while (!last) {
        if (!started) continue;
        const bool zero = journal->owed_of(1, 9).entries == 0 || journal->owed_total().entries == 0;
        if (!last) zeros += zero;
        ++looks;
    }
    EXPECT_EQ(zeros, 0u) << "of " << looks;
    while (!ended) std::this_thread::yield();
    EXPECT_EQ(journal->owed_of(1, 9).entries, 0u);
    journal.reset();
    shard.stop();
}

TEST(SystemJournal, ManyShardsAtOnce) {
    constexpr int kShards = 4;
    constexpr int kEach = 2000;
    const TemporaryDirectory temporary;
    const Options options{.directory = temporary.path(),
                          .segment_bytes = 64 << 10,
                          .idle_segment_bytes = 32 << 10,
                          .idle_segment_age = Millis(5)};
    std::set<std::uint64_t> kept;
    std::set<std::uint64_t> refused;
    {
        std::vector<std::unique_ptr<Shard>> shards;
        std::vector<std::unique_ptr<Client>> clients;
        auto journal = open_or_die(options);
        for (int i = 0; i < kShards; ++i) {
            shards.push_back(std::make_unique<Shard>(fmt::format("shard-{}", i)));
            clients.push_back(std::make_unique<Client>(*journal, static_cast<std::uint32_t>(i + 1), kEach));
            shards.back()->start();
        }
        Shard replay("replay");
        replay.start();
        std::atomic<bool> replay_more{true};
        std::atomic<int> replayed{0};
        UniqueFunction<void()> replay_some;
        replay_some = [&] {
            for (const std::uint8_t stream : {0, 1}) {
                for (const auto& entry : journal->owed(stream, 50)) {
                    const auto payload = journal->read(entry.id);
                    ASSERT(payload.has_value());
                    ASSERT(text_of(payload.value()).starts_with(fmt::format("{} ", entry.scope)));
                    journal->settle(entry.id);
                    ++replayed;
                }
            }
            if (replay_more) Shard::here().call_in(Millis(1), [&] { replay_some(); });
        };
        replay.post([&] { replay_some(); });
        for (int i = 0; i < kShards; ++i) shards[i]->post([client = clients[i].get()] { client->start(16); });

        // A status page.
        while (!std::ranges::all_of(clients, [](const auto& client) { return client->done(); })) {
            for (std::uint32_t scope = 1; scope <= kShards; ++scope) {
                const auto owed = journal->owed_of(1, scope);
                EXPECT_LE(owed.entries, static_cast<std::uint64_t>(kEach));
                EXPECT_LE(owed.set_aside, owed.entries);
                EXPECT_EQ(owed.entries > 0, owed.oldest_appended_at > 0);
            }
            EXPECT_LE(journal->owed_total().entries, static_cast<std::uint64_t>(kShards * kEach));
            EXPECT_LE(journal->set_aside_entries({}, 10).size(), 10u);
            std::this_thread::yield();
        }
        const auto kept_count = [&](const Client& client) { return client.kept.size() + client.refused.size(); };
        for (int i = 0; i < kShards; ++i) {
            const auto scope = static_cast<std::uint32_t>(i + 1);
            while (journal->owed_of(0, scope).entries + journal->owed_of(1, scope).entries != kept_count(*clients[i])) {
                std::this_thread::sleep_for(Millis(1));  // the replayer is still at it
            }
            EXPECT_EQ(journal->owed_of(0, scope).set_aside + journal->owed_of(1, scope).set_aside,
                      clients[i]->refused.size());
            kept.insert(clients[i]->kept.begin(), clients[i]->kept.end());
            refused.insert(clients[i]->refused.begin(), clients[i]->refused.end());
        }
        replay_more = false;
        replay.stop();
        EXPECT_EQ(replayed, kShards * kEach * 4 / 50);
        const auto figures = journal->figures();
        EXPECT_EQ(figures.records, static_cast<std::uint64_t>(kShards * kEach));
        EXPECT_LT(figures.syncs, figures.records) << "appends share syncs";
        journal.reset();
        for (auto& shard : shards) shard->stop();
    }
    auto journal = open_or_die(options);
    std::set<std::uint64_t> owed;
    for (const std::uint8_t stream : {0, 1}) {
        for (const auto& entry : journal->owed(stream, 1'000'000)) owed.insert(entry.id.value());
    }
    EXPECT_TRUE(std::ranges::includes(owed, kept));
    std::set<std::uint64_t> aside;
    for (const auto& entry : journal->set_aside_entries({}, 1'000'000)) aside.insert(entry.entry.id.value());
    EXPECT_EQ(aside, refused);
}

}  // namespace
}  // namespace penumbra::journal
