#include "null_server/server.h"

#include <string>
#include <utility>

#include <fmt/format.h>

#include "cql/language/parser.h"
#include "cql/protocol/requests.h"
#include "cql/protocol/wire_reader.h"
#include "cql/protocol/wire_writer.h"
#include "runtime/stream.h"

namespace penumbra::bench {

/// One client's connection.
class NullServer::Peer final : Stream::Handler {
  public:
    Peer(NullServer& server, int fd, const Endpoint& from) : server_(server), stream_(fd, from) {
        stream_.start(*this);
    }

  private:
    /// Answers wait here when a client does not read them: past this nothing more is read from it.
    static constexpr std::size_t kMostUnsent = 4 << 20;

    std::size_t on_data(MutableBytes data) override {
        std::size_t at = 0;
        while (!stream_.paused()) {
            std::size_t dealt = 0;
            const auto scan = reader_.next(BytesView(data).subspan(at), dealt);
            at += dealt;
            if (scan.verdict == cql::FrameVerdict::incomplete) {
                stream_.expect(scan.total);
                break;
            }
            if (scan.verdict == cql::FrameVerdict::unsupported_version) {
                refuse_version(scan.frame.header);
                return data.size();
            }
            if (scan.verdict != cql::FrameVerdict::complete) {
                refuse(head_of(scan.frame.header, cql::ProtocolVersion::v4), cql::ErrorCode::protocol_error,
                       cql::frame_error(scan).what);
                stream_.close_after_flush();
                return data.size();
            }
            if (auto answered = answer(scan.frame); !answered)
                refuse(head_of(scan.frame), cql::ErrorCode::protocol_error, answered.error().what);
            if (stream_.unsent() > kMostUnsent) {
                stream_.pause();
                stream_.tell_when_below(kMostUnsent / 2);
            }
        }
        stream_.flush_soon();
        return at;
    }
    void on_drained() override { stream_.resume(); }
    void on_closed(const Error&) override { server_.forget(*this); }
    void before_flush(Bytes& out, std::size_t from) override { writer_.encode(out, from); }

    static cql::ResponseHead head_of(const cql::FrameHeader& header, cql::ProtocolVersion version) {
        cql::ResponseHead head;
        head.version = version;
        head.stream = header.stream;
        return head;
    }
    static cql::ResponseHead head_of(const cql::FrameView& frame) { return head_of(frame.header, frame.version()); }

    void refuse(const cql::ResponseHead& head, cql::ErrorCode code, std::string_view why,
                cql::ErrorDetail detail = {}) {
        cql::encode_error(stream_.out(), head, {code, why, std::move(detail)});
        stream_.flush_soon();
    }
    void refuse_version(const cql::FrameHeader& header) {
        refuse(head_of(header, cql::ProtocolVersion::v5), cql::ErrorCode::protocol_error,
               fmt::format("Invalid or unsupported protocol version ({}); supported versions are (3/v3, 4/v4, 5/v5)",
                           header.version_number()));
        stream_.close_after_flush();
    }

    void append(BytesView response, std::int16_t stream) {
        auto& out = stream_.out();
        const auto at = out.size();
        out.insert(out.end(), response.begin(), response.end());
        cql::set_stream(MutableBytes(out).subspan(at), stream);
    }
    void append(Answer answer, const cql::FrameView& request, Answers::Metadata metadata) {
        append(answer == Answer::rows ? server_.answers_.rows(request.version(), metadata)
                                      : server_.answers_.applied(request.version()),
               request.header.stream);
    }

    Status answer(const cql::FrameView& frame) {
        switch (frame.header.opcode) {
            case cql::Opcode::execute:
                return execute(frame);
            case cql::Opcode::query:
                return query(frame);
            case cql::Opcode::batch:
                return batch(frame);
            case cql::Opcode::prepare: {
                TRY(const auto prepare, cql::decode_prepare(frame));
                if (!Answers::of_text(prepare.query))
                    refuse(head_of(frame), cql::ErrorCode::invalid, "a null server prepares reads and writes only");
                else
                    server_.answers_.prepare(stream_.out(), head_of(frame), prepare.query);
                return ok();
            }
            case cql::Opcode::options: {
                const cql::StringLists options{{"CQL_VERSION", {"3.4.6"}},
                                               {"COMPRESSION", {"lz4", "snappy"}},
                                               {"PROTOCOL_VERSIONS", {"3/v3", "4/v4", "5/v5"}}};
                cql::encode_supported(stream_.out(), head_of(frame), options);
                return ok();
            }
            case cql::Opcode::startup:
                return start_up(frame);
            case cql::Opcode::register_:
                cql::encode_ready(stream_.out(), head_of(frame));
                return ok();
            default:
                return fail(Errc::unsupported,
                            fmt::format("{} is not expected here", cql::to_string(frame.header.opcode)));
        }
    }

