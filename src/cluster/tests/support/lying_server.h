#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cql/protocol/md5.h"
#include "cql/protocol/requests.h"
#include "cql/protocol/responses.h"
#include "cql/protocol/rows.h"
#include "cql/protocol/wire_reader.h"
#include "cql/protocol/wire_writer.h"
#include "cql/types/scalars.h"
#include "runtime/listener.h"
#include "runtime/stream.h"

namespace penumbra::cluster::testing {

/// A row of system_schema.columns.
struct ColumnRow {
    std::string keyspace, table, name, kind, type;
    int position = -1;
    std::string order = "none";
};
struct TypeRow {
    std::string keyspace, name;
    std::vector<std::string> field_names, field_types;
};

/// What system_schema holds; tables are those that the columns name.
struct SchemaRows {
    std::vector<std::string> keyspaces;
    std::vector<ColumnRow> columns;
    std::vector<TypeRow> types;
    std::vector<std::pair<std::string, std::string>> views;

    bool is_view(const std::string& keyspace, const std::string& name) const {
        return std::ranges::find(views, std::pair(keyspace, name)) != views.end();
    }
    cql::RowsBuilder keyspace_rows() const {
        cql::RowsBuilder rows("system_schema", "keyspaces");
        rows.add_column("keyspace_name", text());
        rows.add_column("replication", cql::map_of(text(), text(), cql::Frozen::yes));
        for (const auto& keyspace : keyspaces) {
            rows.add(cql::encode_text(keyspace));
            rows.add(cql::encode_text_map({{"class", "SimpleStrategy"}, {"replication_factor", "1"}}));
        }
        return rows;
    }
    cql::RowsBuilder table_rows() const {
        cql::RowsBuilder rows("system_schema", "tables");
        rows.add_column("keyspace_name", text());
        rows.add_column("table_name", text());
        rows.add_column("default_time_to_live", cql::scalar(cql::TypeKind::int_));
        rows.add_column("gc_grace_seconds", cql::scalar(cql::TypeKind::int_));
        std::vector<std::pair<std::string, std::string>> seen;
        for (const auto& column : columns) {
            const std::pair key(column.keyspace, column.table);
            if (is_view(key.first, key.second) || std::ranges::find(seen, key) != seen.end()) continue;
            seen.push_back(key);
            rows.add(cql::encode_text(key.first));
            rows.add(cql::encode_text(key.second));
            rows.add(cql::encode_int(0));
            rows.add(cql::encode_int(864000));
        }
        return rows;
    }
    cql::RowsBuilder column_rows() const {
        cql::RowsBuilder rows("system_schema", "columns");
        for (const auto* name : {"keyspace_name", "table_name", "column_name", "kind", "type", "clustering_order"})
            rows.add_column(name, text());
        rows.add_column("position", cql::scalar(cql::TypeKind::int_));
        for (const auto& column : columns) {
            for (const auto& cell :
                 {column.keyspace, column.table, column.name, column.kind, column.type, column.order})
                rows.add(cql::encode_text(cell));
            rows.add(cql::encode_int(column.position));
        }
        return rows;
    }
    cql::RowsBuilder type_rows() const {
        cql::RowsBuilder rows("system_schema", "types");
        rows.add_column("keyspace_name", text());
        rows.add_column("type_name", text());
        rows.add_column("field_names", cql::list_of(text(), cql::Frozen::yes));
        rows.add_column("field_types", cql::list_of(text(), cql::Frozen::yes));
        for (const auto& type : types) {
            rows.add(cql::encode_text(type.keyspace));
            rows.add(cql::encode_text(type.name));
            rows.add(cql::encode_text_list(type.field_names));
            rows.add(cql::encode_text_list(type.field_types));
        }
        return rows;
    }
    cql::RowsBuilder view_rows() const {
        cql::RowsBuilder rows("system_schema", "views");
        rows.add_column("keyspace_name", text());
        rows.add_column("view_name", text());
        for (const auto& [keyspace, name] : views) {
            rows.add(cql::encode_text(keyspace));
            rows.add(cql::encode_text(name));
        }
        return rows;
    }
    static const cql::TypePtr& text() { return cql::scalar(cql::TypeKind::text); }
};

/// The frame of a RESULT of these rows, as Rows.
inline cql::Rows as_rows(const cql::RowsBuilder& built) {
    Bytes frame;
    cql::encode_rows(frame, {}, built.view());
    return cql::Rows::from(cql::view_frame(frame, cql::Direction::response).value()).value();
}

/// Shared by several keyspaces' worth of tests: tenant tables, a list, a counter, one without tenants.
inline SchemaRows sample_schema() {
    SchemaRows schema;
    schema.keyspaces = {"app", "other", "system"};
    const auto add = [&](const char* keyspace, const char* table, const char* name, const char* kind, int position,
                         const char* type) {
        schema.columns.push_back(
            {keyspace, table, name, kind, type, position, kind == std::string("clustering") ? "asc" : "none"});
    };
    for (const auto* keyspace : {"app", "other"}) {
        add(keyspace, "rows", "tenant", "partition_key", 0, "text");
        add(keyspace, "rows", "id", "clustering", 0, "int");
        add(keyspace, "rows", "v", "regular", -1, "text");
        add(keyspace, "rows", "tags", "regular", -1, "list<text>");
    }
    add("app", "hits", "tenant", "partition_key", 0, "text");
    add("app", "hits", "n", "regular", -1, "counter");
    add("app", "settings", "name", "partition_key", 0, "text");
    add("app", "settings", "value", "regular", -1, "text");
    for (const auto& [column, type] : {std::pair("key", "text"),
                                       {"cluster_name", "text"},
                                       {"data_center", "text"},
                                       {"host_id", "uuid"},
                                       {"rpc_address", "inet"}}) {
        add("system", "local", column, column == std::string("key") ? "partition_key" : "regular",
            column == std::string("key") ? 0 : -1, type);
    }
    add("system", "peers", "peer", "partition_key", 0, "inet");
    add("system", "peers", "data_center", "regular", -1, "text");
    return schema;
}

/// One CQL node that does what a test tells it: answers, or says nothing, or says what no server should. Speaks the
/// real codec over a loopback socket (port 0) and lives on the shard that made it.
///
/// OPTIONS, STARTUP, REGISTER, USE and reads of system tables are answered as a server does. Everything else is
/// `Asked`, and goes to on_request (by default obey()).
class LyingServer {
    class Peer;

