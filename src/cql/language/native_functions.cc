#include "cql/language/native_functions.h"

#include <algorithm>
#include <array>

namespace penumbra::cql::parsing {

namespace {

// The functions of Cassandra (cql3/functions/*.java) and ScyllaDB (cql3/functions/): what is not here and not in
// `system` is a user's.
constexpr auto kNativeFunctions = [] {
    std::array names = std::to_array<std::string_view>({
        "abs",
        "ann",
        "avg",
        "blob_as_ascii",
        "blobasascii",
        "cast",
        "coalesce",
        "collection_avg",
        "collection_count",
        "collection_max",
        "collection_min",
        "collection_sum",
        "count",
        "countrows",
        "current_date",
        "current_time",
        "current_timestamp",
        "current_timeuuid",
        "currentdate",
        "currenttime",
        "currenttimestamp",
        "currenttimeuuid",
        "dateof",
        "exp",
        "floor",
        "format_bytes",
        "format_time",
        "from_json",
        "fromjson",
        "log",
        "log10",
        "map_keys",
        "map_values",
        "mask_default",
        "mask_hash",
        "mask_inner",
        "mask_null",
        "mask_outer",
        "mask_replace",
        "max",
        "max_timeuuid",
        "maxtimeuuid",
        "maxwritetime",
        "min",
        "min_timeuuid",
        "mintimeuuid",
        "now",
        "octet_length",
        "length",
        "round",
        "scylla_clustering_bound",
        "scylla_counter_shard_list",
        "scylla_timeuuid_list_index",
        "similarity_cosine",
        "similarity_dot_product",
        "similarity_euclidean",
        "sum",
        "to_date",
        "to_json",
        "to_timestamp",
        "to_unix_timestamp",
        "todate",
        "tojson",
        "token",
        "totimestamp",
        "tounixtimestamp",
        "ttl",
        "unixtimestampof",
        "uuid",
        "vector",
        "writetime",
        "bm25",
        "now_in_seconds",
    });
    std::sort(names.begin(), names.end());
    return names;
}();

}  // namespace

bool is_native_function(std::string_view name) {
    if (std::binary_search(kNativeFunctions.begin(), kNativeFunctions.end(), name)) return true;
    // intAsBlob, blobAsInt, int_as_blob, castAsInt, cast_as_int, ...: one for each type
    return name.ends_with("asblob") || name.ends_with("as_blob") || name.starts_with("blobas") ||
           name.starts_with("blob_as_") || name.starts_with("castas") || name.starts_with("cast_as_");
}

}  // namespace penumbra::cql::parsing
