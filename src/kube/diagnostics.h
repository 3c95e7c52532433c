#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kube/node.h"

namespace penumbra::kube {

enum class Severity : std::uint8_t { error, warning, note };
std::string_view to_string(Severity severity);

/// Something to say about a place in a file. `help` is what to do about it.
struct Diagnostic {
    Severity severity = Severity::error;
    std::string file;
    Mark mark;
    std::string path;  ///< the field, such as spec.datacenter.racks[0].members
    std::string message;
    std::string help;
};

/// What was found in one file, in the order of its lines once rendered.
class Diagnostics {
  public:
    explicit Diagnostics(std::string file = {}) : file_(std::move(file)) {}

    void error(Mark mark, std::string path, std::string message, std::string help = {});
    void warning(Mark mark, std::string path, std::string message, std::string help = {});
    void note(Mark mark, std::string path, std::string message, std::string help = {});

    const std::vector<Diagnostic>& all() const { return all_; }
    std::size_t errors() const;
    const std::string& file() const { return file_; }

    /// `file:line:column: error: path: message`, the source line with a caret, and the help, sorted by place.
    std::string render(std::string_view source) const;

  private:
    void add(Severity severity, Mark mark, std::string path, std::string message, std::string help);

    std::string file_;
    std::vector<Diagnostic> all_;
};

/// The candidate that is closest to `name` by edit distance and case, or empty when none is close.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace penumbra::kube