  public:
    struct Asked {
        LyingServer* server = nullptr;
        std::size_t connection = 0;  ///< counts from 0 in the order accepted
        std::int16_t stream = 0;
        cql::ProtocolVersion version = cql::ProtocolVersion::v4;
        cql::Opcode opcode = cql::Opcode::query;
        std::string text;      ///< of QUERY, PREPARE, and of what EXECUTE names; children of a BATCH joined with "; "
        std::string keyspace;  ///< that the connection USEs
        std::string user;      ///< that it logged in as
        int shard = -1;        ///< that it ended on, of a ScyllaDB node
        std::optional<std::int64_t> timestamp;
        std::optional<Bytes> paging_state;
        std::vector<Bytes> values;
        Bytes unknown_id;  ///< of an EXECUTE or BATCH that this node did not prepare
        Bytes frame;

        bool is_write() const {
            return text.starts_with("INSERT") || text.starts_with("UPDATE") || text.starts_with("DELETE") ||
                   text.starts_with("TRUNCATE");
        }
    };

    explicit LyingServer(std::string name) : name_(std::move(name)) { restart(); }
    ~LyingServer() { stop(); }
    LyingServer(const LyingServer&) = delete;

    // ---- what it is
    SchemaRows schema = sample_schema();
    std::vector<LyingServer*> peers;
    bool silent_at_startup = false;
    bool silent_to_options = false;
    bool has_peers_v2 = true;
    std::string partitioner = "org.apache.cassandra.dht.Murmur3Partitioner";
    std::uint64_t schema_number = 0;  ///< another one is another schema_version
    std::optional<std::string> authenticator;
    std::map<std::string, std::string> users;  ///< and their passwords, where there is an authenticator
    std::string challenge;                     ///< asked before the password, as some mechanisms do
    bool holds_logins = false;                 ///< AUTH_RESPONSEs wait for release_logins()
    std::vector<std::string> versions;         ///< PROTOCOL_VERSIONS; empty: does not say
    std::vector<std::string> compressions;
    /// ScyllaDB's manners: SUPPORTED with shards, and a port of its own where the source port chooses one.
    struct Shards {
        int count = 2;
        bool has_port = true;
        int by_chance = 0;  ///< where the next connection to the ordinary port ends; they take turns
    };
    std::optional<Shards> shards;
    bool offers_tablets = false;
    std::string datacenter = "dc1";
    std::string rack = "r1";
    std::string release_version = "4.1.9";
    std::vector<std::int64_t> tokens;  ///< empty: one made of the port

