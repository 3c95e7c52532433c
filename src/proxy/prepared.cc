#include "proxy/prepared.h"

#include <cstring>

#include <boost/smart_ptr/make_local_shared.hpp>

#include "cql/language/rewrite.h"

namespace penumbra::proxy {

cql::Md5 client_id(std::string_view text, std::string_view keyspace, bool fully_qualified) {
    // As a server of today makes it (MD5 of keyspace and text, without the keyspace where the text needs none), so that
    // an id seen in a trace can be looked up on a node as well. Nothing relies on it being the same.
    return fully_qualified ? cql::md5({text}) : cql::md5({keyspace, text});
}

cql::Md5 digest_of(const cql::RowsMetadata& metadata) {
    Bytes described;
    Writer out(described);
    for (const auto& column : metadata.columns) {
        cql::write_string(out, column.name);
        cql::write_type(out, *cql::as_cassandra_sends(column.type, cql::ProtocolVersion::v4));
    }
    return cql::md5({text_of(described)});
}

PreparedText::PreparedText(std::string text, std::string_view session_keyspace, const cql::Md5& told_columns)
    : statement(std::move(text)), told(told_columns), repeated_names(RepeatedNames::of(*statement)) {
    const bool qualified = cql::fully_qualified(*statement);
    if (!qualified) keyspace = session_keyspace;
    id = client_id(statement.text(), keyspace, qualified);
}

void PreparedRegistry::add(const PreparedTextPtr& text) {
    const std::lock_guard lock(mutex_);
    texts_.put(text->id, text);
}

PreparedTextPtr PreparedRegistry::find(const cql::Md5& id) {
    const std::lock_guard lock(mutex_);
    const auto* found = texts_.find(id);
    return found ? *found : nullptr;
}

std::size_t PreparedRegistry::size() const {
    const std::lock_guard lock(mutex_);
    return texts_.size();
}

const PreparedPtr& Statements::find(BytesView bytes) {
    if (cql::Md5 id; bytes.size() == id.size()) {  // any other is none of ours
        std::memcpy(id.data(), bytes.data(), id.size());
        if (const auto* found = known_.find(id)) return *found;
        if (auto text = registry_.find(id)) return add(std::move(text));
    }
    last_.reset();
    return last_;
}

const PreparedPtr& Statements::add(PreparedTextPtr text) {
    const auto id = text->id;
    if (const auto* found = known_.find(id)) {
        auto& known = **found;
        known.columns_changed |= known.text->told != text->told;
        known.text = std::move(text);
        return *found;
    }
    last_ = boost::make_local_shared<Prepared>();
    last_->text = std::move(text);
    known_.put(id, last_);
    return last_;
}

const PlanPtr& Statements::plan_of(Prepared& prepared, const routing::RouterPtr& router) {
    if (!prepared.plan || prepared.plan->router != router) {
        prepared.plan = make_plan(*prepared.text->statement, prepared.text->keyspace, router);
    }
    return prepared.plan;
}

}  // namespace penumbra::proxy
