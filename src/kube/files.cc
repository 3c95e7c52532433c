#include "kube/files.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

namespace penumbra::kube {

namespace {

Result<std::string> read_all(std::istream& in, const std::string& name) {
    std::string text;
    char buffer[65536];
    while (in.read(buffer, sizeof buffer), in.gcount() > 0) {
        text.append(buffer, static_cast<std::size_t>(in.gcount()));
        if (text.size() > kLargestFile)
            return fail(Errc::invalid_argument, fmt::format("{} is larger than {} MiB", name, kLargestFile >> 20));
    }
    if (in.bad()) return fail(system_error("read", name, errno));
    return text;
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::istream& in) {
    if (path == "-") return read_all(in, "standard input");
    std::error_code problem;
    if (std::filesystem::is_directory(path, problem)) return fail(Errc::io, fmt::format("{} is a directory", path));
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) return fail(system_error("open", path, errno ? errno : ENOENT));
    return read_all(file, path);
}

Status write_file(const std::string& path, const std::string& text) {
    const auto temporary = path + ".new";
    errno = 0;
    {
        std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
        if (!file) return fail(system_error("create", temporary, errno ? errno : EIO));
        file << text;
        file.flush();
        if (!file) return fail(system_error("write", temporary, errno ? errno : EIO));
    }
    if (std::rename(temporary.c_str(), path.c_str()) != 0) return fail(system_error("rename", temporary, errno));
    return ok();
}

}  // namespace penumbra::kube
