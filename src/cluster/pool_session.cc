#include "cluster/pool_session.h"

#include <algorithm>

#include <fmt/format.h>

#include "cluster/cluster.h"
#include "cql/protocol/requests.h"
#include "cql/protocol/response_peeks.h"

namespace penumbra::cluster {

namespace {

constexpr std::size_t kMostStatements = 4096;  // our own are few; the bound is for replays of many applications' texts
constexpr int kMostAttempts = 4;

/// One QUERY or EXECUTE, written when it is known which node it goes to.
class StatementRequest final : public Request {
  public:
    StatementRequest(cql::ProtocolVersion version, const std::string& text, const SessionStatement* prepared,
                     const cql::Parameters& parameters)
        : version_(version), text_(text), prepared_(prepared), parameters_(parameters) {}
    const OneShot<CallRequest::Outcome>& outcome() const { return outcome_; }

    void write_to(Bytes& out, std::int16_t stream) override {
        cql::RequestHead head;
        head.version = version_;
        head.stream = stream;
        if (prepared_) {
            const auto& ids = prepared_->on(node());
            cql::encode_execute(out, head, ids.id, ids.result_metadata_id, parameters_);
        } else {
            cql::encode_query(out, head, text_, parameters_);
        }
    }
    void on_reply(const cql::FrameView& frame) override {
        outcome_.set({Bytes(frame.whole.begin(), frame.whole.end()), Applied::yes});
    }
    void on_failed(const Error& error, Applied applied) override { outcome_.set({fail(error), applied}); }

  private:
    cql::ProtocolVersion version_;
    const std::string& text_;
    const SessionStatement* prepared_;
    const cql::Parameters& parameters_;
    OneShot<CallRequest::Outcome> outcome_;
};

/// Coroutine access through the pool of the shard that made it.
class PoolSession final : public Session {
  public:
    PoolSession(Cluster& cluster, Pool& pool, SessionStatements& statements)
        : cluster_(cluster), pool_(pool), statements_(statements) {}

    Task<Result<cql::Rows>> execute(std::string text, std::vector<cql::Cell> values, QueryOptions options) override {
        const auto by = bounded(options.by);
        std::vector<cql::CellView> views;
        views.reserve(values.size());
        for (const auto& value : values) views.push_back(cql::view_of(value));
        cql::Parameters parameters;
        parameters.consistency = options.consistency;
        parameters.values = views;
        parameters.timestamp = options.timestamp;
        if (options.page_size > 0) parameters.page_size = options.page_size;
        if (!options.paging_state.empty()) parameters.paging_state = cql::CellView(options.paging_state);
        const auto version = cluster_.newest_version();
        SessionStatements::Ptr prepared;
        if (!values.empty()) {
            auto found = co_await statement(version, text, {}, by);
            CO_TRY(auto statement, std::move(found));
            prepared = std::move(statement);
        }
        const auto group = pool_.group({version, {}, {}});
        std::optional<Endpoint> node;
        for (int attempt = 1;; ++attempt) {
            StatementRequest request(version, text, prepared.get(), parameters);
            Pool::Placement placement;
            placement.group = group.get();
            placement.node = node ? &*node : nullptr;
            if (prepared) {
                placement.table = prepared->table.get();
                placement.token = token_of(*prepared, views);
            }
            auto outcome = co_await sent(request, placement, request.outcome(), by);
            if (!outcome.frame) {
                // Surely not done: another node may do, where this one was only for its knowing the statement.
                if (outcome.applied == Applied::no && node && attempt < kMostAttempts) {
                    node.reset();
                    continue;
                }
                co_return fail(std::move(outcome.frame).error());
            }
            const auto reply = std::move(outcome.frame).value();
            auto viewed = cql::view_frame(reply, cql::Direction::response);
            CO_TRY(auto frame, std::move(viewed));
            if (prepared && cql::is_unprepared(frame) && attempt < kMostAttempts) {
                // That node forgot it (restart, schema change) or never knew: prepare there and ask again. Nothing was
                // done.
                node = request.node();
                auto again = co_await prepare_on(prepared, version, text, {}, node, by);
                CO_TRY(const auto id, std::move(again));
                continue;
            }
            auto rows = cql::Rows::from(frame);
            co_return rows;
        }
    }

    Task<Result<Bytes>> send(Bytes frame, std::string keyspace, Deadline by) override {
        std::optional<Endpoint> any;
        auto reply = co_await send_to(&any, std::move(frame), std::move(keyspace), by);
        co_return reply;
    }

    Task<Result<Bytes>> send_to(std::optional<Endpoint>* node, Bytes frame, std::string keyspace,
                                Deadline by) override {
        Endpoint used;
        auto reply = co_await exchange(std::move(frame), std::move(keyspace), *node, bounded(by), &used);
        if (reply) *node = used;
        co_return reply;
    }

    Task<Result<Bytes>> prepare(std::string text, std::string keyspace, std::optional<Endpoint> node,
                                Deadline by) override {
        const auto version = cluster_.newest_version();
        auto found = co_await statement(version, text, keyspace, bounded(by));
        CO_TRY(const auto known, std::move(found));
        if (!node) co_return known->first.id;
        auto id = co_await prepare_on(known, version, std::move(text), std::move(keyspace), node, bounded(by));
        co_return id;
    }

    cql::SchemaPtr schema() const override { return cluster_.schema(); }
    Task<Result<cql::SchemaPtr>> schema_as_of(SteadyTime when, Deadline by) override {
        return cluster_.schema_as_of(when, by);
    }
    std::vector<cql::Token> ring() const override {
        const auto topology = cluster_.topology();
        return topology ? topology->ring() : std::vector<cql::Token>();
    }
    std::string release_version() const override {
        const auto topology = cluster_.topology();
        return topology ? topology->release_version() : std::string();
    }
    bool is_scylla() const override {
        const auto topology = cluster_.topology();
        return topology && topology->is_scylla;
    }

