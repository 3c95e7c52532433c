#include "journal/inspect.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/shard.h"

namespace penumbra::journal {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class InspectTest : public ::testing::Test {
  protected:
    InspectTest() {
        auto name = (fs::temp_directory_path() / "penumbra-inspect-XXXXXX").native();
        root_ = ::mkdtemp(name.data());
        options_.directory = root_ / "journal";
        options_.segment_bytes = 512;
    }
    ~InspectTest() override {
        journal_.reset();
        fs::remove_all(root_);
    }

    void open() {
        auto opened = Journal::open(options_, Clock::system());
        ASSERT_TRUE(opened) << opened.error().what;
        journal_ = std::move(opened).value();
    }
    void close() {
        journal_.reset();
        bool ran = false;
        shard_.post([&] { ran = true; });
        shard_.run([&] { return ran; });
    }
    EntryId append(std::string payload, std::uint8_t stream = 1, std::uint32_t scope = 1) {
        std::optional<Result<EntryId>> answer;
        shard_.post([&] {
            journal_->append(stream, scope, bytes_of(payload),
                             [&](Result<EntryId> id) { answer.emplace(std::move(id)); });
        });
        shard_.run([&] { return answer.has_value(); });
        EXPECT_TRUE(*answer);
        return answer->value();
    }
    Inspection look(const std::function<void(const EntryInfo&, BytesView)>& show = {}) {
        auto inspected = inspect(options_.directory, show);
        EXPECT_TRUE(inspected) << inspected.error().what;
        return std::move(inspected).value();
    }
    fs::path newest(int stream = 1) {
        fs::path last;
        for (const auto& segment : look().segments) {
            if (segment.header.stream == stream) last = segment.path;
        }
        return last;
    }

    fs::path root_;
    Options options_;
    Shard shard_{"test"};
    std::unique_ptr<Journal> journal_;
};

TEST_F(InspectTest, SaysWhatIsOwedAlsoOfAJournalThatIsOpen) {
    open();
    append("one", 1, 7);
    append("two", 0, 7);
    const auto three = append("three", 1, 8);
    const auto check = [&] {
        const auto found = look();
        ASSERT_EQ(found.owed.size(), 3u);
        EXPECT_EQ(found.owed[0].info.stream, 0);
        EXPECT_EQ(found.owed[2].info.id, three);
        EXPECT_EQ(found.owed[2].info.scope, 8u);
        EXPECT_FALSE(found.damaged());
    };
    check();
    close();
    check();
    std::vector<std::string> shown;
    look([&](const EntryInfo&, BytesView payload) { shown.emplace_back(text_of(payload)); });
    EXPECT_THAT(shown, ElementsAre("two", "one", "three"));
    EXPECT_EQ(fs::exists(options_.directory / "stream-1"), true);
}

TEST_F(InspectTest, ReadsNotesAsRecoveryDoes) {
    open();
    const auto a = append("a");
    const auto b = append("b");
    const auto c = append("c");
    append("of a scope that is forgotten", 1, 9);
    for (const auto id : {a, b, c}) journal_->set_aside(id, "unconfigured table");
    EXPECT_TRUE(journal_->retry_set_aside(a));
    EXPECT_TRUE(journal_->drop_set_aside(b));
    journal_->forget_scope(9);
    close();
    const auto found = look();
    ASSERT_EQ(found.owed.size(), 2u);
    EXPECT_EQ(found.owed[0].info.id, a);
    EXPECT_EQ(found.owed[0].kind, RecordKind::entry);
    EXPECT_EQ(found.owed[1].info.id, c);
    EXPECT_EQ(found.owed[1].kind, RecordKind::set_aside);
    EXPECT_EQ(found.owed[1].reason, "unconfigured table");
    open();
    EXPECT_EQ(journal_->owed_total().entries, found.owed.size()) << "recovery says the same";
}

TEST_F(InspectTest, DamageIsNamedAndTheRestIsRead) {
    open();
    for (int i = 0; i < 12; ++i) append(std::string(100, static_cast<char>('a' + i)));
    close();
    const auto whole = look();
    ASSERT_GT(whole.segments.size(), 2u);
    {
        std::fstream file(whole.segments[0].path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(64 + 48 + 5);
        file.put('!');
    }
    const auto found = look();
    EXPECT_TRUE(found.damaged());
    EXPECT_THAT(found.segments[0].damage.value().what, HasSubstr("damaged at offset 64"));
    EXPECT_FALSE(found.segments[1].damage);
    EXPECT_EQ(found.owed.size(), whole.owed.size() - whole.segments[0].entries);
}

TEST_F(InspectTest, ATornTailIsNoDamageAndNothingIsChanged) {
    open();
    append("whole");
    close();
    const auto path = newest();
    {
        std::ofstream file(path, std::ios::app | std::ios::binary);
        file << "PREC, and then the power went";
    }
    const auto size = fs::file_size(path);
    const auto found = look();
    EXPECT_FALSE(found.damaged());
    EXPECT_EQ(found.segments.back().torn_bytes, 29u);
    EXPECT_EQ(found.owed.size(), 1u);
    EXPECT_EQ(fs::file_size(path), size);
}

TEST_F(InspectTest, HeadersNamesAndStrangers) {
    open();
    append("x");
    close();
    const auto path = newest();
    fs::copy_file(path, path.parent_path() / segment_name(SegmentId(99)));
    std::ofstream(path.parent_path() / "notes.txt") << "mine";
    const auto found = look();
    EXPECT_THAT(found.strangers, ElementsAre(HasSubstr("notes.txt")));
    EXPECT_THAT(found.segments.back().damage.value().what, HasSubstr("under another's name"));
    EXPECT_FALSE(inspect(root_ / "nowhere"));
}

}  // namespace
}  // namespace penumbra::journal
