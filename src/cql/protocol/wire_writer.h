#pragma once

#include <cstddef>
#include <vector>

#include "base/bytes.h"
#include "cql/protocol/compression.h"
#include "cql/protocol/version.h"

namespace penumbra::cql {

/// Makes plain envelopes into what one direction of a connection carries: the counterpart of WireReader. Works in the
/// stream's outgoing buffer, once per turn of the loop, so that what was written in one turn shares segments.
class WireWriter {
  public:
    /// After the answer to STARTUP went through encode(): what comes next is written by this. may_agree() must hold.
    void agree(ProtocolVersion version, Compression compression);

    /// out[from..] holds whole plain envelopes and nothing else; afterwards it holds their form on the wire. What is
    /// small or does not get smaller stays uncompressed. In v5 as many whole envelopes as fit share a segment; one that
    /// is longer is spread over segments of its own.
    /// Allocates nothing once its buffers have grown (Snappy excepted, see compression.h); takes about two milliseconds
    /// for each MiB of LZ4.
    void encode(Bytes& out, std::size_t from);

  private:
    void compress_frames(Bytes& out, std::size_t from) const;
    void cut(BytesView envelopes);
    void wrap(Bytes& out, std::size_t from);
    void wrap_compressed(Bytes& out, std::size_t from);

    Compression compression_ = Compression::none;
    bool segments_ = false;

    /// A payload among the envelopes.
    struct Cut {
        std::size_t at;
        std::size_t size;
        bool self_contained;
    };
    std::vector<Cut> cuts_;  // kept for its capacity
};

}  // namespace penumbra::cql
