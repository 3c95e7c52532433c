#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/workflow.h"
#include "sync/report.h"

/// How lists are written into one column of the state store: as JSON, which people can read with the sqlite3 shell.
namespace penumbra::control {

std::string encode_texts(const std::vector<std::string>& texts);
Result<std::vector<std::string>> decode_texts(std::string_view json);

std::string encode_gates(const std::vector<GateResult>& gates);
Result<std::vector<GateResult>> decode_gates(std::string_view json);

std::string encode_report(const sync::Report& report);
Result<sync::Report> decode_report(std::string_view json);

}  // namespace penumbra::control
