#include "control/tests/power_cut.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using penumbra::control::testing::Keeps;
using Contents = std::vector<char>;

constexpr std::size_t kSector = 512;

struct Disk {
    fs::path directory;
    std::uint64_t calls_left = 0;
    Keeps keeps = Keeps::nothing;
    std::mt19937_64 random;
    std::map<std::string, Contents> synced;  // by path
    std::set<std::string> names;             // that the directory is known to have
};
Disk* disk = nullptr;
bool inside = false;  // what we do ourselves is not counted

template <class F>
F* real(const char* name) {
    return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

std::optional<std::string> path_of(int fd) {
    std::array<char, 4096> buffer{};
    const auto size = ::readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), buffer.data(), buffer.size());
    if (size <= 0) return std::nullopt;
    return std::string(buffer.data(), static_cast<std::size_t>(size));
}

bool is_ours(const std::string& path) {
    return path.starts_with(disk->directory.native());
}

Contents read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const fs::path& path, const Contents& contents) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(contents.data(), static_cast<std::streamsize>(contents.size()));
}

Contents mixed(const Contents& old, const Contents& fresh) {
    Contents out = disk->random() % 2 ? fresh : old;
    for (std::size_t at = 0; at < out.size(); at += kSector) {
        const auto& from = disk->random() % 2 ? fresh : old;
        for (auto i = at; i < std::min(out.size(), at + kSector); ++i) out[i] = i < from.size() ? from[i] : '\0';
    }
    return out;
}

[[noreturn]] void power_goes() {
    if (disk->keeps != Keeps::everything) {
        for (const auto& entry : fs::directory_iterator(disk->directory)) {
            const auto path = entry.path().native();
            if (path.ends_with("-shm")) {
                fs::remove(entry.path());  // never on disk
                continue;
            }
            const bool some = disk->keeps == Keeps::some;
            if (!disk->names.contains(path) && !(some && disk->random() % 2)) {
                fs::remove(entry.path());
                continue;
            }
            const auto found = disk->synced.find(path);
            const auto old = found == disk->synced.end() ? Contents() : found->second;
            write_file(entry.path(), some ? mixed(old, read_file(entry.path())) : old);
        }
    }
    ::_exit(penumbra::control::testing::kPowerWent);
}

/// In front of a call that changes the disk.
void count(const std::string& path) {
    if (!is_ours(path)) return;
    inside = true;
    if (disk->calls_left-- == 0) power_goes();
    inside = false;
}
void count(int fd) {
    if (!disk || inside) return;
    if (const auto path = path_of(fd)) count(*path);
}

void is_synced(int fd) {
    if (!disk || inside) return;
    const auto path = path_of(fd);
    if (!path || !is_ours(*path)) return;
    inside = true;
    if (fs::is_directory(*path)) {
        for (const auto& entry : fs::directory_iterator(*path)) disk->names.insert(entry.path().native());
    } else {
        disk->synced[*path] = read_file(*path);
    }
    inside = false;
}

}  // namespace

extern "C" {

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
    count(fd);
    static auto* const next = real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
    return next(fd, bytes, size, at);
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
    count(fd);
    static auto* const next = real<ssize_t(int, const void*, size_t, off64_t)>("pwrite64");
    return next(fd, bytes, size, at);
}
int ftruncate(int fd, off_t size) noexcept {
    count(fd);
    static auto* const next = real<int(int, off_t)>("ftruncate");
    return next(fd, size);
}
int ftruncate64(int fd, off64_t size) noexcept {
    count(fd);
    static auto* const next = real<int(int, off64_t)>("ftruncate64");
    return next(fd, size);
}
int fsync(int fd) {
    count(fd);
    static auto* const next = real<int(int)>("fsync");
    const int done = next(fd);
    if (done == 0) is_synced(fd);
    return done;
}
int fdatasync(int fd) {
    count(fd);
    static auto* const next = real<int(int)>("fdatasync");
    const int done = next(fd);
    if (done == 0) is_synced(fd);
    return done;
}
int unlink(const char* path) noexcept {
    if (disk && !inside) count(std::string(path));
    static auto* const next = real<int(const char*)>("unlink");
    return next(path);
}

}  // extern "C"

namespace penumbra::control::testing {

void cut_power(const fs::path& directory, std::uint64_t at, Keeps keeps, std::uint64_t seed) {
    static Disk made;
    made.directory = fs::canonical(directory);
    made.calls_left = at;
    made.keeps = keeps;
    made.random.seed(seed);
    for (const auto& entry : fs::directory_iterator(made.directory)) {
        made.names.insert(entry.path().native());
        made.synced[entry.path().native()] = read_file(entry.path());
    }
    disk = &made;
}

}  // namespace penumbra::control::testing
