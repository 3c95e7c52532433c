#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cql/language/term.h"

namespace penumbra::cql::ddl {

/// {'key': value, ...} of a property, to edit. Keys keep their order.
class OptionMap {
  public:
    struct Entry {
        std::string key;
        std::string value;    ///< decoded
        std::string written;  ///< as CQL
    };

    /// Nothing where the term is no map of plain values.
    static std::optional<OptionMap> from(std::string_view text, const Term& term);

    const Entry* find(std::string_view key) const;
    std::string_view value_or(std::string_view key, std::string_view otherwise) const;
    /// Adds or replaces, as a string.
    void set(std::string_view key, std::string_view value);
    void rename(std::string_view key, std::string_view to);
    bool erase(std::string_view key);
    std::vector<Entry>& entries() { return entries_; }
    const std::vector<Entry>& entries() const { return entries_; }
    std::string to_cql() const;

  private:
    std::vector<Entry> entries_;
};

}  // namespace penumbra::cql::ddl
