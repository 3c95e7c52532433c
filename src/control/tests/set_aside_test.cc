#include "control/set_aside.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/tests/fakes.h"
#include "cql/protocol/requests.h"

namespace penumbra::control {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::run_here;
using ::testing::SizeIs;
using testing::TempDirectory;
using testing::World;

class SetAsideTest : public ::testing::Test {
  protected:
    SetAsideTest() {
        journal::Options options;
        options.directory = directory_.path() / "journal";
        journal_ = std::move(journal::Journal::open(options, Clock::system())).value();
    }

    /// Runs `work` on the control shard of a world with the migration "acme".
    void with_world(std::function<Task<void>(World&, SetAside&)> work) {
        Shard shard("control");
        World world(directory_.path());
        run_here(shard, run(&world, journal_.get(), &work));
        journal_.reset();  // the shards must still be there
    }
    static Task<void> run(World* world, journal::Journal* journal, std::function<Task<void>(World&, SetAside&)>* work) {
        const auto started = co_await world->start();
        EXPECT_TRUE(started);
        auto created = co_await world->create("acme", "acme-id");
        EXPECT_TRUE(created);
        {
            SetAside set_aside(*journal, *world->coordinator, world->background);
            co_await (*work)(*world, set_aside);
        }
        co_await world->stop();
    }

    /// An entry that is set aside, as the replayer leaves it.
    static Task<std::uint64_t> refused(journal::Journal* journal, std::uint32_t scope, Bytes payload) {
        const OneShot<journal::EntryId> done;
        journal->append(1, scope, payload, [done](Result<journal::EntryId> id) { done.set(id.value()); });
        const auto id = co_await done;
        journal->release(id);
        journal->set_aside(id, "unconfigured table orders");
        co_return id.value();
    }
    static Bytes statement(bool with_rows = true) {
        Bytes frame;
        cql::encode_query(frame, {}, "INSERT INTO shop.settings (id) VALUES (7)", {});
        std::vector<sync::OwedResync> rows;
        if (with_rows) rows.push_back({"shop", "settings", {Byte{0}, Byte{0}, Byte{0}, Byte{7}}});
        Bytes payload;
        sync::encode_owed_statement("shop", {}, rows, frame, payload);
        return payload;
    }

    TempDirectory directory_;
    std::unique_ptr<journal::Journal> journal_;
};

TEST_F(SetAsideTest, ListsWithReasonTableKeyAndTime) {
    with_world([this](World& world, SetAside& set_aside) -> Task<void> {
        world.source.tables = testing::shop_schema();
        const auto acme = world.migration("acme").id.value();
        const auto id = co_await refused(journal_.get(), acme, statement());
        const Bytes nonsense(1, Byte{99});
        co_await refused(journal_.get(), 0, nonsense);
        const auto listed = co_await set_aside.list(std::string("acme"), 10);
        EXPECT_TRUE(listed);
        EXPECT_THAT(listed.value(), SizeIs(1));
        const auto& one = listed.value().at(0);
        EXPECT_EQ(one.entry.entry.id.value(), id);
        EXPECT_EQ(one.migration, "acme");
        EXPECT_EQ(one.entry.reason, "unconfigured table orders");
        EXPECT_EQ(one.picture->where(), "shop.settings id=7");
        EXPECT_EQ(one.picture->script(), "INSERT INTO shop.settings (id) VALUES (7);\n");
        const auto all = co_await set_aside.list(std::nullopt, 10);
        EXPECT_THAT(all.value(), SizeIs(2));
        EXPECT_FALSE(all.value()[0].picture) << "nobody can read it, and it is listed all the same";
        EXPECT_THAT(all.value()[0].unreadable, HasSubstr("malformed"));
        const auto nobody = co_await set_aside.list(std::string("nobody"), 10);
        EXPECT_EQ(nobody.error().code, Errc::not_found);
    });
}

TEST_F(SetAsideTest, RetryOffersThemAgainAndTheAuditKnows) {
    with_world([this](World& world, SetAside& set_aside) -> Task<void> {
        const auto acme = world.migration("acme").id.value();
        const auto a = co_await refused(journal_.get(), acme, statement());
        const auto b = co_await refused(journal_.get(), acme, statement());
        const auto other = co_await refused(journal_.get(), acme + 1, statement());
        SetAsideOrder one;
        one.migration = "acme";
        one.entries = {b, other, 4711};
        const auto report = co_await set_aside.retry(one);
        EXPECT_THAT(report.value().done, ElementsAre(b));
        EXPECT_THAT(report.value().failed, SizeIs(2)) << "of another migration, and one that is not there";
        EXPECT_EQ(report.value().left, 1u);
        SetAsideOrder all;
        all.migration = "acme";
        const auto rest = co_await set_aside.retry(all);
        EXPECT_THAT(rest.value().done, ElementsAre(a));
        EXPECT_THAT(journal_->owed(1, 10), SizeIs(2));
        const auto audit = co_await world.coordinator->audit(std::string("acme"), 10);
        EXPECT_EQ(audit.value().at(0).command, "set-aside retry");
        EXPECT_THAT(audit.value().at(0).gates.at(0).detail, HasSubstr(std::to_string(a)));
    });
}

TEST_F(SetAsideTest, ResyncOwesTheRowsInstead) {
    with_world([this](World& world, SetAside& set_aside) -> Task<void> {
        const auto acme = world.migration("acme").id.value();
        const auto id = co_await refused(journal_.get(), acme, statement());
        const auto without = co_await refused(journal_.get(), acme, statement(false));
        SetAsideOrder all;
        all.migration = "acme";
        const auto report = co_await set_aside.resync(all);
        EXPECT_THAT(report.value().done, ElementsAre(id));
        EXPECT_EQ(report.value().failed.at(0).entry, without);
        EXPECT_THAT(report.value().failed.at(0).why, HasSubstr("verify --repair"));
        EXPECT_EQ(report.value().left, 1u) << "what could not be ordered stays";
        const auto owed = journal_->owed(1, 10);
        EXPECT_THAT(owed, SizeIs(1));
        const auto order = sync::decode_owed(journal_->read(owed.at(0).id).value());
        EXPECT_EQ(std::get<sync::OwedResync>(order.value()).table, "settings");
        EXPECT_EQ(owed.at(0).scope, acme);
    });
}

TEST_F(SetAsideTest, DropLeavesATrace) {
    with_world([this](World& world, SetAside& set_aside) -> Task<void> {
        const auto acme = world.migration("acme").id.value();
        const auto id = co_await refused(journal_.get(), acme, statement());
        SetAsideOrder one;
        one.migration = "acme-id";  // the tenant stands for its migration
        one.entries = {id};
        one.reason = "the table was dropped on purpose";
        const auto report = co_await set_aside.drop(one);
        EXPECT_THAT(report.value().done, ElementsAre(id));
        EXPECT_EQ(journal_->owed_total().entries, 0u);
        const auto audit = co_await world.coordinator->audit(std::string("acme"), 10);
        EXPECT_EQ(audit.value().at(0).command, "set-aside drop");
        EXPECT_EQ(audit.value().at(0).reason, "the table was dropped on purpose");
    });
}

}  // namespace
}  // namespace penumbra::control
