#pragma once

#include <string_view>
#include <vector>

#include "cql/language/statement.h"
#include "cql/schema/schema.h"

namespace penumbra::proxy {

/// Whether values of the type are timestamps or hold some.
bool mentions_timestamp(const cql::DataType& type);

/// Whether a server that reads this JSON takes a time from itself: in the place of a timestamp "now" is its clock, and
/// what names no zone is in the one that it runs in. `row_of`: the table whose columns the JSON names, null where it is
/// one value.
bool json_depends_on_server(std::string_view json, const cql::Table* row_of);

/// What of one write (or one child of a batch) each server would make a time of its own of, and two of them two.
struct ServerTimes {
    /// A literal without a zone in the place of a timestamp, JSON included; of "now" the Volatiles know.
    bool in_text = false;
    /// A bind marker whose value is JSON that may hold a timestamp.
    struct JsonMarker {
        const cql::Term* marker;   ///< of the statement
        const cql::Table* row_of;  ///< as json_depends_on_server() has it
    };
    std::vector<JsonMarker> json;
};
/// `table`: null where it is not known.
ServerTimes server_times_of(const cql::Statement& part, const cql::Table* table);

}  // namespace penumbra::proxy
