#pragma once

#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kube/range.h"

namespace penumbra::kube {

/// A kind of machine and what it costs.
struct InstanceType {
    std::string name;
    std::int64_t vcpu = 0;
    double memory_gib = 0;
    double disk_gb = 0;              ///< local NVMe, decimal gigabytes as they are sold; 0: network disks only
    double on_demand = 0;            ///< dollars per hour
    std::optional<double> reserved;  ///< dollars per hour for a year's commitment
    std::string reserved_confidence;
    bool recommended = false;  ///< in ScyllaDB's list of instance types

    // What a ScyllaDB pod gets of it on Kubernetes.
    std::int64_t scylla_vcpu() const;  ///< two stay with the worker
    double scylla_memory_gib() const;  ///< a fifth, at most 16 GiB, stays with the worker
    double scylla_disk_gib() const;    ///< what XFS on the array leaves
};

/// One price file: dated, with its sources. The user can replace it whole.
struct Prices {
    std::string file;
    std::string date;
    std::string region;
    std::string currency;
    std::vector<std::string> sources;
    std::vector<InstanceType> instances;
    double hours_per_year = 8760;
    double volume_gb_month = 0;           ///< network volume
    std::optional<double> cross_zone_gb;  ///< traffic between zones, both directions together
    double licence_free_vcpu = 0;
    double licence_free_disk_tb = 0;
    std::string licence_source;

    const InstanceType* find(std::string_view name) const;
    std::string names() const;
};

/// Reads `path`, or the file that was built in when it is empty.
Result<Prices> load_prices(const std::string& path, std::istream& in);
Result<Prices> parse_prices(const std::string& name, const std::string& text);
/// deploy/prices/ as it was at build time.
std::string_view builtin_prices();
std::string_view builtin_prices_name();

}  // namespace penumbra::kube
