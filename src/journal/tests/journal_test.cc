#include "journal/journal.h"

#include <thread>

#include <fmt/format.h>

#include "journal/format.h"
#include "journal/tests/fixture.h"

namespace penumbra::journal {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class JournalTest : public JournalFixture {
  protected:
    void SetUp() override { open(); }
};

TEST_F(JournalTest, AnAppendedRecordIsOwedUntilSettled) {
    const auto id = append("write");
    EXPECT_EQ(journal->owed_of(1, 1).entries, 1u);
    EXPECT_THAT(owed(), IsEmpty()) << "under way: not offered for replay";
    journal->release(id);
    EXPECT_THAT(owed(), ElementsAre("write"));
    journal->settle(id);
    EXPECT_THAT(owed(), IsEmpty());
    EXPECT_EQ(journal->owed_of(1, 1).entries, 0u);
    EXPECT_EQ(journal->owed_total().entries, 0u);
    EXPECT_EQ(journal->read(id).error().what, "journal entry 1 is not owed any more");
    EXPECT_EQ(journal->read(id).error().code, Errc::not_found);
}

TEST_F(JournalTest, UnknownIdsAreNothing) {
    journal->settle(EntryId(99));
    journal->release(EntryId(99));
    journal->set_aside(EntryId(99), "?");
    journal->retry_set_aside(5);
    journal->forget_scope(5);
    EXPECT_EQ(journal->owed_total().entries, 0u);
}

TEST_F(JournalTest, OffersOldestFirstPerStreamAndWithoutSkippedScopes) {
    append_released("a", 1);
    append_released("b", 2);
    append_released("c", 1);
    append_released("other way", 1, 0);
    const auto last = append_released("d", 3);
    EXPECT_THAT(owed(1), ElementsAre("a", "b", "c", "d"));
    EXPECT_THAT(owed(0), ElementsAre("other way"));
    EXPECT_THAT(owed(1, {1}), ElementsAre("b", "d"));
    EXPECT_THAT(owed(1, {1, 2, 3}), IsEmpty());
    const auto two = journal->owed(1, 2);
    ASSERT_EQ(two.size(), 2u);
    EXPECT_EQ(two[1].scope, 2u);
    EXPECT_EQ(two[1].stream, 1);
    EXPECT_EQ(two[1].appended_at, clock.wall_micros());
    EXPECT_LT(two[1].id, last);
}

TEST_F(JournalTest, CountsByScopeAndStreamAndKnowsTheOldest) {
    const auto first_at = clock.wall_micros();
    const auto first = append("a", 1);
    clock.advance(Seconds(10));
    append_released("b", 1);
    append_released("c", 2, 0);
    EXPECT_EQ(journal->owed_of(1, 1).entries, 2u);
    EXPECT_EQ(journal->owed_of(1, 1).oldest_appended_at, first_at);
    EXPECT_EQ(journal->owed_of(0, 2).oldest_appended_at, first_at + 10'000'000);
    EXPECT_EQ(journal->owed_of(0, 1).entries, 0u);
    EXPECT_EQ(journal->owed_of(9, 9).entries, 0u);
    EXPECT_EQ(journal->owed_of(1, 1).oldest_waiting_at, first_at);
    EXPECT_EQ(journal->owed_of(0, 1).oldest_waiting_at, 0);
    journal->set_aside(first, "refused");
    EXPECT_EQ(journal->owed_of(1, 1).oldest_appended_at, first_at);
    EXPECT_EQ(journal->owed_of(1, 1).oldest_waiting_at, first_at + 10'000'000) << "nobody waits for what is set aside";
    EXPECT_EQ(journal->owed_total().entries, 3u);
    EXPECT_EQ(journal->owed_total().oldest_appended_at, first_at);
    journal->settle(first);
    EXPECT_EQ(journal->owed_total().oldest_appended_at, first_at + 10'000'000);
}

TEST_F(JournalTest, AnAppendCountsBeforeItIsOnDisk) {
    disk->hold_syncs(true);
    std::optional<Result<EntryId>> answer;
    const auto appended_at = clock.wall_micros();
    on_shard([&] {
        journal->append(1, 1, bytes_of("x"), [&](Result<EntryId> id) { answer = std::move(id); });
        EXPECT_EQ(journal->owed_of(1, 1).entries, 1u) << "a fence that asks right after append() sees it";
    });
    disk->await_held_sync();
    clock.advance(Seconds(5));
    EXPECT_EQ(journal->owed_of(1, 1).entries, 1u);
    EXPECT_EQ(journal->owed_of(1, 1).oldest_appended_at, appended_at);
    EXPECT_EQ(journal->owed_total().oldest_appended_at, appended_at);
    EXPECT_FALSE(answer);
    disk->hold_syncs(false);
    shard.run([&] { return answer.has_value(); });
    EXPECT_TRUE(*answer);
    EXPECT_EQ(journal->owed_of(1, 1).entries, 1u);
}

TEST_F(JournalTest, WhatComesDuringASyncSharesTheNext) {
    append("opens the segment");
    const auto before = disk->syncs();
    disk->hold_syncs(true);
    int answered = 0;
    const auto count = [&](const Result<EntryId>& id) { answered += id.has_value(); };
    on_shard([&] { journal->append(1, 1, bytes_of("first"), count); });
    disk->await_held_sync();
    on_shard([&] {
        for (int i = 0; i < 10; ++i) journal->append(1, 1, bytes_of("while it runs"), count);
    });
    disk->hold_syncs(false);
    shard.run([&] { return answered == 11; });
    EXPECT_EQ(disk->syncs() - before, 2u);
    EXPECT_EQ(journal->figures().records, 12u);
    EXPECT_EQ(journal->figures().syncs, 3u);
}

TEST_F(JournalTest, WhatWasOwedIsOwedAfterARestart) {
    append("under way");
    append_released("released");
    const auto settled = append("settled");
    journal->settle(settled);
    append("back", 4, 0);
    restart();
    // The settle was not written: harmless, see docs/journal.md.
    EXPECT_THAT(owed(), ElementsAre("under way", "released", "settled"));
    EXPECT_THAT(owed(0), ElementsAre("back"));
    EXPECT_EQ(journal->owed_of(0, 4).entries, 1u);
}

TEST_F(JournalTest, IdsGrowAcrossRestartsAlsoWhenNothingIsOwed) {
    auto last = append("one");
    journal->settle(last);
    for (int i = 0; i < 3; ++i) {
        restart();
        EXPECT_THAT(owed(), IsEmpty()) << "all was settled, so that closing left an empty segment";
        const auto id = append("next");
        EXPECT_GT(id, last);
        last = id;
        journal->settle(id);
    }
}

TEST_F(JournalTest, RestartsDoNotCollectFiles) {
    append("owed");
    for (int i = 0; i < 5; ++i) restart();
    EXPECT_THAT(segments(), ElementsAre("1"));
    append("another");
    EXPECT_THAT(segments(), ElementsAre("1", "2"));
    for (int i = 0; i < 5; ++i) restart();
    EXPECT_THAT(owed(), ElementsAre("owed", "another"));
    EXPECT_THAT(segments(), ElementsAre("1", "2"));
}

TEST_F(JournalTest, SettledSegmentsAreDeleted) {
    std::vector<EntryId> ids;
    for (int i = 0; i < 12; ++i) ids.push_back(append(std::string(400, 'x')));  // two to a segment
    EXPECT_EQ(segments().size(), 6u);
    const auto full = journal->bytes_on_disk();
    for (int i = 2; i < 12; ++i) journal->settle(ids[i]);
    await([&] { return segments().size() == 2; });
    await([&] { return segments() == Strings{"1", "7"}; });
    EXPECT_THAT(segments(), ElementsAre("1", "7")) << "the newest, large and settled, made place for an empty one";
    journal->settle(ids[0]);
    journal->settle(ids[1]);
    await([&] { return segments().size() == 1; });
    await([&] { return journal->bytes_on_disk() < full / 5; });
    restart();
    EXPECT_THAT(owed(), IsEmpty());
}

TEST_F(JournalTest, AnIdleJournalShrinksByAge) {
    options.idle_segment_age = Millis(20);
    restart();
    const auto id = append("x");
    journal->settle(id);
    clock.advance(Seconds(1));
    await([&] { return segments() == Strings{"2"}; });
    await([&] { return journal->bytes_on_disk() == kSegmentHeaderBytes; });
    EXPECT_GT(append("y"), id);
}

TEST_F(JournalTest, AnIdleJournalShrinksBySize) {
    options.idle_segment_bytes = 200;
    restart();
    const auto small = append("x");
    journal->settle(small);
    const auto big = append(std::string(300, 'y'));
    EXPECT_THAT(segments(), ElementsAre("1"));
    journal->settle(big);
    await([&] { return segments() == Strings{"2"}; });
}

TEST_F(JournalTest, ARecordLargerThanASegmentHasItsOwn) {
    append("small");
    append_released(std::string(5000, 'b'));
    append("small");
    EXPECT_THAT(segments(), ElementsAre("1", "2", "3"));
    EXPECT_THAT(owed(), ElementsAre(std::string(5000, 'b')));
    crash(Loses::everything);
    open();
    EXPECT_EQ(owed().size(), 3u);
}

TEST_F(JournalTest, ABurstSpreadsOverSegments) {
    const Strings payloads(40, std::string(200, 'p'));
    for (const auto& answer : append_all(payloads)) EXPECT_TRUE(answer);
    EXPECT_GT(segments().size(), 8u);
    crash(Loses::everything);
    open();
    EXPECT_EQ(owed(), payloads);
}

TEST_F(JournalTest, ForgettingAScopeDropsWhatItOwes) {
    append("a", 1);
    append_released("b", 2);
    append("c", 1, 0);
    journal->set_aside(append("d", 1), "no");
    journal->forget_scope(1);
    EXPECT_EQ(journal->owed_of(1, 1).entries, 0u);
    EXPECT_EQ(journal->owed_of(0, 1).entries, 0u);
    EXPECT_EQ(journal->owed_total().entries, 1u);
    restart();
    EXPECT_EQ(journal->owed_total().entries, 1u) << "also after a restart, though the segment is still there";
    EXPECT_THAT(owed(), ElementsAre("b"));
}

TEST_F(JournalTest, WhatComesAfterAForgetIsOwedHoweverLateThatGetsToTheDisk) {
    append_released("opens the segment", 2);
    append_released("forgotten", 1);
    disk->hold_syncs(true);
    bool other = false, answered = false;
    on_shard([&] { journal->append(1, 2, bytes_of("keeps the disk busy"), [&](const auto& id) { other = !!id; }); });
    disk->await_held_sync();
    journal->forget_scope(1);
    on_shard([&] {
        journal->append(1, 1, bytes_of("shadowed again"), [&](const auto& id) {
            answered = id.has_value();
            journal->release(id.value());
        });
    });
    disk->hold_syncs(false);
    shard.run([&] { return other && answered; });
    EXPECT_THAT(owed(), ElementsAre("opens the segment", "shadowed again"));
    restart();
    EXPECT_THAT(owed(), ElementsAre("opens the segment", "keeps the disk busy", "shadowed again"));
}

TEST_F(JournalTest, AForgottenScopeStaysForgottenWhileItsRecordsAreOnDisk) {
    append_released("keeps the first segment", 2);
    append("forgotten", 1);
    append(std::string(900, 'x'), 3);  // a second segment
    journal->forget_scope(1);
    journal->forget_scope(3);
    for (int i = 0; i < 3; ++i) journal->settle(append(std::string(900, 'y'), 4));  // later segments come and go
    restart();
    EXPECT_THAT(owed(), ElementsAre("keeps the first segment"));
    journal->settle(journal->owed(1, 1)[0].id);
    await([&] { return segments().size() == 1; });
}

TEST_F(JournalTest, ALastingEntryIsThereAsLongAsOlderOnesOfItsScope) {
    append_released("keeps the first segment", 2);
    journal->settle(append("of the scope", 1));
    journal->settle(append(std::string(900, 'x'), 3));  // a second segment
    journal->settle(append_all({std::string(900, 'l')}, 1, 1, Stays::behind_older).front().value());
    journal->settle(append_all({std::string(900, 'm')}, 3, 1, Stays::behind_older).front().value());
    for (int i = 0; i < 3; ++i) journal->settle(append(std::string(900, 'y'), 1));  // later segments come and go
    await([&] { return segments().size() == 3; });
    restart();
    EXPECT_THAT(owed(), ElementsAre("keeps the first segment", "of the scope", std::string(900, 'l')));
    for (const auto& entry : journal->owed(1, 3)) journal->settle(entry.id);
    await([&] { return segments().size() == 1; });
}

TEST_F(JournalTest, SetAsideIsKeptCountedListedAndNotOffered) {
    append_released("good");
    const auto bad = append_released("bad", 7);
    clock.advance(Seconds(1));
    journal->set_aside(bad, "unconfigured table ks.t");
    journal->set_aside(bad, "said again");
    journal->release(bad);
    EXPECT_THAT(owed(), ElementsAre("good"));
    EXPECT_EQ(journal->owed_of(1, 7).entries, 1u);
    EXPECT_EQ(journal->owed_of(1, 7).set_aside, 1u);
    EXPECT_EQ(journal->owed_total().set_aside, 1u);
    const auto check = [&] {
        const auto list = journal->set_aside_entries(7, 10);
        ASSERT_EQ(list.size(), 1u);
        EXPECT_EQ(list[0].entry.id, bad);
        EXPECT_EQ(list[0].entry.scope, 7u);
        EXPECT_EQ(list[0].reason, "unconfigured table ks.t");
        EXPECT_EQ(list[0].set_aside_at, clock.wall_micros());
        EXPECT_EQ(list[0].entry.appended_at, clock.wall_micros() - 1'000'000);
        EXPECT_EQ(text_of(journal->read(bad).value()), "bad");
        EXPECT_THAT(journal->set_aside_entries(1, 10), IsEmpty());
        EXPECT_EQ(journal->set_aside_entries({}, 10).size(), 1u);
        EXPECT_THAT(journal->set_aside_entries({}, 0), IsEmpty());
    };
    check();
    restart();
    check();
    EXPECT_THAT(owed(), ElementsAre("good"));
}

TEST_F(JournalTest, RetryOffersInTheOldPlaceAndIsRemembered) {
    const auto a = append_released("a");
    append_released("b");
    const auto c = append_released("c");
    append_released("d");
    const auto e = append_released("e");
    for (const auto id : {e, a, c}) journal->set_aside(id, "no");
    EXPECT_THAT(owed(), ElementsAre("b", "d"));
    journal->retry_set_aside(1);
    EXPECT_THAT(owed(), ElementsAre("a", "b", "c", "d", "e"));
    EXPECT_EQ(journal->owed_total().set_aside, 0u);
    restart();
    EXPECT_THAT(owed(), ElementsAre("a", "b", "c", "d", "e"));
    journal->set_aside(journal->owed(1, 1)[0].id, "still no");
    restart();
    EXPECT_THAT(owed(), ElementsAre("b", "c", "d", "e"));
    journal->settle(journal->set_aside_entries(1, 1)[0].entry.id);
    EXPECT_EQ(journal->owed_total().entries, 4u);
}

TEST_F(JournalTest, OneEntryThatIsSetAsideIsOfferedAgainInItsPlace) {
    const auto a = append_released("a");
    const auto b = append_released("b");
    append_released("c");
    journal->set_aside(a, "no");
    journal->set_aside(b, "no");
    EXPECT_FALSE(journal->retry_set_aside(EntryId(4711)));
    EXPECT_TRUE(journal->retry_set_aside(b));
    EXPECT_FALSE(journal->retry_set_aside(b)) << "it is not set aside any more";
    EXPECT_THAT(owed(), ElementsAre("b", "c"));
    restart();
    EXPECT_THAT(owed(), ElementsAre("b", "c"));
    EXPECT_EQ(journal->set_aside_entry(a).value().reason, "no");
    EXPECT_FALSE(journal->set_aside_entry(b));
}

TEST_F(JournalTest, AnEntryThatWasGivenUpStaysGoneWhileItsSegmentIsThere) {
    const auto a = append_released("a");
    const auto b = append_released("b");
    EXPECT_FALSE(journal->drop_set_aside(a)) << "owed, and nobody refused it";
    journal->set_aside(a, "no");
    journal->set_aside(b, "no");
    EXPECT_TRUE(journal->drop_set_aside(a));
    EXPECT_FALSE(journal->drop_set_aside(a));
    EXPECT_EQ(journal->owed_total().entries, 1u);
    // The segment that says so must not go before the one that has the entry, however much comes after it.
    for (int i = 0; i < 6; ++i) journal->settle(append(std::string(900, 'x'), 9));
    restart();
    EXPECT_EQ(journal->owed_total().entries, 1u);
    EXPECT_EQ(journal->set_aside_entries({}, 10).at(0).entry.id, b);
    EXPECT_TRUE(journal->drop_set_aside(b));
    restart();
    EXPECT_EQ(journal->owed_total().entries, 0u);
}

TEST_F(JournalTest, AReasonOutlivesTheSegmentsBetween) {
    const auto bad = append_released("bad");
    for (int i = 0; i < 4; ++i) journal->settle(append(std::string(900, 'x')));
    journal->set_aside(bad, "refused");
    for (int i = 0; i < 4; ++i) journal->settle(append(std::string(900, 'x')));
    // The entry's segment, the note's, and the newest: everything else has gone.
    await([&] { return segments().size() == 3; });
    restart();
    EXPECT_EQ(journal->set_aside_entries({}, 10).at(0).reason, "refused");
    journal->settle(bad);
    await([&] { return segments().size() <= 2; });
}

TEST_F(JournalTest, LongReasonsAreCut) {
    journal->set_aside(append("x"), std::string(5000, 'r'));
    restart();
    EXPECT_EQ(journal->set_aside_entries({}, 1)[0].reason.size(), Journal::kMaxReasonBytes);
}

TEST_F(JournalTest, PastTheQuotaAppendsFailAndGoOnWhenThereIsRoom) {
    options.quota_bytes = 4096;
    restart();
    std::vector<EntryId> ids;
    Result<EntryId> answer = EntryId();
    while ((answer = try_append(std::string(400, 'x')))) ids.push_back(answer.value());
    EXPECT_EQ(answer.error().code, Errc::overloaded);
    EXPECT_THAT(answer.error().what,
                AllOf(StartsWith("the journal is full: "), HasSubstr("bytes of journal.quota (4096) are used"),
                      HasSubstr("bring the shadow back, cancel the migration, or raise journal.quota")));
    EXPECT_GT(ids.size(), 5u);
    EXPECT_EQ(journal->owed_total().entries, ids.size()) << "what failed is not owed";
    EXPECT_LE(journal->bytes_on_disk(), 4096u);
    EXPECT_EQ(journal->figures().refused, 1u);
    for (const auto id : ids) journal->settle(id);
    await([&] { return try_append("y").has_value(); });
}

TEST_F(JournalTest, MemoryForASlowDiskIsBounded) {
    options.pending_bytes = 1000;
    restart();
    append("opens");
    disk->hold_syncs(true);
    std::vector<Error> errors;
    int good = 0;
    on_shard([&] {
        for (int i = 0; i < 10; ++i) {
            journal->append(1, 1, bytes_of(std::string(200, 'x')),
                            [&](Result<EntryId> id) { id ? void(++good) : errors.push_back(id.error()); });
        }
    });
    shard.run([&] { return errors.size() == 6; });
    EXPECT_EQ(errors[0].code, Errc::overloaded);
    EXPECT_THAT(errors[0].what, HasSubstr("bytes wait for the journal's disk, as many as journal.pending allows"));
    disk->hold_syncs(false);
    shard.run([&] { return good == 4; });
    EXPECT_TRUE(try_append(std::string(3000, 'b'))) << "alone, a record may be larger than the bound";
}

TEST_F(JournalTest, ARecordThatCannotBeIsRefused) {
    std::optional<Result<EntryId>> answer;
    on_shard([&] {
        journal->append(1, 1, BytesView(static_cast<const Byte*>(nullptr), kMaxPayloadBytes + 1),
                        [&](Result<EntryId> id) { answer = std::move(id); });
        EXPECT_FALSE(answer) << "never inside append()";
    });
    shard.run([&] { return answer.has_value(); });
    EXPECT_EQ(answer->error().what, "a record of 536870913 bytes does not fit the journal; the most is 536870912");
    EXPECT_EQ(journal->owed_total().entries, 0u);
}

TEST_F(JournalTest, AFullDiskFailsAppendsAndTheJournalGoesOnWhenThereIsRoom) {
    const auto before = append_released("before");
    disk->set_capacity(600);
    Strings owed_now{"before"};
    for (int i = 0; i < 20; ++i) {
        const auto answer = try_append(std::string(300, 'x'));
        if (answer) {
            journal->release(answer.value());
            owed_now.emplace_back(300, 'x');
            continue;
        }
        EXPECT_EQ(answer.error().code, Errc::io);
        EXPECT_EQ(answer.error().detail, ENOSPC);
        EXPECT_THAT(answer.error().what,
                    AllOf(StartsWith("write /state/journal/stream-1/"), HasSubstr("No space left on device"),
                          HasSubstr("free space on that file system; the journal goes on by itself")));
        if (i % 3 == 0) clock.advance(Seconds(2));
    }
    EXPECT_EQ(journal->owed_of(1, 1).entries, owed_now.size());
    EXPECT_LE(segments().size(), 3u) << "a full disk does not collect files";
    disk->set_capacity(1 << 20);
    clock.advance(Seconds(2));
    EXPECT_GT(append_released("after"), before);
    owed_now.emplace_back("after");
    EXPECT_EQ(owed(), owed_now);
    EXPECT_GE(journal->figures().failed_records, 18u);
    crash(Loses::everything);
    open();
    EXPECT_EQ(owed(), owed_now);
}

TEST_F(JournalTest, AfterAFailedSyncTheSegmentIsNotTrusted) {
    append_released("kept");
    bool failed = false;
    disk->plan([&](std::size_t, const MemoryFileSystem::Call& call) {
        if (failed || call.name != "fdatasync") return 0;
        failed = true;
        return EIO;
    });
    const auto answer = try_append("lost");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().what,
              "fdatasync /state/journal/stream-1/00000000000000000001.segment: Input/output error; check the disk and "
              "the kernel's "
              "log; the journal goes on by itself, in a new segment, once writes succeed");
    append_released("next");
    EXPECT_THAT(segments(), ElementsAre("1", "2"));
    crash(Loses::everything);
    open();
    EXPECT_THAT(owed(), ElementsAre("kept", "next"));
    crash(Loses::nothing);
    open();
    EXPECT_THAT(owed(), ElementsAre("kept", "next")) << "what was refused does not come back either";
}

