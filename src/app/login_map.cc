#include "app/login_map.h"

#include <string>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

namespace penumbra::app {

namespace {

Status read_user(const YAML::Node& user, const YAML::Node& as, const std::string& where,
                 std::map<std::string, cluster::Credentials, std::less<>>& names) {
    const auto refuse = [&](const YAML::Node& at, const std::string& what) -> Status {
        return fail(Errc::invalid_argument, fmt::format("{}:{}: {}", where, at.Mark().line + 1, what));
    };
    if (!user.IsScalar() || !as.IsMap()) return refuse(user, "expected USER: {username: NAME, password: PASSWORD}");
    cluster::Credentials credentials;
    for (const auto& field : as) {
        const auto key = field.first.as<std::string>();
        if (!field.second.IsScalar()) return refuse(field.second, fmt::format("`{}` is no text", key));
        if (key == "username") {
            credentials.username = field.second.as<std::string>();
        } else if (key == "password") {
            credentials.password = field.second.as<std::string>();
        } else {
            return refuse(field.first, fmt::format("unknown key `{}`; there are username and password", key));
        }
    }
    if (credentials.username.empty()) return refuse(as, "the username is missing");
    if (!names.emplace(user.as<std::string>(), std::move(credentials)).second)
        return refuse(user, fmt::format("the user `{}` stands here twice", user.as<std::string>()));
    return ok();
}

Status read_map(const YAML::Node& root, const std::string& where, proxy::LoginPolicy& policy) {
    if (!root.IsMap())
        return fail(Errc::invalid_argument, fmt::format("{}: expected the keys source and target", where));
    for (const auto& entry : root) {
        const auto key = entry.first.as<std::string>();
        const auto line = entry.first.Mark().line + 1;
        if (key != "source" && key != "target")
            return fail(Errc::invalid_argument,
                        fmt::format("{}:{}: unknown key `{}`; there are source and target", where, line, key));
        if (entry.second.IsNull()) continue;
        if (!entry.second.IsMap())
            return fail(Errc::invalid_argument, fmt::format("{}:{}: `{}` is no map of users", where, line, key));
        auto& names = policy.names[key == "source" ? 0 : 1];
        for (const auto& user : entry.second) {
            TRY(read_user(user.first, user.second, where, names));
        }
    }
    return ok();
}

}  // namespace

Status read_login_map(const std::filesystem::path& file, proxy::LoginPolicy& policy) {
    const auto where = fmt::format("--login-map {}", file.native());
    try {
        return read_map(YAML::LoadFile(file.native()), where, policy);
    } catch (const YAML::BadFile&) {
        return fail(Errc::not_found, fmt::format("{}: cannot be read", where));
    } catch (const YAML::Exception& error) {
        return fail(Errc::invalid_argument, fmt::format("{}:{}: {}", where, error.mark.line + 1, error.msg));
    }
}

}  // namespace penumbra::app
