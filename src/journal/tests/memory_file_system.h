#pragma once

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "journal/file_system.h"

namespace penumbra::journal {

/// A disk that forgets: contents are durable after sync_data(), names after sync_directory(). after_crash() is what a
/// machine finds when it comes back. Any call can be made to fail, or to be the last that happened. Thread safe.
///
/// A sync that failed behaves as on Linux: what was dirty then is taken for clean, and never written by a later sync.
class MemoryFileSystem final : public FileSystem {
  public:
    /// What becomes of what was not synced.
    enum class Loses { everything, nothing, some };

    struct Call {
        std::string name;
        std::string path;
    };
    /// Asked before each call (except reads): the errno it fails with, or 0.
    using Plan = std::function<int(std::size_t number, const Call& call)>;

    MemoryFileSystem() { directories_["/"]; }

    void plan(Plan plan) {
        const std::lock_guard lock(mutex_);
        plan_ = std::move(plan);
    }
    std::size_t calls() const {
        const std::lock_guard lock(mutex_);
        return calls_;
    }
    std::size_t syncs() const {
        const std::lock_guard lock(mutex_);
        return syncs_;
    }
    /// Contents of files may grow to this many bytes in all; then ENOSPC.
    void set_capacity(std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        capacity_ = bytes;
    }
    /// Data syncs wait until let go.
    void hold_syncs(bool hold) {
        const std::lock_guard lock(mutex_);
        held_ = hold;
        changed_.notify_all();
    }
    void await_held_sync() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return waiting_ > 0; });
    }

    std::unique_ptr<MemoryFileSystem> after_crash(Loses loses, std::uint64_t seed = 1) const {
        const std::lock_guard lock(mutex_);
        std::mt19937_64 random(seed);
        const auto toss = [&] { return loses == Loses::nothing || (loses == Loses::some && random() % 2 == 0); };
        auto after = std::make_unique<MemoryFileSystem>();
        std::map<const Inode*, std::shared_ptr<Inode>> copies;
        // Downwards: a directory is there if its name in the one above survived.
        std::vector<std::string> found{"/"};
        for (std::size_t i = 0; i < found.size(); ++i) {
            const auto path = found[i];
            const auto& directory = directories_.at(path);
            auto names = directory.durable;
            for (const auto& change : directory.unsynced) {
                if (toss()) change.apply(names);
            }
            auto& copy = after->directories_[path];
            for (const auto& [name, inode] : names) {
                if (!inode) {
                    copy.now[name] = nullptr;
                    found.push_back((std::filesystem::path(path) / name).native());
                    continue;
                }
                auto& file = copies[inode.get()];
                if (!file) {
                    file = std::make_shared<Inode>();
                    file->now = file->durable = survive(*inode, loses, random);
                }
                copy.now[name] = file;
            }
            copy.durable = copy.now;
        }
        return after;
    }

    // For tests that look at or damage files.
    Bytes contents(const std::string& path) const {
        const std::lock_guard lock(mutex_);
        return find(path)->now;
    }
    void set_contents(const std::string& path, Bytes bytes) {
        const std::lock_guard lock(mutex_);
        auto& inode = directories_[parent_of(path)].now[name_of(path)];
        if (!inode) inode = std::make_shared<Inode>();
        inode->now = inode->durable = std::move(bytes);
        directories_[parent_of(path)].durable[name_of(path)] = inode;
    }
    void add_directory(const std::string& path) {
        const std::lock_guard lock(mutex_);
        for (std::filesystem::path at = path; at != "/"; at = at.parent_path()) {
            directories_[at.native()];
            directories_[at.parent_path().native()].now[at.filename()] = nullptr;
            directories_[at.parent_path().native()].durable[at.filename()] = nullptr;
        }
    }
    void erase(const std::string& path) {
        const std::lock_guard lock(mutex_);
        directories_[parent_of(path)].now.erase(name_of(path));
        directories_[parent_of(path)].durable.erase(name_of(path));
    }
    std::vector<std::string> names(const std::string& directory) const {
        const std::lock_guard lock(mutex_);
        std::vector<std::string> out;
        if (const auto found = directories_.find(directory); found != directories_.end()) {
            for (const auto& [name, inode] : found->second.now) out.push_back(name);
        }
        return out;
    }

    /// No file came, went or was renamed since its directory was synced.
    bool all_names_durable() const {
        const std::lock_guard lock(mutex_);
        return std::ranges::all_of(directories_, [](const auto& at) { return at.second.unsynced.empty(); });
    }

    Result<std::shared_ptr<File>> create(const std::filesystem::path& path) override {
        const std::lock_guard lock(mutex_);
        if (const int error = enter("create", path.native())) return fail(system_error("create", path.native(), error));
        auto& directory = directories_.at(parent_of(path));
        auto inode = std::make_shared<Inode>();
        directory.change({name_of(path), inode, ""});
        return std::shared_ptr<File>(std::make_shared<Handle>(*this, inode, path.native()));
    }
    Result<std::shared_ptr<File>> open(const std::filesystem::path& path) override {
        const std::lock_guard lock(mutex_);
        if (const int error = enter("open", path.native())) return fail(system_error("open", path.native(), error));
        auto inode = find(path.native());
        if (!inode) return fail(system_error("open", path.native(), ENOENT));
        return std::shared_ptr<File>(std::make_shared<Handle>(*this, inode, path.native()));
    }
    Status rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
        const std::lock_guard lock(mutex_);
        if (const int error = enter("rename", to.native())) return fail(system_error("rename to", to.native(), error));
        auto& directory = directories_.at(parent_of(from));
        directory.change({name_of(to), directory.now.at(name_of(from)), name_of(from)});
        return ok();
    }
    Status remove(const std::filesystem::path& path) override {
        const std::lock_guard lock(mutex_);
        if (const int error = enter("remove", path.native())) return fail(system_error("remove", path.native(), error));
        auto& directory = directories_.at(parent_of(path));
        if (!directory.now.contains(name_of(path))) return fail(system_error("remove", path.native(), ENOENT));
        directory.change({"", nullptr, name_of(path)});
        return ok();
    }
    Result<bool> make_directory(const std::filesystem::path& path) override {
        const std::lock_guard lock(mutex_);
        if (directories_.contains(path.native())) return false;
        if (const int error = enter("mkdir", path.native()))
            return fail(system_error("make directory", path.native(), error));
        const auto parent = directories_.find(parent_of(path));
        if (parent == directories_.end()) return fail(system_error("make directory", path.native(), ENOENT));
        parent->second.change({name_of(path), nullptr, ""});
        directories_[path.native()];
        return true;
    }
    Status sync_directory(const std::filesystem::path& path) override {
        const std::lock_guard lock(mutex_);
        if (const int error = enter("fsync directory", path.native()))
            return fail(system_error("fsync directory", path.native(), error));
        auto& directory = directories_.at(path.native());
        directory.durable = directory.now;
        directory.unsynced.clear();
        return ok();
    }
    Result<std::vector<std::string>> list(const std::filesystem::path& path) override {
        {
            const std::lock_guard lock(mutex_);
            if (const int error = enter("list", path.native())) return fail(system_error("list", path.native(), error));
        }
        return names(path.native());
    }
    Result<std::unique_ptr<FileLock>> lock(const std::filesystem::path& path) override {
        const std::lock_guard lock(mutex_);
        if (const int error = enter("lock", path.native())) return fail(system_error("lock", path.native(), error));
        return std::make_unique<FileLock>();
    }

  private:
    static constexpr std::size_t kSector = 64;  // small, so that records tear in the middle

    struct Inode {
        Bytes now;
        Bytes durable;
        std::vector<std::pair<std::size_t, std::size_t>> dirty;  // written since the last sync: from, to
    };
    using Names = std::map<std::string, std::shared_ptr<Inode>>;  // null: a directory
    struct Change {
        std::string adds;
        std::shared_ptr<Inode> inode;
        std::string removes;
        void apply(Names& names) const {
            if (!removes.empty()) names.erase(removes);
            if (!adds.empty()) names[adds] = inode;
        }
    };
    struct Directory {
        Names now;
        Names durable;
        std::vector<Change> unsynced;
        void change(Change change) {
            change.apply(now);
            unsynced.push_back(std::move(change));
        }
    };

    class Handle final : public File {
      public:
        Handle(MemoryFileSystem& disk, std::shared_ptr<Inode> inode, std::string path)
            : disk_(disk), inode_(std::move(inode)), path_(std::move(path)) {}

        Status write_at(std::uint64_t offset, std::span<const BytesView> parts) override {
            Bytes bytes;
            for (const auto part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
            const std::lock_guard lock(disk_.mutex_);
            int error = disk_.enter("write", path_);
            auto takes = error ? bytes.size() / 2 : bytes.size();  // what failed did some of it
            const auto used = disk_.used();
            if (!error && used + takes > disk_.capacity_) {
                error = ENOSPC;
                takes = disk_.capacity_ > used ? disk_.capacity_ - used : 0;
            }
            if (disk_.gone_) takes = 0;
            if (inode_->now.size() < offset + takes) inode_->now.resize(offset + takes);
            std::copy_n(bytes.begin(), takes, inode_->now.begin() + static_cast<std::ptrdiff_t>(offset));
            inode_->dirty.emplace_back(offset, offset + takes);
            if (error) return fail(system_error("write", path_, error));
            return ok();
        }
        Result<std::size_t> read_at(std::uint64_t offset, MutableBytes into) const override {
            const std::lock_guard lock(disk_.mutex_);
            if (const int error = disk_.read_error_) return fail(system_error("read", path_, error));
            if (offset >= inode_->now.size()) return std::size_t{0};
            const auto n = std::min<std::size_t>(into.size(), inode_->now.size() - offset);
            std::copy_n(inode_->now.begin() + static_cast<std::ptrdiff_t>(offset), n, into.begin());
            return n;
        }
        Result<std::uint64_t> size() const override {
            const std::lock_guard lock(disk_.mutex_);
            return inode_->now.size();
        }
        Status sync_data() override {
            std::unique_lock lock(disk_.mutex_);
            ++disk_.waiting_;
            disk_.changed_.notify_all();
            disk_.changed_.wait(lock, [&] { return !disk_.held_; });
            --disk_.waiting_;
            const int error = disk_.enter("fdatasync", path_);
            if (disk_.gone_) return fail(system_error("fdatasync", path_, error));
            if (!error) {
                ++disk_.syncs_;
                for (const auto& [from, to] : inode_->dirty) {
                    if (inode_->durable.size() < to) inode_->durable.resize(to);
                    std::copy(inode_->now.begin() + static_cast<std::ptrdiff_t>(from),
                              inode_->now.begin() + static_cast<std::ptrdiff_t>(to),
                              inode_->durable.begin() + static_cast<std::ptrdiff_t>(from));
                }
            }
            inode_->dirty.clear();
            if (error) return fail(system_error("fdatasync", path_, error));
            return ok();
        }

        void renamed(const std::filesystem::path& path) override { path_ = path.native(); }

      private:
        MemoryFileSystem& disk_;
        std::shared_ptr<Inode> inode_;
        std::string path_;
    };

    static std::string parent_of(const std::filesystem::path& path) { return path.parent_path().native(); }
    static std::string name_of(const std::filesystem::path& path) { return path.filename().native(); }

    static Bytes survive(const Inode& inode, Loses loses, std::mt19937_64& random) {
        if (loses == Loses::nothing) return inode.now;
        auto bytes = inode.durable;
        if (loses == Loses::everything || inode.now.size() < bytes.size()) return bytes;
        bytes.resize(bytes.size() + random() % (inode.now.size() - bytes.size() + 1));
        for (std::size_t at = 0; at < bytes.size(); at += kSector) {
            if (random() % 2 == 0) continue;
            const auto end = std::min(at + kSector, bytes.size());
            std::copy(inode.now.begin() + static_cast<std::ptrdiff_t>(at),
                      inode.now.begin() + static_cast<std::ptrdiff_t>(end),
                      bytes.begin() + static_cast<std::ptrdiff_t>(at));
        }
        return bytes;
    }
    std::shared_ptr<Inode> find(const std::string& path) const {
        const auto directory = directories_.find(parent_of(path));
        if (directory == directories_.end()) return nullptr;
        const auto found = directory->second.now.find(name_of(path));
        return found == directory->second.now.end() ? nullptr : found->second;
    }
    std::size_t used() const {
        std::size_t bytes = 0;
        for (const auto& [path, directory] : directories_) {
            for (const auto& [name, inode] : directory.now) bytes += inode ? inode->now.size() : 0;
        }
        return bytes;
    }
    int enter(const char* name, const std::string& path) {
        const auto number = calls_++;
        if (gone_) return EIO;
        return plan_ ? plan_(number, {name, path}) : 0;
    }

  public:
    /// From a plan: nothing has any effect from this call on; the machine is gone.
    int die() {
        gone_ = true;
        return EIO;
    }
    void fail_reads(int error) {
        const std::lock_guard lock(mutex_);
        read_error_ = error;
    }

  private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, Directory> directories_;
    Plan plan_;
    std::size_t calls_ = 0;
    std::size_t syncs_ = 0;
    std::size_t capacity_ = std::size_t{1} << 40;
    bool held_ = false;
    int waiting_ = 0;
    bool gone_ = false;
    int read_error_ = 0;
};

}  // namespace penumbra::journal
