#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kube/node.h"

namespace penumbra::kube {

/// What became of a field. In the order in which a report shows them: what a human has to do comes first.
enum class Verdict : std::uint8_t {
    decision,  ///< only the user can say what is right; what we wrote is a proposal
    changed,   ///< means the same in other words, units or places, or had to become something else
    dropped,   ///< has no counterpart
    added,     ///< nothing in the source asked for it, and the target needs it
    mapped,    ///< carried over as it was
};
std::string_view to_string(Verdict verdict);

struct ReportEntry {
    Verdict verdict = Verdict::mapped;
    std::string from;  ///< path in the source; empty when added
    Mark mark;
    std::string was;
    std::string to;  ///< path in the target, `Kind path`; empty when dropped
    std::string now;
    std::string why;  ///< the reason and the consequence
};

/// What a conversion did, field by field. Plain data.
class Report {
  public:
    void add(ReportEntry entry);
    const std::vector<ReportEntry>& entries() const { return entries_; }
    std::size_t count(Verdict verdict) const;
    /// Whether the field at `path`, or something above it, has been accounted for.
    bool covers(std::string_view path) const;

    std::string summary() const;
    std::string text() const;
    std::string markdown() const;
    Node json() const;

  private:
    std::vector<ReportEntry> entries_;
};

}  // namespace penumbra::kube
