#include "proxy/prepared.h"

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
    : statement(std::move(text)), told(told_columns) {
    const bool qualified = cql::fully_qualified(*statement);
    if (!qualified) keyspace = session_keyspace;
    id = client_id(statement.text(), keyspace, qualified);
}

void PreparedRegistry::add(const PreparedTextPtr& text) {
    const std::lock_guard lock(mutex_);
    texts_.put(std::string(text_of(text->id)), text);
}

PreparedTextPtr PreparedRegistry::find(BytesView id) {
    const std::lock_guard lock(mutex_);
    const auto* found = texts_.find(text_of(id));
    return found ? *found : nullptr;
}

std::size_t PreparedRegistry::size() const {
    const std::lock_guard lock(mutex_);
    return texts_.size();
}

PreparedPtr Statements::find(BytesView id) {
    if (const auto* found = known_.find(text_of(id))) return *found;
    auto text = registry_.find(id);
    return text ? add(std::move(text)) : nullptr;
}

PreparedPtr Statements::add(PreparedTextPtr text) {
    const std::string key(text_of(text->id));
    if (const auto* found = known_.find(key)) {
        auto& known = **found;
        known.columns_changed |= known.text->told != text->told;
        known.text = std::move(text);
        return *found;
    }
    auto prepared = std::make_shared<Prepared>();
    prepared->text = std::move(text);
    known_.put(key, prepared);
    return prepared;
}

const PlanPtr& Statements::plan_of(Prepared& prepared, const routing::RouterPtr& router) {
    if (!prepared.plan || prepared.plan->router != router) {
        prepared.plan = make_plan(*prepared.text->statement, prepared.text->keyspace, router);
    }
    return prepared.plan;
}

}  // namespace penumbra::proxy