    /// Recorded answers, by "OPTIONS" or by what the text of a read of a system table contains: they come before its
    /// own.
    std::vector<std::pair<std::string, Bytes>> recorded;

    // ---- what it does
    std::function<void(const Asked&)> on_request = [](const Asked& one) { one.server->obey(one); };
    std::function<bool(const std::string& text)> refuse_use;  ///< the USE of this keyspace is an Invalid

    // ---- what it saw
    std::vector<Asked> asked;
    std::vector<Asked> applied;  ///< writes that it took
    std::size_t accepted = 0;
    std::size_t system_reads = 0;
    std::string system_reader;  ///< the user of the latest of them
    std::vector<Asked> held_logins;
    std::size_t uses = 0;
    std::size_t options_asked = 0;

    /// Of each open connection, in the order accepted.
    std::vector<int> open_shards() const {
        std::vector<int> found;
        for (const auto& one : connections_) {
            if (one->stream->is_open()) found.push_back(one->shard);
        }
        return found;
    }
    std::vector<cql::ProtocolVersion> versions_asked;  ///< by each STARTUP
    std::vector<std::string> compressions_asked;       ///< by each STARTUP that asked for one
    const Endpoint& endpoint() const { return endpoint_; }
    const Endpoint& shard_endpoint() const { return shard_endpoint_; }
    std::uint16_t port() const { return endpoint_.port(); }
    const std::string& name() const { return name_; }
    std::size_t open_connections() const {
        return static_cast<std::size_t>(
            std::ranges::count_if(connections_, [](const auto& one) { return one->stream->is_open(); }));
    }
    std::vector<Asked> requests(cql::Opcode opcode) const {
        std::vector<Asked> found;
        std::ranges::copy_if(asked, std::back_inserter(found), [&](const auto& one) { return one.opcode == opcode; });
        return found;
    }
    std::size_t count(cql::Opcode opcode) const { return requests(opcode).size(); }