TEST_F(JournalTest, ASegmentThatCannotBeMadeFailsTheAppend) {
    for (const std::string call : {"mkdir", "create", "write", "fdatasync", "rename", "fsync directory"}) {
        bool failed = false;
        close();
        disk = std::make_unique<MemoryFileSystem>();
        open();
        disk->plan([&](std::size_t, const MemoryFileSystem::Call& at) {
            if (failed || at.name != call) return 0;
            failed = true;
            return EACCES;
        });
        const auto answer = try_append("x");
        ASSERT_FALSE(answer) << call;
        EXPECT_THAT(answer.error().what,
                    AllOf(HasSubstr("/state/journal"), HasSubstr("Permission denied; let the user that runs "
                                                                 "penumbra write there")))
            << call;
        EXPECT_EQ(journal->owed_total().entries, 0u);
        append("y");
        crash(Loses::everything);
        open();
        EXPECT_THAT(owed(), ElementsAre("y")) << call;
    }
}

TEST_F(JournalTest, NotesThatCouldNotBeWrittenAreTriedAgain) {
    const auto id = append_released("bad");
    std::atomic<int> failures{0};
    disk->plan([&](std::size_t, const MemoryFileSystem::Call& call) {
        if (call.name != "write") return 0;
        ++failures;
        return EIO;
    });
    journal->set_aside(id, "refused");
    await([&] { return failures > 0; });
    disk->plan({});
    clock.advance(Seconds(2));
    restart();  // at the latest
    EXPECT_EQ(journal->set_aside_entries({}, 1).at(0).reason, "refused");
}

