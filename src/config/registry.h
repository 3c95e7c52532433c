#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace penumbra::config {

/// What the registry knows of a setting of any type; see Setting.
class AnySetting {
  public:
    AnySetting(const AnySetting&) = delete;
    AnySetting& operator=(const AnySetting&) = delete;

    const std::string& name() const { return name_; }
    const std::string& help() const { return help_; }
    bool required() const { return required_; }
    bool secret() const { return secret_; }
    /// Where its value comes from: empty for the default, "--name" for a flag, "FILE:LINE" for a file.
    const std::string& origin() const { return origin_; }

    virtual std::string_view kind() const = 0;
    virtual std::string text() const = 0;
    virtual std::string default_text() const = 0;
    virtual std::string range_text() const = 0;

  protected:
    AnySetting(std::string_view name, std::string_view help, bool required, bool secret)
        : name_(name), help_(help), required_(required), secret_(secret) {}
    virtual ~AnySetting() = default;
    BOOST_OUTCOME_V2_NAMESPACE::failure_type<Error> out_of_range(std::string_view text) const;

  private:
    friend class Registry;
    virtual Status assign(std::string_view text) = 0;

    std::string name_;
    std::string help_;
    std::string origin_;
    std::string group_;
    bool required_;
    bool secret_;
};

/// All settings of a program: fills them from flags and one YAML file, and describes them. Used by one thread at start.
class Registry {
  public:
    Registry() = default;
    Registry(const Registry&) = delete;

    /// Title in --help of the settings that are added from now on.
    void group(std::string_view title) { group_ = title; }
    void add(AnySetting& setting);

    /// `--name value` or `--name=value`; `--config FILE` names a YAML file with the same names, over which flags win.
    /// Every failure is Errc::invalid_argument that says where and what instead. Checks that what is required was
    /// given.
    Status load(const std::vector<std::string>& flags);
    /// The parts of load(). A file may say `journal: {quota: 1GiB}` for `journal.quota`, and write lists as lists.
    Status read_yaml(std::string_view text, std::string_view file_name);
    Status check_required() const;

    const std::vector<AnySetting*>& all() const { return all_; }
    AnySetting* find(std::string_view name) const;
    /// The name that was probably meant; empty when none is near.
    std::string nearest(std::string_view name) const;
    /// Flags with type, meaning, default and range, `width` columns wide.
    std::string help(std::size_t width = 100) const;

  private:
    Status set(std::string_view name, std::string_view text, std::string origin);
    Status unknown(std::string_view where, std::string_view name) const;

    std::string group_;
    std::vector<AnySetting*> all_;
};

/// Reads a whole file of at most 1 MiB.
Result<std::string> read_text_file(const std::filesystem::path& path);

/// How many single-character edits lie between two words.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace penumbra::config