    /// What an honest node does: prepares, executes what it prepared, takes writes, reads nothing back.
    void obey(const Asked& one) {
        if (one.opcode == cql::Opcode::prepare) return prepare(one);
        if (!one.unknown_id.empty()) return unprepared(one, one.unknown_id);
        apply(one);
        acknowledge(one);
    }
    void apply(const Asked& one) {
        if (one.is_write()) applied.push_back(one);
    }
    void acknowledge(const Asked& one) {
        respond(one, [](Bytes& out, const cql::ResponseHead& head) { cql::encode_void(out, head); });
    }
    /// With these result columns, all text.
    void prepare(const Asked& one, const std::vector<std::string>& columns = {}) {
        const auto id = id_of(one.text);
        prepared_[std::string(text_of(id))] = one.text;
        cql::PreparedResult result;
        result.id = id;
        std::string described = name_;
        for (const auto& name : columns) described += name;
        const auto result_id = cql::md5({described});
        if (one.version == cql::ProtocolVersion::v5) result.result_metadata_id = result_id;
        result.result_metadata.column_count = static_cast<std::int32_t>(columns.size());
        for (const auto& name : columns)
            result.result_metadata.columns.push_back({"app", "settings", name, SchemaRows::text()});
        respond(one, [&](Bytes& out, const cql::ResponseHead& head) { cql::encode_prepared(out, head, result); });
    }
    void release_logins() {
        holds_logins = false;
        for (const auto& one : std::exchange(held_logins, {}))
            log_in(*connections_.at(one.connection), one, cql::view_frame(one.frame, cql::Direction::request).value());
    }
    void forget_prepared() { prepared_.clear(); }
    cql::Md5 id_of(const std::string& text) const { return cql::md5({name_, text}); }
    void unprepared(const Asked& one, BytesView id) { error(one, cql::ErrorCode::unprepared, cql::Unprepared{id}); }
    void error(const Asked& one, cql::ErrorCode code) { error(one, code, detail_of(code)); }
    void error(const Asked& one, cql::ErrorCode code, cql::ErrorDetail detail) {
        respond(one, [&](Bytes& out, const cql::ResponseHead& head) {
            cql::encode_error(out, head, {code, "as the test said", std::move(detail)});
        });
    }
    /// One row with one text cell, and perhaps a paging state.
    void rows(const Asked& one, const std::string& cell, std::optional<Bytes> paging_state = {}) {
        cql::RowsBuilder built("app", "rows");
        built.add_column("v", SchemaRows::text());
        built.add(cql::encode_text(cell));
        auto view = built.view();
        if (paging_state) view.metadata.paging_state = cql::CellView(*paging_state);
        respond(one, [&](Bytes& out, const cql::ResponseHead& head) { cql::encode_rows(out, head, view); });
    }
    /// v5: one row of text columns that are others than the request's result metadata id said.
    void changed_rows(const Asked& one, const std::vector<std::string>& columns) {
        cql::RowsBuilder built("app", "rows");
        std::string described = name_;
        for (const auto& name : columns) {
            built.add_column(name, SchemaRows::text());
            described += name;
        }
        for (const auto& name : columns) built.add(cql::encode_text(name));
        const auto id = cql::md5({described});
        auto view = built.view();
        view.metadata.new_metadata_id = BytesView(id);
        respond(one, [&](Bytes& out, const cql::ResponseHead& head) { cql::encode_rows(out, head, view); });
    }
    void not_applied(const Asked& one) {
        cql::RowsBuilder built("app", "rows");
        built.add_column("[applied]", cql::scalar(cql::TypeKind::boolean));
        built.add(cql::encode_boolean(false));
        respond(one, [&](Bytes& out, const cql::ResponseHead& head) { cql::encode_rows(out, head, built.view()); });
    }
    /// Bytes as they are on that connection.
    void raw(const Asked& one, BytesView bytes) {
        auto& peer = *connections_.at(one.connection);
        if (peer.stream->is_open()) peer.stream->write(bytes);
    }
    /// The same, past the codec: what is no envelope, or no segment.
    void raw_wire(const Asked& one, BytesView bytes) {
        auto& peer = *connections_.at(one.connection);
        if (!peer.stream->is_open()) return;
        peer.stream->seal();
        peer.verbatim = true;
        peer.stream->write(bytes);
        peer.stream->seal();
        peer.verbatim = false;
    }
    void hang_up(const Asked& one) { connections_.at(one.connection)->stream->close(); }
    void hang_up_after_flush(const Asked& one) { connections_.at(one.connection)->stream->close_after_flush(); }
    /// As a process that is stopped: what is sent to it piles up where it was sent from.
    void stop_reading() {
        for (auto& one : connections_) one->stream->pause();
    }
    void read_on() {
        for (auto& one : connections_) one->stream->resume();
    }
    void hang_up_all() {
        for (auto& one : connections_) one->stream->close();
    }
    /// Nobody listens any more, and everybody is cut off.
    void stop() {
        listener_.close();
        shard_listener_.close();
        for (auto& one : connections_) {
            one->stream->close();
            Shard::here().dispose(std::move(one->stream));
            Shard::here().dispose(std::move(one));
        }
        connections_.clear();
    }
    void restart() {
        auto bound = listener_.listen(endpoint_.port() == 0 ? Endpoint::parse("127.0.0.1:0").value() : endpoint_,
                                      [this](int fd, const Endpoint& from) {
                                          accept(fd, from, shards ? shards->by_chance++ % shards->count : -1);
                                      });
        endpoint_ = bound.value();
        auto shard_bound = shard_listener_.listen(
            shard_endpoint_.port() == 0 ? Endpoint::parse("127.0.0.1:0").value() : shard_endpoint_,
            [this](int fd, const Endpoint& from) { accept(fd, from, shards ? from.port() % shards->count : -1); });
        shard_endpoint_ = shard_bound.value();
    }
    void push(const cql::EventMessage& event) {
        cql::ResponseHead head;
        head.stream = cql::kEventStream;
        for (auto& one : connections_) {
            if (!one->registered || !one->stream->is_open()) continue;
            cql::encode_event(one->stream->out(), head, event);
            one->stream->flush_soon();
        }
    }

