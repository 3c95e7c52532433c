#include "kube/prices.h"

#include <cmath>
#include <istream>

#include <fmt/format.h>

#include "kube/files.h"
#include "kube/yaml.h"

namespace penumbra::kube {

namespace {

/// Reads fields of a price file and remembers what is wrong with its place.
class Reader {
  public:
    Reader(const Node& node, std::string path, Diagnostics& out) : node_(node), path_(std::move(path)), out_(out) {}

    double positive(std::string_view key, bool required = true) {
        const Node* value = node_.find(key);
        if (!value) {
            if (required) out_.error(node_.mark, join_path(path_, key), "required, and not there");
            return 0;
        }
        const auto number = value->as_number();
        if (!number || !(*number >= 0) || !std::isfinite(*number)) {
            out_.error(value->mark, join_path(path_, key), "expected a number of 0 or more");
            return 0;
        }
        return *number;
    }
    std::string text(std::string_view key) {
        const Node* value = node_.find(key);
        return value && value->is_scalar() ? value->text : std::string();
    }
    void only(std::initializer_list<std::string_view> known) {
        std::vector<std::string> names(known.begin(), known.end());
        for (const auto& entry : node_.entries) {
            if (std::find(names.begin(), names.end(), entry.key) != names.end()) continue;
            const auto nearest = nearest_name(entry.key, names);
            out_.error(entry.mark, join_path(path_, entry.key), "a price file has no such field",
                       nearest.empty() ? "" : fmt::format("did you mean `{}`?", nearest));
        }
    }

  private:
    const Node& node_;
    std::string path_;
    Diagnostics& out_;
};

const Node& child(const Node& root, std::string_view key) {
    static const Node empty = Node::map();
    const Node* found = root.find(key);
    return found && found->is_map() ? *found : empty;
}

}  // namespace

std::int64_t InstanceType::scylla_vcpu() const {
    return std::max<std::int64_t>(1, vcpu - 2);
}
double InstanceType::scylla_memory_gib() const {
    return std::floor(memory_gib - std::min(16.0, memory_gib * 0.2));
}
double InstanceType::scylla_disk_gib() const {
    return std::floor(disk_gb * 1e9 / (1u << 30) * 0.95);
}

const InstanceType* Prices::find(std::string_view name) const {
    for (const auto& type : instances) {
        if (type.name == name) return &type;
    }
    return nullptr;
}

std::string Prices::names() const {
    std::string out;
    for (const auto& type : instances) out += (out.empty() ? "" : ", ") + type.name;
    return out;
}

Result<Prices> parse_prices(const std::string& name, const std::string& text) {
    Diagnostics problems(name);
    auto documents = read_yaml(text, problems);
    if (problems.errors() == 0 && (documents.size() != 1 || !documents[0].root.is_map()))
        problems.error({1, 1}, {}, "a price file is one map");
    Prices prices;
    prices.file = name;
    if (problems.errors() == 0) {
        const Node& root = documents[0].root;
        Reader top(root, {}, problems);
        top.only(
            {"date", "region", "currency", "sources", "hours_per_year", "instances", "volumes", "traffic", "licence"});
        prices.date = top.text("date");
        if (prices.date.empty())
            problems.error(root.mark, "date", "required, and not there",
                           "prices without a date cannot be trusted by anybody");
        prices.region = top.text("region");
        prices.currency = top.text("currency").empty() ? "USD" : top.text("currency");
        if (const Node* sources = root.find("sources")) {
            for (const auto& source : sources->items) prices.sources.push_back(source.text);
        }
        if (prices.sources.empty())
            problems.error(root.mark, "sources", "required, and not there", "say where each kind of price comes from");
        if (root.find("hours_per_year")) prices.hours_per_year = top.positive("hours_per_year");
        const Node* list = root.find("instances");
        if (!list || !list->is_list() || list->empty())
            problems.error(root.mark, "instances", "required, and not there");
        for (std::size_t i = 0; list && i < list->items.size(); ++i) {
            const auto& item = list->items[i];
            Reader in(item, join_path("instances", i), problems);
            in.only({"name", "vcpu", "memory_gib", "disk_gb", "on_demand", "reserved", "reserved_confidence",
                     "recommended"});
            InstanceType type;
            type.name = in.text("name");
            if (type.name.empty())
                problems.error(item.mark, join_path("instances", i) + ".name", "required, and not there");
            if (prices.find(type.name))
                problems.error(item.mark, join_path("instances", i) + ".name",
                               fmt::format("`{}` stands twice", type.name));
            const double vcpu = in.positive("vcpu");
            if (vcpu < 1 || vcpu > 4096)
                problems.error(item.mark, join_path("instances", i) + ".vcpu", "expected a number from 1 to 4096");
            type.vcpu = static_cast<std::int64_t>(std::min(vcpu, 4096.0));
            type.memory_gib = in.positive("memory_gib");
            type.disk_gb = in.positive("disk_gb", false);
            type.on_demand = in.positive("on_demand");
            if (item.find("reserved")) type.reserved = in.positive("reserved");
            type.reserved_confidence = in.text("reserved_confidence");
            type.recommended = item.find("recommended") && item.find("recommended")->as_boolean().value_or(false);
            prices.instances.push_back(std::move(type));
        }
        Reader volumes(child(root, "volumes"), "volumes", problems);
        volumes.only({"gb_month"});
        prices.volume_gb_month = volumes.positive("gb_month", false);
        Reader traffic(child(root, "traffic"), "traffic", problems);
        traffic.only({"cross_zone_gb"});
        if (child(root, "traffic").find("cross_zone_gb")) prices.cross_zone_gb = traffic.positive("cross_zone_gb");
        Reader licence(child(root, "licence"), "licence", problems);
        licence.only({"free_vcpu", "free_disk_tb", "source"});
        prices.licence_free_vcpu = licence.positive("free_vcpu", false);
        prices.licence_free_disk_tb = licence.positive("free_disk_tb", false);
        prices.licence_source = licence.text("source");
    }
    if (problems.errors() > 0) return fail(Errc::invalid_argument, problems.render(text));
    return prices;
}

Result<Prices> load_prices(const std::string& path, std::istream& in) {
    if (path.empty()) return parse_prices(std::string(builtin_prices_name()), std::string(builtin_prices()));
    TRY(auto text, read_file(path, in));
    return parse_prices(path, text);
}

}  // namespace penumbra::kube
