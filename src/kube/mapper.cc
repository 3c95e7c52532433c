#include "kube/mapper.h"

#include "kube/yaml.h"

namespace penumbra::kube {

void Mapper::add(Verdict verdict, std::string_view from, std::string to, std::string now, std::string why) {
    ReportEntry entry;
    entry.verdict = verdict;
    entry.from = from;
    if (const Node* node = at(from)) {
        entry.mark = node->mark;
        if (node->is_scalar()) entry.was = node->text;
        if (node->is_list() || node->is_map()) entry.was = write_json(*node, 0);
        // A comment that stands at a field without a counterpart would be lost in silence.
        if (verdict == Verdict::dropped) {
            for (const auto& comment : node->comments) why += fmt::format(" (its comment: \"{}\")", comment);
            if (!node->trailing.empty()) why += fmt::format(" (its comment: \"{}\")", node->trailing);
        }
    }
    entry.to = std::move(to);
    entry.now = std::move(now);
    entry.why = std::move(why);
    report_.add(std::move(entry));
}

void Mapper::account_for_rest(std::string_view root_path) {
    const Node* root = at(root_path);
    if (!root) return;
    for_each_leaf(*root, root_path, [&](const std::string& path, const Node&) {
        if (!report_.covers(path))
            decision(
                path, {}, {},
                "not carried over: there is no rule for this field. Check by hand whether the cluster depends on it");
    });
}

}  // namespace penumbra::kube