TEST_F(JournalTest, ClosingOnABrokenDiskEnds) {
    const auto id = append_released("x");
    disk->plan([](std::size_t, const MemoryFileSystem::Call&) { return EIO; });
    journal->set_aside(id, "never written");
    close();
    disk->plan({});
    open();
    EXPECT_THAT(owed(), ElementsAre("x"));
}

TEST_F(JournalTest, ASegmentThatCannotBeDeletedIsTriedAgain) {
    const auto first = append(std::string(900, 'x'));
    append("second");
    std::atomic<int> refused{0};
    disk->plan([&](std::size_t, const MemoryFileSystem::Call& call) {
        if (call.name != "remove") return 0;
        ++refused;
        return EIO;
    });
    journal->settle(first);
    await([&] { return refused > 0; });
    EXPECT_EQ(segments(), (Strings{"1", "2"}));
    disk->plan({});
    await([&] { return segments() == Strings{"2"}; });
}

TEST_F(JournalTest, ADamagedRecordIsNotReturned) {
    const auto id = append_released("precious");
    const auto file = std::string(kStream1) + "/00000000000000000001.segment";
    const auto whole = disk->contents(file);
    auto bytes = whole;
    bytes[kSegmentHeaderBytes + kRecordHeaderBytes] ^= 1;
    disk->set_contents(file, bytes);
    const auto read = journal->read(id);
    EXPECT_EQ(read.error().code, Errc::corrupt);
    EXPECT_EQ(read.error().what,
              file +
                  ": damaged at offset 64 (the checksum of the payload does not hold); check the disk, and "
                  "copy and verify scope 1 again before this entry is dropped");
    bytes = whole;
    bytes[kSegmentHeaderBytes + 9] ^= 1;
    disk->set_contents(file, bytes);
    EXPECT_THAT(journal->read(id).error().what, HasSubstr("the checksum of the record header does not hold"));
    bytes.resize(70);
    disk->set_contents(file, bytes);
    EXPECT_THAT(journal->read(id).error().what, HasSubstr("the record is cut short"));
    disk->set_contents(file, whole);
    disk->fail_reads(EIO);
    EXPECT_EQ(journal->read(id).error().code, Errc::io);
    EXPECT_EQ(journal->read(id).error().what, "read " + file + ": Input/output error");
}