    Status start_up(const cql::FrameView& frame) {
        TRY(const auto startup, cql::decode_startup(frame));
        const auto version = frame.version();
        auto compression = cql::Compression::none;
        if (const auto name = startup.option("COMPRESSION")) {
            const auto known = cql::compression_named(*name);
            if (!known || !cql::may_agree(version, *known))
                return fail(Errc::unsupported, fmt::format("Unknown compression algorithm: {}", *name));
            compression = *known;
        }
        // The answer goes out as it is: from v5 on it is the last frame without a segment around it.
        cql::encode_ready(stream_.out(), head_of(frame));
        stream_.seal();
        reader_.agree(version, compression);
        writer_.agree(version, compression);
        return ok();
    }

    Status execute(const cql::FrameView& frame) {
        TRY(const auto execute, cql::decode_execute(frame));
        const auto known = Answers::of_id(execute.id);
        if (!known) {
            refuse(head_of(frame), cql::ErrorCode::unprepared, "not prepared by a null server",
                   cql::Unprepared{execute.id});
            return ok();
        }
        append(*known, frame,
               execute.parameters.has(cql::query_flag::kSkipMetadata) ? Answers::Metadata::no : Answers::Metadata::yes);
        return ok();
    }

    Status batch(const cql::FrameView& frame) {
        TRY(const auto batch, cql::decode_batch(frame));
        for (const auto& child : batch.children) {
            if (child.prepared && !Answers::of_id(child.id)) {
                refuse(head_of(frame), cql::ErrorCode::unprepared, "not prepared by a null server",
                       cql::Unprepared{child.id});
                return ok();
            }
        }
        append(Answer::applied, frame, Answers::Metadata::yes);
        return ok();
    }

    Status query(const cql::FrameView& frame) {
        TRY(const auto query, cql::decode_query(frame));
        const auto known = Answers::of_text(query.query);
        // Only a text that says "system" somewhere is worth parsing.
        const bool perhaps_system = keyspace_.starts_with("system") || query.query.find("system") != query.query.npos;
        if (known == Answer::applied || (known == Answer::rows && !perhaps_system)) {
            append(*known, frame, Answers::Metadata::yes);
            return ok();
        }
        const auto statement = cql::parse(query.query);
        if (statement.kind == cql::StatementKind::use) {
            keyspace_ = statement.keyspace;
            cql::encode_set_keyspace(stream_.out(), head_of(frame), keyspace_);
        } else if (known == Answer::rows) {
            const auto keyspace = statement.table.qualified() ? statement.table.keyspace : std::string_view(keyspace_);
            if (const auto* table = server_.catalog_.find(keyspace, statement.table.name)) {
                cql::encode_rows(stream_.out(), head_of(frame), table->view());
            } else if (keyspace.starts_with("system")) {
                refuse(head_of(frame), cql::ErrorCode::invalid,
                       fmt::format("table {}.{} does not exist", keyspace, statement.table.name));
            } else {
                append(Answer::rows, frame, Answers::Metadata::yes);
            }
        } else {
            refuse(head_of(frame), cql::ErrorCode::invalid, "a null server's schema and users are fixed");
        }
        return ok();
    }

    NullServer& server_;
    Stream stream_;
    cql::WireReader reader_{cql::Direction::request};
    cql::WireWriter writer_;
    std::string keyspace_;
};

NullServer::NullServer(const Catalog& catalog, const Answers& answers) : catalog_(catalog), answers_(answers) {}
NullServer::~NullServer() = default;

Result<Endpoint> NullServer::listen(const Endpoint& at) {
    return listener_.listen(at, [this](int fd, const Endpoint& from) {
        auto peer = std::make_unique<Peer>(*this, fd, from);
        auto* key = peer.get();
        peers_.emplace(key, std::move(peer));
    });
}

void NullServer::forget(Peer& peer) {
    const auto found = peers_.find(&peer);
    Shard::here().dispose(std::move(found->second));
    peers_.erase(found);
}

}  // namespace penumbra::bench
