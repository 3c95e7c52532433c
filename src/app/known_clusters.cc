#include "app/known_clusters.h"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>

#include "journal/file_system.h"

namespace penumbra::app {

namespace {

constexpr std::string_view kHeading =
    "# The clusters that this state belongs to: which, its name, the host ids of its nodes. Written by penumbra.\n";

std::vector<cql::Uuid> hosts_of(const cluster::Topology& topology) {
    std::vector<cql::Uuid> hosts;
    for (const auto& node : topology.nodes) {
        if (!node.host_id.is_nil()) hosts.push_back(node.host_id);
    }
    std::ranges::sort(hosts);
    return hosts;
}

bool share_a_node(const std::vector<cql::Uuid>& a, const std::vector<cql::Uuid>& b) {
    return std::ranges::find_first_of(a, b) != a.end();
}

std::string addresses_of(const cluster::Topology& topology) {
    std::string all;
    for (const auto& node : topology.nodes) all += (all.empty() ? "" : ", ") + to_string(node.endpoint);
    return all;
}

}  // namespace

Result<KnownClusters> KnownClusters::load(const std::filesystem::path& directory) {
    KnownClusters known(directory / "clusters");
    std::ifstream in(known.file_);
    if (!in) {
        if (!std::filesystem::exists(known.file_)) return known;
        return fail(system_error("open", known.file_.native(), errno));
    }
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
        if (line.empty() || line.starts_with('#')) continue;
        if (auto read = known.read_line(line); !read) {
            return fail(read.error().in(fmt::format("{}:{}", known.file_.native(), number)));
        }
    }
    return known;
}

Status KnownClusters::read_line(std::string_view line) {
    const auto damaged = [&](std::string_view what) -> Status {
        return fail(Errc::corrupt,
                    fmt::format("{}; expected `source` or `target`, the cluster's name in quotes and the "
                                "host ids of its nodes. Without the line the cluster that is met next "
                                "is taken for the right one",
                                what));
    };
    const auto quote = line.find(" \"");
    const auto end = line.rfind("\" ");
    if (quote == std::string_view::npos || end == std::string_view::npos || end <= quote) return damaged("no name");
    const auto which = line.substr(0, quote);
    if (which != "source" && which != "target") return damaged(fmt::format("`{}`", which));
    Known known;
    known.name = line.substr(quote + 2, end - quote - 2);
    for (auto rest = line.substr(end + 2); !rest.empty();) {
        const auto space = rest.find(' ');
        auto host = cql::Uuid::parse(rest.substr(0, space));
        if (!host) return damaged(host.error().what);
        known.hosts.push_back(host.value());
        rest = space == std::string_view::npos ? std::string_view() : rest.substr(space + 1);
    }
    std::ranges::sort(known.hosts);
    sides_[which == "target"] = std::move(known);
    return ok();
}

Status KnownClusters::check(routing::Side side, const cluster::Topology& topology) {
    auto& own = sides_[static_cast<std::size_t>(side)];
    const auto& others = sides_[static_cast<std::size_t>(routing::other(side))];
    Known met{topology.cluster_name, hosts_of(topology)};
    if (share_a_node(met.hosts, others.hosts)) {
        return fail(Errc::conflict,
                    fmt::format("'{}' ({}) is the {} cluster already: source and target are two clusters, which do not "
                                "change places; name each one's own contact points",
                                met.name, addresses_of(topology), to_string(routing::other(side))));
    }
    if (!own.hosts.empty() && !share_a_node(met.hosts, own.hosts)) {
        return fail(
            Errc::conflict,
            fmt::format("this is another cluster than before: '{}' ({}) has none of the nodes that '{}' "
                        "had. Migrations, finished copies and owed writes in {} belong to that one: give its "
                        "contact points, or this pair of clusters a --state directory of its own. If it is the "
                        "same cluster with every node replaced, take its line out of {}",
                        met.name, addresses_of(topology), own.name, file_.parent_path().native(), file_.native()));
    }
    if (own == met || met.hosts.empty()) return ok();
    auto before = std::exchange(own, std::move(met));
    auto written = write();
    if (!written) own = std::move(before);
    return written;
}

Status KnownClusters::write() const {
    std::string text(kHeading);
    for (const auto side : {routing::Side::source, routing::Side::target}) {
        const auto& known = sides_[static_cast<std::size_t>(side)];
        if (known.hosts.empty()) continue;
        text += fmt::format("{} \"{}\"", to_string(side), known.name);
        for (const auto& host : known.hosts) text += ' ' + to_string(host);
        text += '\n';
    }
    // Whole or not at all, also over a power cut.
    auto& files = journal::FileSystem::system();
    auto fresh = file_;
    fresh += ".new";
    TRY(const auto file, files.create(fresh));
    const BytesView bytes = bytes_of(text);
    TRY(file->write_at(0, {&bytes, 1}));
    TRY(file->sync_data());
    TRY(files.rename(fresh, file_));
    return files.sync_directory(file_.parent_path());
}

}  // namespace penumbra::app