    template <class Encode>
    void respond(const Asked& one, Encode encode) {
        cql::ResponseHead head;
        head.version = one.version;
        head.stream = one.stream;
        Bytes frame;
        encode(frame, head);
        raw(one, frame);
    }

    static cql::ErrorDetail detail_of(cql::ErrorCode code) {
        const auto quorum = cql::Consistency::quorum;
        switch (code) {
            case cql::ErrorCode::unavailable:
                return cql::Unavailable{quorum, 2, 1};
            case cql::ErrorCode::write_timeout:
                return cql::WriteTimeout{quorum, 1, 2, "SIMPLE", std::nullopt};
            case cql::ErrorCode::read_timeout:
                return cql::ReadTimeout{quorum, 1, 2, 0};
            case cql::ErrorCode::write_failure:
                return cql::WriteFailure{quorum, 1, 2, {1, {}}, "SIMPLE"};
            case cql::ErrorCode::read_failure:
                return cql::ReadFailure{quorum, 1, 2, {1, {}}, 0};
            case cql::ErrorCode::function_failure:
                return cql::FunctionFailure{"ks", "f", {}};
            case cql::ErrorCode::cas_write_unknown:
                return cql::CasWriteUnknown{quorum, 1, 2};
            case cql::ErrorCode::already_exists:
                return cql::AlreadyExists{"ks", "t"};
            default:
                return {};
        }
    }

  private:
    class Peer final : Stream::Handler {
      public:
        Peer(LyingServer& server, std::size_t number, int fd, const Endpoint& from)
            : stream(std::make_unique<Stream>(fd, from)), server_(server), number_(number) {
            stream->start(*this);
        }
        std::unique_ptr<Stream> stream;
        std::string keyspace;
        std::string user;
        int shard = -1;
        bool challenged = false;
        bool verbatim = false;
        cql::WireReader reader{cql::Direction::request};
        cql::WireWriter writer;
        bool registered = false;

