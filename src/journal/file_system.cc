#include "journal/file_system.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace penumbra::journal {

namespace {

namespace fs = std::filesystem;

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() { ::close(fd_); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

  private:
    int fd_;
};

class SystemFile final : public File {
  public:
    SystemFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

    Status write_at(std::uint64_t offset, std::span<const BytesView> parts) override {
        std::array<iovec, IOV_MAX> vectors;
        std::size_t part = 0;
        std::size_t in_part = 0;  // bytes of `part` that are written: the kernel may take less than it was given
        while (part < parts.size()) {
            const auto count = std::min<std::size_t>(parts.size() - part, vectors.size());
            for (std::size_t i = 0; i < count; ++i) {
                const auto view = i == 0 ? parts[part].subspan(in_part) : parts[part + i];
                vectors[i] = {const_cast<Byte*>(view.data()), view.size()};
            }
            const auto written =
                ::pwritev(fd_.get(), vectors.data(), static_cast<int>(count), static_cast<off_t>(offset));
            if (written < 0) {
                if (errno == EINTR) continue;
                return fail(system_error("write", path_, errno));
            }
            offset += static_cast<std::uint64_t>(written);
            in_part += static_cast<std::size_t>(written);
            while (part < parts.size() && in_part >= parts[part].size()) in_part -= parts[part++].size();
        }
        return ok();
    }

    Result<std::size_t> read_at(std::uint64_t offset, MutableBytes into) const override {
        std::size_t got = 0;
        while (got < into.size()) {
            const auto n = ::pread(fd_.get(), into.data() + got, into.size() - got, static_cast<off_t>(offset + got));
            if (n < 0) {
                if (errno == EINTR) continue;
                return fail(system_error("read", path_, errno));
            }
            if (n == 0) break;
            got += static_cast<std::size_t>(n);
        }
        return got;
    }

    Result<std::uint64_t> size() const override {
        struct stat status {};
        if (::fstat(fd_.get(), &status) != 0) return fail(system_error("stat", path_, errno));
        return static_cast<std::uint64_t>(status.st_size);
    }

    Status sync_data() override {
        if (::fdatasync(fd_.get()) != 0) return fail(system_error("fdatasync", path_, errno));
        return ok();
    }

    void renamed(const fs::path& path) override { path_ = path.native(); }

  private:
    Descriptor fd_;
    std::string path_;
};

class SystemLock final : public FileLock {
  public:
    explicit SystemLock(int fd) : fd_(fd) {}
    int get() const { return fd_.get(); }

  private:
    Descriptor fd_;
};

class SystemFileSystem final : public FileSystem {
  public:
    Result<std::shared_ptr<File>> create(const fs::path& path) override {
        return open_with(path, O_RDWR | O_CREAT | O_TRUNC, "create");
    }
    Result<std::shared_ptr<File>> open(const fs::path& path) override { return open_with(path, O_RDWR, "open"); }

    Status rename(const fs::path& from, const fs::path& to) override {
        if (::rename(from.c_str(), to.c_str()) != 0) return fail(system_error("rename to", to.native(), errno));
        return ok();
    }
    Status remove(const fs::path& path) override {
        if (::unlink(path.c_str()) != 0) return fail(system_error("remove", path.native(), errno));
        return ok();
    }
    Result<bool> make_directory(const fs::path& path) override {
        if (::mkdir(path.c_str(), 0700) == 0) return true;
        const int error = errno;
        struct stat status {};
        if (error == EEXIST && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return false;
        return fail(system_error("make directory", path.native(), error));
    }
    Status sync_directory(const fs::path& path) override {
        const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) return fail(system_error("open directory", path.native(), errno));
        const Descriptor directory(fd);
        if (::fsync(fd) != 0) return fail(system_error("fsync directory", path.native(), errno));
        return ok();
    }
    Result<std::vector<std::string>> list(const fs::path& path) override {
        std::vector<std::string> names;
        std::error_code error;
        for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
            names.push_back(at->path().filename().native());
        }
        if (error) return fail(system_error("list", path.native(), error.value()));
        std::ranges::sort(names);
        return names;
    }
    Result<std::unique_ptr<FileLock>> lock(const fs::path& path) override {
        const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0) return fail(system_error("open", path.native(), errno));
        auto lock = std::make_unique<SystemLock>(fd);
        if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK) return fail(system_error("lock", path.native(), errno));
            std::array<char, 32> text{};
            const auto got = ::pread(fd, text.data(), text.size() - 1, 0);
            std::string pid(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
            pid.erase(std::ranges::find_if(pid, [](char c) { return c < '0' || c > '9'; }), pid.end());
            return fail(Errc::conflict,
                        fmt::format("the journal in {} is in use by process {}; stop that process, or give this "
                                    "one a directory of its own with --state",
                                    path.parent_path().native(), pid.empty() ? "(unknown)" : pid));
        }
        // Only for the message above. A pid that could not be written costs a better sentence, nothing else.
        const auto pid = fmt::format("{}\n", ::getpid());
        if (::ftruncate(fd, 0) == 0) [[maybe_unused]]
            const auto n = ::pwrite(fd, pid.data(), pid.size(), 0);
        return std::unique_ptr<FileLock>(std::move(lock));
    }

  private:
    static Result<std::shared_ptr<File>> open_with(const fs::path& path, int flags, const char* verb) {
        const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
        if (fd < 0) return fail(system_error(verb, path.native(), errno));
        return std::shared_ptr<File>(std::make_shared<SystemFile>(fd, path.native()));
    }
};

const char* remedy_for(int error) {
    switch (error) {
        case ENOSPC:
        case EDQUOT:
            return "free space on that file system; the journal goes on by itself once there is room";
        case EROFS:
            return "the file system is mounted read-only: check the disk and the kernel's log, then remount it";
        case EACCES:
        case EPERM:
            return "let the user that runs penumbra write there, or choose another directory with --state";
        case EMFILE:
        case ENFILE:
            return "raise the limit of open files (ulimit -n, LimitNOFILE)";
        default:
            return "check the disk and the kernel's log; the journal goes on by itself, in a new segment, once writes "
                   "succeed";
    }
}

}  // namespace

FileSystem& FileSystem::system() {
    static SystemFileSystem system;
    return system;
}

Error with_remedy(Error error) {
    if (error.code != Errc::io) return error;
    error.what += "; ";
    error.what += remedy_for(error.detail);
    return error;
}

}  // namespace penumbra::journal
