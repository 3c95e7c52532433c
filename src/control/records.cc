#include "control/records.h"

#include <array>

#include <boost/json.hpp>
#include <fmt/format.h>

namespace penumbra::control {

namespace json = boost::json;

namespace {

auto damaged(std::string_view what) {
    return fail(Errc::corrupt, fmt::format("state store: {} cannot be read", what));
}

Result<json::value> parse(std::string_view text, std::string_view what) {
    boost::system::error_code error;
    auto value = json::parse(json::string_view(text.data(), text.size()), error);
    if (error) return damaged(what);
    return value;
}

std::string text_at(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(json::string_view(key.data(), key.size()));
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

/// The counts of a report by their stored names: one list for both ways.
struct Count {
    std::string_view name;
    std::uint64_t sync::Report::*field;
};
constexpr std::array kCounts{Count{"rows", &sync::Report::rows},
                             Count{"cells", &sync::Report::cells},
                             Count{"statements", &sync::Report::statements},
                             Count{"differences", &sync::Report::differences},
                             Count{"conflicts", &sync::Report::conflicts},
                             Count{"repaired", &sync::Report::repaired},
                             Count{"moving", &sync::Report::moving},
                             Count{"collections_without_times", &sync::Report::collections_without_times},
                             Count{"lists_rewritten", &sync::Report::lists_rewritten},
                             Count{"counters_settled", &sync::Report::counters_settled},
                             Count{"expired", &sync::Report::expired},
                             Count{"unknown_fate", &sync::Report::unknown_fate},
                             Count{"retries", &sync::Report::retries}};

constexpr std::array kDifferenceKinds{sync::DifferenceKind::schema,     sync::DifferenceKind::missing,
                                      sync::DifferenceKind::extra,      sync::DifferenceKind::value,
                                      sync::DifferenceKind::absent,     sync::DifferenceKind::unexpected,
                                      sync::DifferenceKind::write_time, sync::DifferenceKind::expiry};

constexpr std::array kGates{MoveGate::clusters_reachable,
                            MoveGate::target_reachable,
                            MoveGate::schemas_agree,
                            MoveGate::clocks_agree,
                            MoveGate::copied,
                            MoveGate::verified,
                            MoveGate::journal_drained,
                            MoveGate::nothing_set_aside,
                            MoveGate::no_job_running};

json::string_view view(std::string_view text) {
    return {text.data(), text.size()};
}

}  // namespace

std::string encode_texts(const std::vector<std::string>& texts) {
    json::array array;
    for (const auto& text : texts) array.emplace_back(view(text));
    return json::serialize(array);
}

Result<std::vector<std::string>> decode_texts(std::string_view text) {
    TRY(const auto value, parse(text, "a list of texts"));
    const auto* array = value.if_array();
    if (!array) return damaged("a list of texts");
    std::vector<std::string> texts;
    for (const auto& element : *array) {
        if (!element.is_string()) return damaged("a list of texts");
        texts.emplace_back(element.get_string());
    }
    return texts;
}

std::string encode_gates(const std::vector<GateResult>& gates) {
    json::array array;
    for (const auto& gate : gates) {
        array.push_back(
            json::object{{"gate", view(to_string(gate.gate))}, {"passed", gate.passed}, {"detail", view(gate.detail)}});
    }
    return json::serialize(array);
}

Result<std::vector<GateResult>> decode_gates(std::string_view text) {
    TRY(const auto value, parse(text, "a list of gates"));
    const auto* array = value.if_array();
    if (!array) return damaged("a list of gates");
    std::vector<GateResult> gates;
    for (const auto& element : *array) {
        const auto* object = element.if_object();
        if (!object) return damaged("a gate");
        const auto name = text_at(*object, "gate");
        const auto* passed = object->if_contains("passed");
        for (const auto gate : kGates) {
            // A gate that a later version has and we have not is left out: the log is for people.
            if (to_string(gate) == name)
                gates.push_back({gate, passed && passed->is_bool() && passed->get_bool(), text_at(*object, "detail")});
        }
    }
    return gates;
}

std::string encode_report(const sync::Report& report) {
    json::object object;
    for (const auto& count : kCounts) object[view(count.name)] = report.*count.field;
    json::array samples;
    for (const auto& sample : report.samples) {
        samples.push_back(json::object{{"table", view(sample.table)},
                                       {"key", view(sample.key)},
                                       {"column", view(sample.column)},
                                       {"kind", view(to_string(sample.kind))},
                                       {"source", view(sample.source)},
                                       {"target", view(sample.target)}});
    }
    object["samples"] = std::move(samples);
    return json::serialize(object);
}

Result<sync::Report> decode_report(std::string_view text) {
    TRY(const auto value, parse(text, "a report"));
    const auto* object = value.if_object();
    if (!object) return damaged("a report");
    sync::Report report;
    for (const auto& count : kCounts) {
        const auto* number = object->if_contains(view(count.name));
        if (!number) continue;
        boost::system::error_code error;
        report.*count.field = number->to_number<std::uint64_t>(error);
        if (error) return damaged("a report");
    }
    if (const auto* samples = object->if_contains("samples"); samples && samples->is_array()) {
        for (const auto& element : samples->get_array()) {
            const auto* sample = element.if_object();
            if (!sample) return damaged("a difference");
            const auto kind_name = text_at(*sample, "kind");
            sync::DifferenceKind kind = sync::DifferenceKind::value;
            for (const auto one : kDifferenceKinds) {
                if (to_string(one) == kind_name) kind = one;
            }
            report.samples.push_back({text_at(*sample, "table"), text_at(*sample, "key"), text_at(*sample, "column"),
                                      kind, text_at(*sample, "source"), text_at(*sample, "target")});
        }
    }
    return report;
}

}  // namespace penumbra::control