class DamageTest : public JournalFixture {
  protected:
    void SetUp() override {
        open();
        append(std::string(900, 'a'));
        append(std::string(900, 'b'));
        append("c");
    }
    Error open_error() {
        auto opened = try_open();
        EXPECT_FALSE(opened);
        return opened ? Error() : opened.error();
    }
    static std::string file(int id) { return fmt::format("{}/{:020}.segment", kStream1, id); }
    void damage(int id, std::size_t at) {
        auto bytes = disk->contents(file(id));
        bytes.at(at) ^= 1;
        disk->set_contents(file(id), bytes);
    }
};

TEST_F(DamageTest, InAnOlderSegmentIsAnErrorThatNamesFileOffsetAndRemedy) {
    close();
    damage(1, 200);
    const auto error = open_error();
    EXPECT_EQ(error.code, Errc::corrupt);
    EXPECT_EQ(
        error.what,
        "cannot open the journal: " + file(1) +
            ": damaged at offset 64 (the checksum of the payload does not hold); writes that are owed to the shadow "
            "are "
            "lost with it. Restore the file from a copy; or move it out of the directory, start again, and copy and "
            "verify every scope that was shadowed");
    disk->erase(file(1));
    open();
    EXPECT_EQ(owed().size(), 2u) << "the remedy works";
}

