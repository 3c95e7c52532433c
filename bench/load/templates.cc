#include "load/templates.h"

#include <array>

#include <fmt/format.h>

#include "cql/protocol/requests.h"
#include "cql/types/scalars.h"

namespace penumbra::bench {

namespace {

/// Digits of a row id in a text: as many as any bigint above zero has.
constexpr std::size_t kRowDigits = 19;
constexpr std::size_t kTenantDigits = 12;
constexpr std::size_t kTenantBytes = 6;

cql::RequestHead head_of(const LoadOptions& options) {
    cql::RequestHead head;
    head.version = options.version;
    return head;
}

cql::Parameters parameters_of(const LoadOptions& options, bool writes) {
    cql::Parameters parameters;
    parameters.consistency = options.consistency;
    parameters.skip_metadata = options.style == Style::prepared || options.style == Style::batch;
    if (writes && options.client_timestamps) parameters.timestamp = 1;
    if (!writes) parameters.page_size = 5000;
    return parameters;
}

Bytes tenant_zero() {
    auto uuid = from_hex("00000000000040008000000000000000");
    return uuid.value();
}

Bytes value_of(const LoadOptions& options) {
    Bytes value(options.value_size);
    std::uint32_t state = 7;
    for (auto& byte : value) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<Byte>(state >> 24);
    }
    return value;
}

}  // namespace

Texts texts_of(const LoadOptions& options) {
    return {fmt::format("SELECT value FROM {} WHERE {} = ? AND id = ?", options.table, options.tenant_column),
            fmt::format("INSERT INTO {} ({}, id, value) VALUES (?, ?, ?)", options.table, options.tenant_column)};
}

Result<Template> Template::read(const LoadOptions& options, BytesView prepared_id, BytesView result_metadata_id) {
    const auto tenant = tenant_zero();
    const auto row = cql::encode_bigint(0);
    const std::array<cql::CellView, 2> values{cql::CellView(tenant), cql::CellView(row)};
    auto parameters = parameters_of(options, false);
    Bytes frame;
    if (options.style == Style::literal) {
        const auto text = fmt::format("SELECT value FROM {} WHERE {} = {}{:0{}} AND id = {:0{}}", options.table,
                                      options.tenant_column, kTenantPrefix, 0, kTenantDigits, 0, kRowDigits);
        cql::encode_query(frame, head_of(options), text, parameters);
        return literal(std::move(frame));
    }
    parameters.values = values;
    if (options.style == Style::simple) {
        cql::encode_query(frame, head_of(options), texts_of(options).read, parameters);
        return query(std::move(frame), options);
    }
    cql::encode_execute(frame, head_of(options), prepared_id, result_metadata_id, parameters);
    return execute(std::move(frame));
}

Result<Template> Template::write(const LoadOptions& options, BytesView prepared_id, BytesView result_metadata_id) {
    const auto tenant = tenant_zero();
    const auto row = cql::encode_bigint(0);
    const auto value = value_of(options);
    const std::array<cql::CellView, 3> values{cql::CellView(tenant), cql::CellView(row), cql::CellView(value)};
    auto parameters = parameters_of(options, true);
    Bytes frame;
    if (options.style == Style::literal) {
        const auto text =
            fmt::format("INSERT INTO {} ({}, id, value) VALUES ({}{:0{}}, {:0{}}, 0x{})", options.table,
                        options.tenant_column, kTenantPrefix, 0, kTenantDigits, 0, kRowDigits, to_hex(value));
        cql::encode_query(frame, head_of(options), text, parameters);
        return literal(std::move(frame));
    }
    if (options.style == Style::batch) {
        const std::vector<cql::BatchStatement> children(options.batch_size, {{}, prepared_id, values});
        cql::encode_batch(frame, head_of(options), cql::BatchType::unlogged, children, parameters);
        return batch(std::move(frame));
    }
    parameters.values = values;
    if (options.style == Style::simple) {
        cql::encode_query(frame, head_of(options), texts_of(options).write, parameters);
        return query(std::move(frame), options);
    }
    cql::encode_execute(frame, head_of(options), prepared_id, result_metadata_id, parameters);
    return execute(std::move(frame));
}

