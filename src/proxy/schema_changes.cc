#include "proxy/schema_changes.h"

#include <utility>

namespace penumbra::proxy {

std::string_view to_string(SchemaChangeRecord::Outcome outcome) {
    switch (outcome) {
        case SchemaChangeRecord::Outcome::same:
            return "same";
        case SchemaChangeRecord::Outcome::translated:
            return "translated";
        case SchemaChangeRecord::Outcome::nothing:
            return "nothing";
        case SchemaChangeRecord::Outcome::refused:
            return "refused";
        case SchemaChangeRecord::Outcome::failed:
            return "failed";
        case SchemaChangeRecord::Outcome::unknown:
            return "unknown";
    }
    return "?";
}

void SchemaChanges::add(SchemaChangeRecord record) {
    if (record.statement.size() > kMaxText) record.statement.resize(kMaxText);
    for (auto& text : record.sent) {
        if (text.size() > kMaxText) text.resize(kMaxText);
    }
    const std::lock_guard lock(mutex_);
    records_.push_back(std::move(record));
    if (records_.size() > kKept) records_.pop_front();
    ++total_;
}

std::vector<SchemaChangeRecord> SchemaChanges::list() const {
    const std::lock_guard lock(mutex_);
    return {records_.begin(), records_.end()};
}

std::uint64_t SchemaChanges::total() const {
    const std::lock_guard lock(mutex_);
    return total_;
}

}  // namespace penumbra::proxy