TEST_F(DamageTest, InTheLastSegmentBeforeWhatASyncVouchedForIsAnError) {
    append("d");
    crash(Loses::nothing);
    damage(3, kSegmentHeaderBytes + 1);
    EXPECT_EQ(open_error().code, Errc::corrupt);
}

TEST_F(DamageTest, InTheLastCommitOfAClosedJournalIsAnError) {
    close();
    damage(3, kSegmentHeaderBytes + kRecordHeaderBytes);
    EXPECT_EQ(open_error().code, Errc::corrupt);
}

TEST_F(DamageTest, ATornTailIsTheEnd) {
    append("d");
    crash(Loses::nothing);
    auto bytes = disk->contents(file(3));
    bytes.resize(bytes.size() - 3);
    disk->set_contents(file(3), bytes);
    open();
    EXPECT_EQ(owed(), (Strings{std::string(900, 'a'), std::string(900, 'b'), "c"}));
    append("e");
    // The tail stays in the file; the segment after it says where it begins, and stays as long.
    for (const auto& entry : journal->owed(1, 2)) journal->settle(entry.id);
    await([&] { return segments() == Strings{"3", "4"}; });
    await([&] { return disk->all_names_durable(); });
    crash(Loses::everything);
    open();
    EXPECT_EQ(owed(), (Strings{"c", "e"}));
}

