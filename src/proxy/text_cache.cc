#include "proxy/text_cache.h"

#include "cql/language/parser.h"

namespace penumbra::proxy {

PlanPtr TextCache::plan(std::string_view text, std::string_view keyspace, const routing::RouterPtr& router) {
    const KeyView key{text, keyspace};
    auto* known = plans_.find(key);
    if (known && (*known)->router == router) return *known;

    ++parsed_;
    auto plan = make_plan(cql::parse(text), keyspace, router);
    if (known) {
        *known = plan;
        return plan;
    }
    if (text.size() > kLongestText) return plan;
    const auto hash = Hash{}(key);
    auto& seen = seen_once_[hash % seen_once_.size()];
    if (seen == hash) {
        plans_.put({std::string(text), std::string(keyspace)}, plan);
    } else {
        seen = hash;
    }
    return plan;
}

}  // namespace penumbra::proxy
