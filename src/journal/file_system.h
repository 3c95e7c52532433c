#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace penumbra::journal {

/// One open file. Errors are Errc::io, name call and path, and hold the errno in Error::detail.
class File {
  public:
    virtual ~File() = default;
    /// All of `parts`, one behind the other, from `offset` on. After an error any of it may be there.
    virtual Status write_at(std::uint64_t offset, std::span<const BytesView> parts) = 0;
    /// How many bytes there were: fewer than asked for only at the end of the file. Any thread.
    virtual Result<std::size_t> read_at(std::uint64_t offset, MutableBytes into) const = 0;
    virtual Result<std::uint64_t> size() const = 0;
    /// Contents and size are on disk once this returned success.
    virtual Status sync_data() = 0;
    /// It was renamed: errors name it so from now on.
    virtual void renamed(const std::filesystem::path& path) = 0;
};

/// Held for as long as it lives; the kernel takes it back from a process that was killed.
class FileLock {
  public:
    virtual ~FileLock() = default;
};

/// What the journal asks of the disk, no more, so that a test can put one in its place that forgets what was not synced
/// and fails when told to.
class FileSystem {
  public:
    virtual ~FileSystem() = default;

    static FileSystem& system();

    /// For reading and writing, empty, mode 0600; one that is there is emptied.
    virtual Result<std::shared_ptr<File>> create(const std::filesystem::path& path) = 0;
    /// For reading and writing, as it is.
    virtual Result<std::shared_ptr<File>> open(const std::filesystem::path& path) = 0;
    /// Takes the place of `to` where that exists.
    virtual Status rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
    virtual Status remove(const std::filesystem::path& path) = 0;
    /// Mode 0700. False: it was there.
    virtual Result<bool> make_directory(const std::filesystem::path& path) = 0;
    /// Names that were added to or taken from the directory are so on disk.
    virtual Status sync_directory(const std::filesystem::path& path) = 0;
    /// The names in it, sorted.
    virtual Result<std::vector<std::string>> list(const std::filesystem::path& path) = 0;
    /// Errc::conflict, with the owner's pid, when somebody else holds it.
    virtual Result<std::unique_ptr<FileLock>> lock(const std::filesystem::path& path) = 0;
};

/// The same error with what the operator can do about it.
Error with_remedy(Error error);

}  // namespace penumbra::journal
