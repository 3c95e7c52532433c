#pragma once

#include <iosfwd>
#include <string>

#include <boost/json.hpp>

#include "base/clock.h"
#include "cli/cli.h"

namespace penumbra::cli {

/// "verify acme  [######......]  10/64 ranges  700 rows  950 rows/s  5 s left", in `width` places; the bar shrinks
/// first.
std::string progress_bar(const boost::json::value& job, bool utf8, std::size_t width);
/// The same without a bar.
std::string progress_line(const boost::json::value& job);

/// Shows a job while it runs: a bar that redraws itself on a terminal, otherwise a line now and then. Silent during the
/// first second, so that short work leaves no trace. The bar is gone when it is destroyed or clear() was called.
class ProgressDisplay {
  public:
    ProgressDisplay(std::ostream& out, const Surroundings& around, SteadyTime started)
        : out_(out), around_(around), started_(started) {}
    ~ProgressDisplay() { clear(); }
    ProgressDisplay(const ProgressDisplay&) = delete;

    void show(const boost::json::value& job, SteadyTime now);
    /// A word between two states, such as why there is none.
    void note(const std::string& sentence);
    void clear();

  private:
    std::ostream& out_;
    const Surroundings& around_;
    SteadyTime started_;
    SteadyTime next_line_ = SteadyTime::min();
    bool drawn_ = false;
};

}  // namespace penumbra::cli
