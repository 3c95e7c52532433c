#pragma once

#include <cstddef>
#include <memory>

#include "base/bytes.h"

namespace penumbra::cql {

/// Memory that a WireReader or WireWriter borrows while it has something to keep in it. Comes from a stock of the
/// thread, so that a connection holds none while it is idle and a busy one allocates nothing. Its bytes are not
/// initialized.
class WireBuffer {
  public:
    WireBuffer() = default;
    ~WireBuffer() { give_back(); }
    WireBuffer(WireBuffer&& other) noexcept;
    WireBuffer& operator=(WireBuffer&& other) noexcept;

    /// At least `size` bytes; what was there before is gone.
    Byte* take(std::size_t size);
    void give_back();

    Byte* data() { return bytes_.get(); }
    const Byte* data() const { return bytes_.get(); }
    std::size_t capacity() const { return capacity_; }

    /// What a thread keeps for later at most; beyond that memory is freed when it is given back.
    static constexpr std::size_t kMaxStock = 8u << 20;

  private:
    std::unique_ptr<Byte[]> bytes_;
    std::size_t capacity_ = 0;
};

}  // namespace penumbra::cql