TEST_F(DamageTest, OfAHeaderIsAnError) {
    close();
    damage(3, 20);
    EXPECT_THAT(open_error().what, StartsWith("cannot open the journal: " + file(3) +
                                              ": the checksum of the header does not hold; writes"));
}

TEST_F(DamageTest, ASegmentUnderAnothersNameIsAnError) {
    close();
    disk->set_contents(file(2), disk->contents(file(3)));
    EXPECT_THAT(open_error().what, HasSubstr(file(2) + ": this is segment 3 of stream 1 under another's name; writes"));
}

TEST_F(DamageTest, ANewerFormatIsLeftAlone) {
    close();
    Bytes bytes(kSegmentHeaderBytes);
    encode(SegmentHeader{.stream = 1, .id = SegmentId(4)}, bytes);
    disk->set_contents(file(4), bytes);
    EXPECT_THAT(open_error().what, HasSubstr(file(4) + ": its records are older than those of the segment before"));
}

TEST_F(DamageTest, TheSameSequenceTwiceIsAnError) {
    const auto stream0 = std::string(kDirectory) + "/stream-0";
    append("x", 1, 0);
    close();
    // As after a file that was moved away, and brought back when its ids had been given out again.
    auto bytes = disk->contents(stream0 + "/00000000000000000001.segment");
    RecordHeader header;
    ASSERT_EQ(decode_record_header(BytesView(bytes).subspan(64), SegmentId(1), 64, header), nullptr);
    encode(SegmentHeader{.stream = 0, .id = SegmentId(1), .first_sequence = 1}, bytes);
    header.sequence = 1;
    encode(header, SegmentId(1), 64, MutableBytes(bytes).subspan(64));
    disk->set_contents(stream0 + "/00000000000000000001.segment", bytes);
    EXPECT_THAT(open_error().what, HasSubstr("damaged at offset 64 (its sequence is that of another record)"));
}

