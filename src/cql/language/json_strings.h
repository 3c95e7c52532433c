#pragma once

#include <cstddef>
#include <string_view>

namespace penumbra::cql {

/// The strings of a JSON text one after the other, escapes resolved, and where they stand. Reads what is no JSON too:
/// whether it is one is for the server to say. Allocates nothing; one pass.
class JsonStrings {
  public:
    /// Of longer strings only so much is resolved.
    static constexpr std::size_t kMost = 128;

    explicit JsonStrings(std::string_view json) : json_(json) {}

    /// To the next string. False when there is none, or none that ends.
    bool next();

    /// Until the next call of next().
    std::string_view text() const { return {text_, size_}; }
    bool is_clipped() const { return clipped_; }
    /// Of the object that encloses everything: `{"<here>": ..`.
    bool is_outer_key() const { return depth_ == 1 && key_; }

  private:
    void resolve();
    void put(unsigned code);

    std::string_view json_;
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
    bool key_ = false;      ///< the string, or the next one, stands where an object has its keys
    bool outer_ = false;    ///< the outermost bracket is a brace
    char text_[kMost + 4];  // a character more than counts
    std::size_t size_ = 0;
    bool clipped_ = false;
};

}  // namespace penumbra::cql
