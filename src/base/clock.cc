#include "base/clock.h"

namespace penumbra {

namespace {
class SystemClock : public Clock {
  public:
    SteadyTime now() const override { return std::chrono::steady_clock::now(); }
    std::int64_t wall_micros() const override {
        return std::chrono::duration_cast<Micros>(std::chrono::system_clock::now().time_since_epoch()).count();
    }
};
}  // namespace

const Clock& Clock::system() {
    static const SystemClock clock;
    return clock;
}

}  // namespace penumbra