TEST_F(DamageTest, StrayFilesAreNotSegments) {
    close();
    disk->set_contents(std::string(kStream1) + "/notes.txt", Bytes{1, 2, 3});
    disk->set_contents(std::string(kStream1) + "/00000000000000000009.segment.new", Bytes{1, 2, 3});
    disk->add_directory(std::string(kDirectory) + "/stream-x");
    disk->add_directory(std::string(kDirectory) + "/lost+found");
    open();
    EXPECT_EQ(owed().size(), 3u);
    EXPECT_THAT(disk->names(kStream1), ::testing::Not(::testing::Contains(HasSubstr(".new"))));
    EXPECT_THAT(disk->names(kStream1), ::testing::Contains("notes.txt"));
}

class OpenTest : public JournalFixture {};

TEST_F(OpenTest, OptionsThatCannotBeAreNamed) {
    const auto error_of = [&](Options wrong) { return Journal::open(std::move(wrong), clock, *disk).error(); };
    EXPECT_EQ(error_of({}).what, "cannot open the journal: the journal needs a directory; name one with --state");
    EXPECT_EQ(error_of({.directory = "/j", .segment_bytes = 100}).what,
              "cannot open the journal: journal.segment_bytes is 100; it must be from 512 to 1073741824");
    EXPECT_EQ(error_of({.directory = "/j", .segment_bytes = 4096, .quota_bytes = 1000}).what,
              "cannot open the journal: journal.quota is 1000, less than one segment; raise it to several times "
              "journal.segment_bytes "
              "(4096), or lower that");
    EXPECT_EQ(error_of({}).code, Errc::invalid_argument);
}

