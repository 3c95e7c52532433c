// Any bytes as a schema statement for any dialect: translating never fails, what comes out of an understood statement
// is understood, and translating it again changes nothing.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "cql/ddl/translate.h"
#include "cql/language/parser.h"

using namespace penumbra::cql;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    static const ddl::Dialect kDialects[] = {ddl::Dialect::scylladb(), ddl::Dialect::cassandra(3, 11),
                                             ddl::Dialect::cassandra(4, 0), ddl::Dialect::cassandra(4, 1),
                                             ddl::Dialect::cassandra(5, 0)};
    const auto& to = kDialects[data[0] % 5];
    ddl::Options options;
    options.tablets_off = (data[0] & 0x80) != 0;
    if (data[0] & 0x40) options.datacenters["a"] = {"b'c", "3"};
    // Exactly sized on the heap, so that a read past the end is seen.
    const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto statement = parse(text);
    const auto first = ddl::translate(statement, to, options);
    if (first.refused()) {
        ASSERT(first.steps.empty());
        return 0;
    }
    for (const auto& step : first.steps) {
        const auto parsed = parse(step.text);
        ASSERT(!statement.complete || parsed.complete);
        ASSERT(!statement.complete || parsed.kind == statement.kind);
        const auto again = ddl::translate(parsed, to, {{}, options.tablets_off});
        ASSERT(!again.refused());
        ASSERT(again.steps.size() == 1 && again.steps[0].text == step.text);
    }
    return 0;
}