      private:
        std::size_t on_data(MutableBytes data) override {
            std::size_t at = 0;
            while (stream->is_open()) {
                std::size_t dealt = 0;
                const auto scan = reader.next(BytesView(data).subspan(at), dealt);
                at += dealt;
                if (scan.verdict != cql::FrameVerdict::complete) break;
                server_.receive(*this, number_, scan.frame);
            }
            return at;
        }
        void before_flush(Bytes& out, std::size_t from) override {
            if (!verbatim) writer.encode(out, from);
        }
        void on_closed(const Error&) override {}
        LyingServer& server_;
        std::size_t number_;
    };

    void receive(Peer& peer, std::size_t number, const cql::FrameView& frame) {
        Asked one;
        one.server = this;
        one.connection = number;
        one.stream = frame.header.stream;
        one.version = frame.version();
        one.opcode = frame.header.opcode;
        one.keyspace = peer.keyspace;
        one.user = peer.user;
        one.shard = peer.shard;
        one.frame.assign(frame.whole.begin(), frame.whole.end());
        switch (frame.header.opcode) {
            case cql::Opcode::options: {
                ++options_asked;
                if (silent_to_options || play(one, "OPTIONS")) return;
                const auto said = supported_of(peer);
                cql::StringLists options;
                for (const auto& [key, values] : said) options.emplace_back(key, views_of(values));
                respond(one,
                        [&](Bytes& out, const cql::ResponseHead& head) { cql::encode_supported(out, head, options); });
                return;
            }
            case cql::Opcode::startup:
                start(peer, one, frame);
                return;
            case cql::Opcode::auth_response:
                if (holds_logins) {
                    held_logins.push_back(one);
                } else {
                    log_in(peer, one, frame);
                }
                return;
            case cql::Opcode::register_:
                peer.registered = true;
                respond(one, [](Bytes& out, const cql::ResponseHead& head) { cql::encode_ready(out, head); });
                return;
            case cql::Opcode::query:
                read_query(one, peer, frame);
                break;
            case cql::Opcode::prepare:
                one.text = cql::decode_prepare(frame).value().query;
                break;
            case cql::Opcode::execute: {
                const auto execute = cql::decode_execute(frame).value();
                read_parameters(one, execute.parameters);
                one.text = find_prepared(one, execute.id);
                break;
            }
            case cql::Opcode::batch: {
                const auto batch = cql::decode_batch(frame).value();
                read_parameters(one, batch.parameters);
                for (const auto& child : batch.children) {
                    if (!one.text.empty()) one.text += "; ";
                    one.text += child.prepared ? find_prepared(one, child.id) : std::string(child.query);
                }
                break;
            }
            default:
                error(one, cql::ErrorCode::protocol_error);
                return;
        }
        if (one.opcode == cql::Opcode::query &&
            (one.text.starts_with("USE ") || one.text.find(" FROM system") != std::string::npos))
            return;
        asked.push_back(one);
        on_request(one);
    }

    static std::vector<std::string_view> views_of(const std::vector<std::string>& strings) {
        return {strings.begin(), strings.end()};
    }
    std::vector<std::pair<std::string, std::vector<std::string>>> supported_of(const Peer& peer) const {
        std::vector<std::pair<std::string, std::vector<std::string>>> said{{"CQL_VERSION", {"3.4.6"}},
                                                                           {"COMPRESSION", compressions}};
        if (!versions.empty()) said.emplace_back("PROTOCOL_VERSIONS", versions);
        if (offers_tablets) said.push_back({"TABLETS_ROUTING_V1", {""}});
        if (shards) {
            said.push_back({"SCYLLA_SHARD", {std::to_string(peer.shard)}});
            said.push_back({"SCYLLA_NR_SHARDS", {std::to_string(shards->count)}});
            said.push_back({"SCYLLA_SHARDING_ALGORITHM", {"biased-token-round-robin"}});
            said.push_back({"SCYLLA_SHARDING_IGNORE_MSB", {"12"}});
            if (shards->has_port) said.push_back({"SCYLLA_SHARD_AWARE_PORT", {std::to_string(shard_endpoint_.port())}});
        }
        return said;
    }
    void accept(int fd, const Endpoint& from, int shard) {
        connections_.push_back(std::make_unique<Peer>(*this, connections_.size(), fd, from));
        connections_.back()->shard = shard;
        ++accepted;
    }