TEST_F(OpenTest, EveryCallThatFailsIsAnErrorWithAPath) {
    open();
    append("x");
    close();
    for (std::size_t failing = 0;; ++failing) {
        const auto first = disk->calls();
        bool hit = false;
        disk->plan([&](std::size_t number, const MemoryFileSystem::Call& call) {
            // Past the recovery the writer runs; what fails there is not open()'s.
            if (number - first != failing || call.path == "/state" || call.path == "/") return 0;
            hit = true;
            return EACCES;
        });
        const auto opened = try_open();
        disk->plan({});
        if (opened) {
            // Not one of open()'s any more, or one of those above, which may belong to somebody else.
            const auto all = disk->calls() - first;
            close();
            if (all <= failing) break;
            continue;
        }
        EXPECT_TRUE(hit);
        EXPECT_EQ(opened.error().code, Errc::io);
        EXPECT_THAT(opened.error().what,
                    AllOf(StartsWith("cannot open the journal: "), HasSubstr("/state/journal"),
                          HasSubstr(": Permission denied; let the user that runs penumbra write there")));
        ASSERT_LT(failing, 40u);
    }
    open();
    EXPECT_THAT(owed(), ElementsAre("x"));
}

TEST_F(OpenTest, UnreadableContentsAreAnError) {
    open();
    append("x");
    close();
    disk->fail_reads(EIO);
    EXPECT_THAT(try_open().error().what,
                AllOf(HasSubstr("read /state/journal/stream-1/"), HasSubstr("Input/output error; check the disk")));
}

}  // namespace
}  // namespace penumbra::journal