namespace {

constexpr std::size_t kValueHead = 4;  // its length

/// Where the tenant's last bytes and the row's eight are, of values that begin with tenant and row.
void note_values(const cql::ValuesView& values, std::vector<std::size_t>& tenants, std::vector<std::size_t>& rows) {
    const auto tenant = *values.nth(0);
    const auto row = *values.nth(1);
    tenants.push_back(cql::kHeaderSize + tenant.at + tenant.size - kTenantBytes);
    rows.push_back(cql::kHeaderSize + row.at + kValueHead);
}

}  // namespace

Result<Template> Template::execute(Bytes frame) {
    Template made;
    TRY(const auto view, cql::view_frame(frame, cql::Direction::request));
    TRY(const auto decoded, cql::decode_execute(view));
    note_values(decoded.parameters.values, made.tenants_, made.rows_);
    if (decoded.parameters.timestamp) made.timestamp_at_ = cql::kHeaderSize + decoded.parameters.timestamp_at;
    made.frame_ = std::move(frame);
    return made;
}

Result<Template> Template::query(Bytes frame, const LoadOptions&) {
    Template made;
    TRY(const auto view, cql::view_frame(frame, cql::Direction::request));
    TRY(const auto decoded, cql::decode_query(view));
    note_values(decoded.parameters.values, made.tenants_, made.rows_);
    if (decoded.parameters.timestamp) made.timestamp_at_ = cql::kHeaderSize + decoded.parameters.timestamp_at;
    made.frame_ = std::move(frame);
    return made;
}

Result<Template> Template::batch(Bytes frame) {
    Template made;
    TRY(const auto view, cql::view_frame(frame, cql::Direction::request));
    TRY(const auto decoded, cql::decode_batch(view));
    for (const auto& child : decoded.children) note_values(child.values, made.tenants_, made.rows_);
    if (decoded.parameters.timestamp) made.timestamp_at_ = cql::kHeaderSize + decoded.parameters.timestamp_at;
    made.frame_ = std::move(frame);
    return made;
}

Result<Template> Template::literal(Bytes frame) {
    Template made;
    TRY(const auto view, cql::view_frame(frame, cql::Direction::request));
    TRY(const auto decoded, cql::decode_query(view));
    made.form_ = Form::digits;
    const auto text_at = cql::kHeaderSize + decoded.query_at + 4;
    const auto tenant = decoded.query.find(kTenantPrefix) + kTenantPrefix.size();
    made.tenants_.push_back(text_at + tenant);
    made.rows_.push_back(text_at + decoded.query.find(std::string(kRowDigits, '0'), tenant + kTenantDigits));
    if (decoded.parameters.timestamp) made.timestamp_at_ = cql::kHeaderSize + decoded.parameters.timestamp_at;
    made.frame_ = std::move(frame);
    return made;
}

namespace {

void put_digits(Byte* at, std::size_t count, std::uint64_t value, unsigned base) {
    for (std::size_t i = count; i-- > 0; value /= base) at[i] = static_cast<Byte>("0123456789abcdef"[value % base]);
}

void put_tenant(Byte* at, std::uint64_t tenant) {
    for (std::size_t i = kTenantBytes; i-- > 0; tenant >>= 8) at[i] = static_cast<Byte>(tenant);
}

}  // namespace

void Template::append_to(Bytes& out, std::int16_t stream, std::uint64_t tenant, std::uint64_t row,
                         std::int64_t timestamp) const {
    const auto begin = out.size();
    out.insert(out.end(), frame_.begin(), frame_.end());
    Byte* frame = out.data() + begin;
    cql::set_stream({frame, frame_.size()}, stream);
    if (timestamp_at_ != 0) store_be(frame + timestamp_at_, timestamp);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        if (form_ == Form::binary) {
            put_tenant(frame + tenants_[i], tenant);
            store_be(frame + rows_[i], row + i);
        } else {
            put_digits(frame + tenants_[i], kTenantDigits, tenant, 16);
            put_digits(frame + rows_[i], kRowDigits, row + i, 10);
        }
    }
}

}  // namespace penumbra::bench
