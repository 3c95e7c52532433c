#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

/// HTTP as the admin API sees it: values, without the library that speaks it.
namespace penumbra::admin {

struct HttpRequest {
    std::string method;             ///< GET, POST, DELETE
    std::vector<std::string> path;  ///< segments, percent-decoded: /v1/tenants/a%2Fb is {"v1", "tenants", "a/b"}
    std::string body;
    std::string host;  ///< headers, empty where missing
    std::string origin;
};

struct HttpResponse {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
};

/// The segments of a request target; its query is left out. Errc::invalid_argument for what is not one.
Result<std::vector<std::string>> split_target(std::string_view target);
/// A segment as it can stand in a target.
std::string encode_segment(std::string_view segment);

/// The status that docs/admin-api.md gives to a code.
unsigned status_of(Errc code);
/// {"error": {"code": …, "message": …}}
HttpResponse error_response(const Error& error);

}  // namespace penumbra::admin