  private:
    static std::string key_of(cql::ProtocolVersion version, const std::string& text, const std::string& keyspace) {
        return fmt::format("{}{}{}{}{}", static_cast<int>(version), '\0', keyspace, '\0', text);
    }

    static std::optional<cql::Token> token_of(const SessionStatement& statement,
                                              std::span<const cql::CellView> values) {
        if (statement.key_columns.empty()) return std::nullopt;
        std::vector<BytesView> key;
        for (const auto column : statement.key_columns) {
            if (column >= values.size() || !values[column].has_value()) return std::nullopt;
            key.push_back(values[column].bytes());
        }
        Bytes serialized;
        if (!cql::append_partition_key(key, serialized)) return std::nullopt;  // the server says what is wrong with it
        return cql::murmur3_token(serialized);
    }

    /// A deadline that the caller chose stands, also a late one: a schema change may take a minute.
    Deadline bounded(Deadline by) const {
        if (by.at != Deadline::never().at) return by;
        return Deadline::in(Shard::here().clock(), cluster_.options().request_timeout);
    }

    /// `request` belongs to the caller's frame, as does what `placement` points to.
    Task<CallRequest::Outcome> sent(Request& request, Pool::Placement placement, OneShot<CallRequest::Outcome> outcome,
                                    Deadline by) {
        auto submitted = pool_.submit(request, placement);
        if (!submitted) {
            CallRequest::Outcome refused{fail(std::move(submitted).error()), Applied::no};
            co_return refused;
        }
        const auto timer = Shard::here().call_at(by.at, [outcome, name = cluster_.name()] {
            outcome.set(
                {fail(Errc::timeout, fmt::format("the {} cluster did not answer in time", name)), Applied::unknown});
        });
        auto result = co_await outcome;
        Shard::here().cancel(timer);
        co_return result;
    }

    Task<Result<Bytes>> exchange(Bytes frame, std::string keyspace, std::optional<Endpoint> node, Deadline by,
                                 Endpoint* used) {
        auto viewed = cql::view_frame(frame, cql::Direction::request);
        CO_TRY(auto view, std::move(viewed));
        const auto group = pool_.group({view.version(), std::move(keyspace), {}});
        CallRequest request(std::move(frame));
        Pool::Placement placement;
        placement.group = group.get();
        placement.node = node ? &*node : nullptr;
        auto outcome = co_await sent(request, placement, request.outcome(), by);
        if (used) *used = request.node();
        co_return std::move(outcome.frame);
    }

    Task<Result<SessionStatements::Ptr>> statement(cql::ProtocolVersion version, std::string text, std::string keyspace,
                                                   Deadline by) {
        const auto key = key_of(version, text, keyspace);
        if (auto known = statements_.find(key)) co_return known;
        auto fresh = std::make_shared<SessionStatement>();
        auto prepared = co_await prepare_on(fresh, version, std::move(text), std::move(keyspace), std::nullopt, by);
        CO_TRY(const auto id, std::move(prepared));
        statements_.put(key, fresh);
        co_return fresh;
    }

    /// Prepares on `node`, or on any, and notes in `into` what the node calls it.
    Task<Result<Bytes>> prepare_on(SessionStatements::Ptr into, cql::ProtocolVersion version, std::string text,
                                   std::string keyspace, std::optional<Endpoint> node, Deadline by) {
        cql::RequestHead head;
        head.version = version;
        Bytes request;
        cql::encode_prepare(request, head, text);
        Endpoint used;
        auto replied = co_await exchange(std::move(request), std::move(keyspace), node, by, &used);
        CO_TRY(auto reply, std::move(replied));
        auto viewed = cql::view_frame(reply, cql::Direction::response);
        CO_TRY(auto frame, std::move(viewed));
        auto decoded = cql::decode_prepared(frame);
        CO_TRY(auto prepared, std::move(decoded));
        SessionStatement::Ids ids;
        ids.id.assign(prepared.id.begin(), prepared.id.end());
        if (const auto& result_id = prepared.result_metadata_id)
            ids.result_metadata_id.assign(result_id->begin(), result_id->end());
        const auto id = ids.id;
        into->set(used, std::move(ids));
        into->key_columns = prepared.metadata.pk_indices;
        const auto table = prepared.metadata.global;
        if (!into->key_columns.empty() && !table.table.empty()) into->table = pool_.table(table.keyspace, table.table);
        co_return id;
    }

    Cluster& cluster_;
    Pool& pool_;
    SessionStatements& statements_;
};

}  // namespace

const SessionStatement::Ids& SessionStatement::on(const Endpoint& node) const {
    const auto found = std::ranges::find(others, node, &std::pair<Endpoint, Ids>::first);
    return found == others.end() ? first : found->second;
}

void SessionStatement::set(const Endpoint& node, Ids ids) {
    if (first.id.empty()) {
        first = std::move(ids);
        return;
    }
    std::erase_if(others, [&](const auto& other) { return other.first == node; });
    if (ids.id != first.id || ids.result_metadata_id != first.result_metadata_id) others.emplace_back(node, ids);
}

SessionStatements::Ptr SessionStatements::find(const std::string& key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : found->second;
}

void SessionStatements::put(const std::string& key, Ptr statement) {
    if (by_key_.size() >= kMostStatements) by_key_.clear();
    by_key_.insert_or_assign(key, std::move(statement));
}

std::unique_ptr<Session> make_pool_session(Cluster& cluster, Pool& pool, SessionStatements& statements) {
    return std::make_unique<PoolSession>(cluster, pool, statements);
}

}  // namespace penumbra::cluster
