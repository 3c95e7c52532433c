#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "load/options.h"

namespace penumbra::bench {

/// The texts that a run uses.
struct Texts {
    std::string read;
    std::string write;
};
Texts texts_of(const LoadOptions& options);

/// The uuid of a tenant by its number: 00000000-0000-4000-8000-000000000007 is the eighth.
inline constexpr std::string_view kTenantPrefix = "00000000-0000-4000-8000-";

/// One request, encoded once. Each copy gets its stream, tenant, rows and timestamp at places known beforehand, so
/// making a request is a copy of its bytes.
class Template {
  public:
    static Result<Template> read(const LoadOptions& options, BytesView prepared_id, BytesView result_metadata_id);
    static Result<Template> write(const LoadOptions& options, BytesView prepared_id, BytesView result_metadata_id);

    /// `row` is the first of a batch, which takes the following ones too. The timestamp is set where the request has
    /// one.
    void append_to(Bytes& out, std::int16_t stream, std::uint64_t tenant, std::uint64_t row,
                   std::int64_t timestamp) const;

  private:
    enum class Form : std::uint8_t { binary, digits };

    static Result<Template> execute(Bytes frame);
    static Result<Template> query(Bytes frame, const LoadOptions& options);
    static Result<Template> batch(Bytes frame);
    static Result<Template> literal(Bytes frame);

    Bytes frame_;
    Form form_ = Form::binary;
    std::vector<std::size_t> tenants_;  // where the last six bytes, or twelve hex digits, of each tenant are
    std::vector<std::size_t> rows_;     // eight bytes, or 19 digits
    std::size_t timestamp_at_ = 0;      // 0: there is none
};

}  // namespace penumbra::bench