    void start(Peer& peer, const Asked& one, const cql::FrameView& frame) {
        if (silent_at_startup) return;
        versions_asked.push_back(one.version);
        auto compression = cql::Compression::none;
        const auto options = cql::decode_startup(frame).value().options;
        for (const auto& [key, value] : options) {
            if (key != "COMPRESSION") continue;
            compressions_asked.emplace_back(value);
            compression = cql::compression_named(value).value();
        }
        peer.reader.agree(one.version, compression);
        if (authenticator) {
            respond(one, [&](Bytes& out, const cql::ResponseHead& head) {
                cql::encode_authenticate(out, head, *authenticator);
            });
        } else {
            respond(one, [](Bytes& out, const cql::ResponseHead& head) { cql::encode_ready(out, head); });
        }
        peer.stream->seal();
        peer.writer.agree(one.version, compression);
    }

    void log_in(Peer& peer, const Asked& one, const cql::FrameView& frame) {
        if (!challenge.empty() && !std::exchange(peer.challenged, true)) {
            return respond(one, [&](Bytes& out, const cql::ResponseHead& head) {
                cql::encode_auth_challenge(out, head, cql::CellView(bytes_of(challenge)));
            });
        }
        const auto token = cql::decode_auth_response(frame).value().token;
        const std::string text(text_of(token.bytes()));
        const auto first = text.find('\0');
        const auto second = text.find('\0', first + 1);
        const auto user = text.substr(first + 1, second - first - 1);
        const auto known = users.find(user);
        if (known == users.end() || known->second != text.substr(second + 1)) {
            return respond(one, [&](Bytes& out, const cql::ResponseHead& head) {
                cql::encode_error(out, head,
                                  {cql::ErrorCode::bad_credentials,
                                   "Provided username " + user + " and/or password are incorrect",
                                   {}});
            });
        }
        peer.user = user;
        respond(one, [](Bytes& out, const cql::ResponseHead& head) {
            cql::encode_auth_success(out, head, cql::CellView());
        });
    }

    std::string find_prepared(Asked& one, BytesView id) const {
        const auto found = prepared_.find(std::string(text_of(id)));
        if (found != prepared_.end()) return found->second;
        one.unknown_id.assign(id.begin(), id.end());
        return "";
    }
    static void read_parameters(Asked& one, const cql::ParametersView& parameters) {
        one.timestamp = parameters.timestamp;
        if (parameters.paging_state && parameters.paging_state->has_value()) {
            const auto state = parameters.paging_state->bytes();
            one.paging_state = Bytes(state.begin(), state.end());
        }
        for (const auto& value : parameters.values)
            one.values.emplace_back(value.value.bytes().begin(), value.value.bytes().end());
    }

    void read_query(Asked& one, Peer& peer, const cql::FrameView& frame) {
        const auto query = cql::decode_query(frame).value();
        one.text = query.query;
        read_parameters(one, query.parameters);
        const auto answer = [&](const cql::RowsBuilder& built) {
            ++system_reads;
            system_reader = one.user;
            respond(one, [&](Bytes& out, const cql::ResponseHead& head) { cql::encode_rows(out, head, built.view()); });
        };
        const auto asks = [&](std::string_view what) { return one.text.find(what) != std::string::npos; };
        if (play(one, one.text)) {
            ++system_reads;
        } else if (one.text.starts_with("USE ")) {
            ++uses;
            if (refuse_use && refuse_use(one.text.substr(4))) return error(one, cql::ErrorCode::invalid);
            peer.keyspace = one.text.substr(4);
            respond(one, [&](Bytes& out, const cql::ResponseHead& head) {
                cql::encode_set_keyspace(out, head, peer.keyspace);
            });
        } else if (asks("FROM system.local")) {
            answer(local_rows());
        } else if (asks("FROM system.peers")) {
            if (asks("peers_v2") && !has_peers_v2) return error(one, cql::ErrorCode::invalid);
            answer(peer_rows());
        } else if (asks("FROM system_schema.keyspaces")) {
            answer(schema.keyspace_rows());
        } else if (asks("FROM system_schema.tables")) {
            answer(schema.table_rows());
        } else if (asks("FROM system_schema.columns")) {
            answer(schema.column_rows());
        } else if (asks("FROM system_schema.types")) {
            answer(schema.type_rows());
        } else if (asks("FROM system_schema.views")) {
            answer(schema.view_rows());
        }
    }

