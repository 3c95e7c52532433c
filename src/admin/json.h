#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/fwd.hpp>
#include <boost/json/object.hpp>

#include "admin/http.h"
#include "control/coordinator.h"

/// The objects of docs/admin-api.md.
namespace penumbra::admin {

boost::json::object to_json(const control::Migration& migration, const journal::Owed& owed, std::int64_t now);
boost::json::object to_json(const control::JobView& job);
boost::json::object to_json(const control::ChangeReport& report);
boost::json::object to_json(const control::AuditEntry& entry);
boost::json::object to_json(const control::ClusterStatus& cluster);

/// Seconds since then; 0 for 0, which is "never".
double seconds_since(std::int64_t wall_micros, std::int64_t now);

HttpResponse json_response(const boost::json::object& object, unsigned status = 200);
boost::json::string_view as_json(std::string_view text);

/// The members of a request's body. Reading marks a member as known; finish() refuses what nobody read, with its name,
/// so that a misspelt "dry_run" is an error and not a switch.
class Body {
  public:
    /// An empty body is an empty object.
    static Result<Body> parse(std::string_view text);

    Result<std::optional<std::string>> text(std::string_view name);
    Result<bool> boolean(std::string_view name);
    Result<std::vector<std::string>> texts(std::string_view name);
    Result<std::vector<std::uint64_t>> numbers(std::string_view name);
    Result<Body> object(std::string_view name);
    Status finish() const;

  private:
    explicit Body(boost::json::object members) : members_(std::move(members)) {}
    const boost::json::value* take(std::string_view name);
    boost::json::object members_;
    std::vector<std::string> known_;
};

}  // namespace penumbra::admin
