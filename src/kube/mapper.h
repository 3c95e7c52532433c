#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

#include "kube/report.h"

namespace penumbra::kube {

/// Writes a Report while a conversion walks a source object. Every field that the conversion has seen gets an entry;
/// `account_for_rest` finds those that it has not.
class Mapper {
  public:
    Mapper(const Node& source, Report& report) : source_(source), report_(report) {}

    const Node* at(std::string_view path) const { return source_.at(path); }
    std::string text(std::string_view path) const {
        const Node* node = at(path);
        return node && node->is_scalar() ? node->text : std::string();
    }
    bool is_true(std::string_view path) const {
        const Node* node = at(path);
        return node && node->as_boolean().value_or(false);
    }

    void mapped(std::string_view from, std::string to, std::string why) {
        add(Verdict::mapped, from, std::move(to), {}, std::move(why));
    }
    void changed(std::string_view from, std::string to, std::string now, std::string why) {
        add(Verdict::changed, from, std::move(to), std::move(now), std::move(why));
    }
    void dropped(std::string_view from, std::string why) { add(Verdict::dropped, from, {}, {}, std::move(why)); }
    void decision(std::string_view from, std::string to, std::string now, std::string why) {
        add(Verdict::decision, from, std::move(to), std::move(now), std::move(why));
    }
    void added(std::string to, std::string now, std::string why) {
        report_.add({Verdict::added, {}, {}, {}, std::move(to), std::move(now), std::move(why)});
    }

    /// As dropped, when the field is there at all.
    void drop_if_there(std::string_view from, std::string why) {
        if (at(from)) dropped(from, std::move(why));
    }

    /// A decision for each field that nothing has accounted for: our own oversight, which the user has to know of.
    void account_for_rest(std::string_view root_path);

    /// The source's comments follow the field they stand at.
    static void carry_comments(const Node& from, Node& to) {
        to.comments.insert(to.comments.end(), from.comments.begin(), from.comments.end());
        if (to.trailing.empty()) to.trailing = from.trailing;
    }

  private:
    void add(Verdict verdict, std::string_view from, std::string to, std::string now, std::string why);

    const Node& source_;
    Report& report_;
};

}  // namespace penumbra::kube