    bool play(const Asked& one, std::string_view text) {
        const auto found = std::ranges::find_if(
            recorded, [&](const auto& answer) { return text.find(answer.first) != std::string_view::npos; });
        if (found == recorded.end()) return false;
        auto frame = found->second;
        store_be(frame.data() + 2, static_cast<std::uint16_t>(one.stream));
        raw(one, frame);
        return true;
    }

    static void add_node_columns(cql::RowsBuilder& rows) {
        rows.add_column("data_center", SchemaRows::text());
        rows.add_column("rack", SchemaRows::text());
        rows.add_column("release_version", SchemaRows::text());
        rows.add_column("host_id", cql::scalar(cql::TypeKind::uuid));
        rows.add_column("tokens", cql::set_of(SchemaRows::text()));
    }
    void add_node(cql::RowsBuilder& rows) const {
        rows.add(cql::encode_text(datacenter));
        rows.add(cql::encode_text(rack));
        rows.add(cql::encode_text(release_version));
        rows.add(cql::encode_uuid(cql::Uuid::random(port(), 1)));
        std::vector<std::string> texts;
        for (const auto token : tokens) texts.push_back(std::to_string(token));
        if (texts.empty()) texts.push_back(std::to_string(port() * 1000));
        rows.add(cql::encode_text_list(texts));
    }
    Bytes schema_version() const {
        return cql::encode_uuid(cql::Uuid::random(7, schema.columns.size() + schema_number));
    }
    cql::RowsBuilder local_rows() const {
        cql::RowsBuilder rows("system", "local");
        for (const auto* name : {"key", "cluster_name", "partitioner", "cql_version"})
            rows.add_column(name, SchemaRows::text());
        rows.add_column("schema_version", cql::scalar(cql::TypeKind::uuid));
        add_node_columns(rows);
        for (const auto& cell : {std::string("local"), std::string("Test Cluster"), partitioner, std::string("3.4.6")})
            rows.add(cql::encode_text(cell));
        rows.add(schema_version());
        add_node(rows);
        return rows;
    }
    cql::RowsBuilder peer_rows() const {
        cql::RowsBuilder rows("system", "peers_v2");
        rows.add_column("peer", cql::scalar(cql::TypeKind::inet));
        rows.add_column("native_address", cql::scalar(cql::TypeKind::inet));
        rows.add_column("native_port", cql::scalar(cql::TypeKind::int_));
        rows.add_column("schema_version", cql::scalar(cql::TypeKind::uuid));
        add_node_columns(rows);
        for (const auto* peer : peers) {
            rows.add(peer->endpoint().address());
            rows.add(peer->endpoint().address());
            rows.add(cql::encode_int(peer->port()));
            rows.add(peer->schema_version());
            peer->add_node(rows);
        }
        return rows;
    }

    std::string name_;
    Endpoint endpoint_;
    Listener listener_;
    Endpoint shard_endpoint_;
    Listener shard_listener_;
    std::vector<std::unique_ptr<Peer>> connections_;
    std::map<std::string, std::string> prepared_;
};

}  // namespace penumbra::cluster::testing
