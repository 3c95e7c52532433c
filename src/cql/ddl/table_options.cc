#include "cql/ddl/table_options.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <initializer_list>
#include <span>

#include <fmt/format.h>

#include "cql/ddl/option_map.h"
#include "cql/language/rewrite.h"

namespace penumbra::cql::ddl {

namespace {

std::string upper(std::string_view text) {
    std::string out(text);
    for (auto& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return out;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (auto& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

bool one_of(std::string_view word, std::span<const std::string_view> words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}
bool one_of(std::string_view word, std::initializer_list<std::string_view> words) {
    return one_of(word, std::span(words.begin(), words.size()));
}

std::string_view without_package(std::string_view class_name) {
    const auto dot = class_name.rfind('.');
    return dot == std::string_view::npos ? class_name : class_name.substr(dot + 1);
}

bool is_true(std::string_view value) {
    return lower(value) == "true";
}

/// One property on its way to the other server.
class Translator {
  public:
    Translator(std::string_view text, const Property& property, const Dialect& to, std::vector<Change>& changes)
        : text_(text), property_(property), to_(to), changes_(changes) {}

    std::string as_is() const { return std::string(property_.range.in(text_)); }
    std::nullopt_t left_out(std::string why) {
        changes_.push_back({fmt::format("{} left out", as_is()), std::move(why)});
        return std::nullopt;
    }
    /// `value` as CQL; reported unless that is what it says already.
    std::string becomes(std::string value, std::string why) {
        auto now = fmt::format("{} = {}", property_.name, value);
        changes_.push_back({fmt::format("{} became {}", as_is(), now), std::move(why)});
        return now;
    }
    std::optional<OptionMap> map() const { return OptionMap::from(text_, property_.value); }
    std::string_view value() const { return property_.value.text; }

    std::optional<std::string> compaction();
    std::optional<std::string> compression();
    std::optional<std::string> caching();
    std::optional<std::string> speculative_retry();
    std::optional<std::string> cdc();
    std::optional<std::string> replication(const Options& options, std::string& refusal);

  private:
    std::string_view text_;
    const Property& property_;
    const Dialect& to_;
    std::vector<Change>& changes_;
};

constexpr auto kAnyCompaction =
    std::to_array<std::string_view>({"class", "enabled", "tombstone_threshold", "tombstone_compaction_interval",
                                     "log_all", "min_threshold", "max_threshold", "unchecked_tombstone_compaction",
                                     "only_purge_repaired_tombstones", "provide_overlapping_tombstones"});
constexpr auto kSizeTiered = std::to_array<std::string_view>({"min_sstable_size", "bucket_low", "bucket_high"});

/// What Cassandra's strategy takes: it refuses a statement for one sub-option more.
bool takes_sub_option(std::string_view strategy, std::string_view key, const Dialect& to) {
    if (key == "provide_overlapping_tombstones") return to.cassandra_since(3, 11);
    if (strategy == "UnifiedCompactionStrategy") {
        if (one_of(key, {"min_threshold", "max_threshold"})) return false;
        return one_of(key, kAnyCompaction) ||
               one_of(key, {"scaling_parameters", "target_sstable_size", "min_sstable_size", "base_shard_count",
                            "sstable_growth", "max_sstables_to_compact", "flush_size_override",
                            "expired_sstable_check_frequency_seconds", "unsafe_aggressive_sstable_expiration",
                            "overlap_inclusion_method"});
    }
    if (one_of(key, kAnyCompaction)) return true;
    if (strategy == "SizeTieredCompactionStrategy") return one_of(key, kSizeTiered);
    if (strategy == "LeveledCompactionStrategy") {
        if (key == "single_sstable_uplevel") return to.cassandra_since(4, 0);
        return one_of(key, {"sstable_size_in_mb", "fanout_size"}) || one_of(key, kSizeTiered);
    }
    if (strategy == "TimeWindowCompactionStrategy") {
        return one_of(key, kSizeTiered) ||
               one_of(key, {"compaction_window_unit", "compaction_window_size", "timestamp_resolution",
                            "expired_sstable_check_frequency_seconds", "unsafe_aggressive_sstable_expiration"});
    }
    return true;  // a class of somebody's own
}

std::optional<std::string> Translator::compaction() {
    auto options = map();
    if (!options || options->find("class") == nullptr) return as_is();
    const std::string strategy(without_package(options->value_or("class", "")));
    std::string why;
    const bool unified = strategy == "UnifiedCompactionStrategy" && !to_.cassandra_since(5, 0);
    const bool incremental =
        one_of(strategy, {"IncrementalCompactionStrategy", "InMemoryCompactionStrategy"}) && to_.is_cassandra();
    if (unified || incremental) {
        // Of what these strategies say only what every strategy knows means the same elsewhere.
        std::erase_if(options->entries(), [](const OptionMap::Entry& e) { return !one_of(e.key, kAnyCompaction); });
        options->set("class", "SizeTieredCompactionStrategy");
        why = fmt::format("{} has no {}", to_string(to_), strategy);
    } else if (strategy == "DateTieredCompactionStrategy" && (to_.scylla || to_.cassandra_since(5, 0))) {
        std::erase_if(options->entries(), [](const OptionMap::Entry& e) { return !one_of(e.key, kAnyCompaction); });
        options->set("class", "TimeWindowCompactionStrategy");
        why = fmt::format("{} has no {}; its windows are a day", to_string(to_), strategy);
    }
    const std::string now(without_package(options->value_or("class", "")));
    if (to_.is_cassandra()) {
        const auto before = options->entries().size();
        std::erase_if(options->entries(),
                      [&](const OptionMap::Entry& e) { return !takes_sub_option(now, e.key, to_); });
        if (options->entries().size() != before && why.empty())
            why = fmt::format("{} refuses sub-options that {} does not know", to_string(to_), now);
    } else if (!one_of(now,
                       {"SizeTieredCompactionStrategy", "LeveledCompactionStrategy", "TimeWindowCompactionStrategy",
                        "IncrementalCompactionStrategy", "InMemoryCompactionStrategy", "NullCompactionStrategy"})) {
        return left_out(fmt::format("ScyllaDB has no {}", now));
    }
    return why.empty() ? as_is() : becomes(options->to_cql(), why);
}

std::optional<std::string> Translator::compression() {
    auto options = map();
    if (!options || options->entries().empty()) return as_is();
    const bool modern = options->find("class") != nullptr;
    const auto* named = options->find(modern ? "class" : "sstable_compression");
    const bool off = (options->find("enabled") && !is_true(options->value_or("enabled", ""))) ||
                     (named && named->value.empty()) ||
                     (named && without_package(named->value) == "NoopCompressor" && !to_.cassandra_since(4, 0));
    const auto asked = as_is();
    if (off) {
        const std::string wanted = to_.scylla ? "{'sstable_compression': ''}" : "{'enabled': 'false'}";
        const bool is_so = to_.scylla ? named && !modern && named->value.empty() && options->entries().size() == 1
                                      : options->find("enabled") && options->entries().size() == 1;
        return is_so ? asked : becomes(wanted, fmt::format("how {} says it", to_string(to_)));
    }
    if (!named) return asked;
    std::string compressor = named->value;
    std::string why;
    const std::string bare(without_package(compressor));
    if (to_.is_cassandra() && bare.ends_with("WithDictsCompressor")) {
        compressor = bare.starts_with("Zstd") && to_.cassandra_since(4, 0) ? "ZstdCompressor" : "LZ4Compressor";
        why = "compression with dictionaries is ScyllaDB's";
    } else if (bare == "ZstdCompressor" && to_.is_cassandra() && !to_.cassandra_since(4, 0)) {
        compressor = "LZ4Compressor";
        why = "Zstd came with Cassandra 4.0";
    } else if (to_.scylla && !one_of(bare, {"LZ4Compressor", "SnappyCompressor", "DeflateCompressor", "ZstdCompressor",
                                            "LZ4WithDictsCompressor", "ZstdWithDictsCompressor"})) {
        return left_out(fmt::format("ScyllaDB has no {}", bare));
    }
    if (compressor != named->value) options->erase("compression_level");
    const std::string_view key = to_.scylla ? "sstable_compression" : "class";
    const bool renamed = modern == to_.scylla;
    if (renamed) {
        options->rename(modern ? "class" : "sstable_compression", key);
        if (why.empty()) why = fmt::format("how {} names it", to_string(to_));
    }
    if (compressor != options->value_or(key, "")) options->set(key, compressor);
    if (to_.is_cassandra() && options->find("chunk_length_kb")) {
        options->rename("chunk_length_kb", "chunk_length_in_kb");
        if (why.empty()) why = fmt::format("how {} names it", to_string(to_));
    }
    const bool level = compressor.ends_with("ZstdCompressor") || compressor.ends_with("ZstdWithDictsCompressor");
    const auto before = options->entries().size();
    std::erase_if(options->entries(), [&](const OptionMap::Entry& e) {
        if (e.key == "enabled") return to_.scylla;
        if (e.key == "compression_level") return to_.scylla && !level;
        if (e.key == "crc_check_chance") return to_.cassandra_since(5, 0);
        if (e.key == "min_compress_ratio") return !to_.cassandra_since(4, 0);
        return to_.scylla && !one_of(e.key, {"sstable_compression", "chunk_length_in_kb", "chunk_length_kb"});
    });
    if (options->entries().size() != before && why.empty())
        why = fmt::format("{} refuses sub-options that it does not know", to_string(to_));
    return why.empty() ? asked : becomes(options->to_cql(), why);
}

std::optional<std::string> Translator::caching() {
    auto options = map();
    if (!options || to_.scylla || options->find("enabled") == nullptr) return as_is();
    const bool enabled = is_true(options->value_or("enabled", "true"));
    options->erase("enabled");
    if (!enabled) {
        options->set("keys", "NONE");
        options->set("rows_per_partition", "NONE");
    }
    if (options->entries().empty()) return left_out("'enabled' is ScyllaDB's, and on is what Cassandra does");
    return becomes(options->to_cql(), "'enabled' is ScyllaDB's");
}

std::optional<std::string> Translator::speculative_retry() {
    // Cassandra since 4.0 reads all of the older forms but knows NONE as NEVER.
    if (to_.cassandra_since(4, 0) || !property_.value.is(TermKind::string)) return as_is();
    const auto policy = upper(value());
    if (policy == "NEVER") return becomes("'NONE'", fmt::format("how {} says it", to_string(to_)));
    if (one_of(policy, {"NONE", "ALWAYS"})) return as_is();
    const auto percentile = [](std::string_view text) -> std::string {
        std::size_t digits = 0;
        while (digits < text.size() && (std::isdigit(static_cast<unsigned char>(text[digits])) || text[digits] == '.'))
            ++digits;
        const auto unit = text.substr(digits);
        return digits > 0 && one_of(unit, {"P", "PERCENTILE"}) ? std::string(text.substr(0, digits)) : std::string();
    };
    if (policy.starts_with("MIN(") || policy.starts_with("MAX(")) {
        auto inner = std::string_view(policy).substr(4);
        while (!inner.empty()) {
            const auto comma = inner.find_first_of(",)");
            auto part = inner.substr(0, comma);
            while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
            while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
            if (const auto p = percentile(part); !p.empty())
                return becomes(fmt::format("'{}PERCENTILE'", p),
                               fmt::format("{} knows either a percentile or a time", to_string(to_)));
            if (comma == std::string_view::npos) break;
            inner.remove_prefix(comma + 1);
        }
        return left_out(fmt::format("{} does not know it", to_string(to_)));
    }
    if (policy.ends_with("PERCENTILE") || policy.ends_with("MS")) return as_is();
    if (const auto p = percentile(policy); !p.empty())
        return becomes(fmt::format("'{}PERCENTILE'", p), fmt::format("how {} says it", to_string(to_)));
    return left_out(fmt::format("{} does not know it", to_string(to_)));
}

std::optional<std::string> Translator::cdc() {
    const auto options = map();
    const bool on = options ? is_true(options->value_or("enabled", "false")) : is_true(value());
    if (on) {
        if (to_.is_cassandra() && !options) return as_is();
        return left_out(to_.scylla
                            ? "with CDC on, ScyllaDB refuses writes older than its stream generation, as those of a "
                              "copy are; turn it on after the copy"
                            : "Cassandra's CDC is another one (commit log segments); turn it on there after the "
                              "copy if something reads it");
    }
    if (to_.scylla && !options) return becomes("{'enabled': false}", "how ScyllaDB says it");
    if (to_.is_cassandra() && options) return becomes("false", "how Cassandra says it");
    return as_is();
}

std::optional<std::string> Translator::replication(const Options& mapping, std::string& refusal) {
    auto options = map();
    if (!options) return as_is();
    const std::string strategy(without_package(options->value_or("class", "")));
    if (to_.is_cassandra() && one_of(strategy, {"EverywhereStrategy", "LocalStrategy"})) {
        refusal = fmt::format("Cassandra has no {} for users' keyspaces; create it there with a strategy of its own",
                              strategy);
        return as_is();
    }
    std::string why;
    const auto also = [&](std::string_view reason) {
        if (why.find(reason) != std::string::npos) return;
        if (!why.empty()) why += "; ";
        why += reason;
    };
    if (strategy == "SimpleStrategy" && to_.scylla && options->find("replication_factor") == nullptr) {
        options->set("replication_factor", "1");
        also("ScyllaDB has no default replication factor; Cassandra's is 1");
    }
    for (auto& e : options->entries()) {
        if (e.key == "class") continue;
        if (e.key != "replication_factor" && strategy == "NetworkTopologyStrategy") {
            if (const auto found = mapping.datacenters.find(e.key); found != mapping.datacenters.end()) {
                const auto& there = found->second;
                if (there.name != e.key) also("the datacenter's name there");
                e.key = there.name;
                if (!there.factor.empty() && there.factor != e.value) {
                    also("the replication factor asked for there");
                    e.value = there.factor;
                    e.written = string_literal(e.value);
                }
            }
        }
        const auto slash = e.value.find('/');
        if (slash != std::string::npos && !to_.cassandra_since(4, 0)) {
            e.value.resize(slash);
            e.written = string_literal(e.value);
            also("transient replicas are Cassandra 4's: all are full ones there");
        }
    }
    return why.empty() ? as_is() : becomes(options->to_cql(), why);
}

/// Properties that some server does not know, and who does.
struct Known {
    std::string_view name;
    bool scylla;
    int since_major, since_minor;  ///< of Cassandra; 99 is never
    int until_major;               ///< first Cassandra without it; 99 is none
    std::string_view why;
};
constexpr std::array kKnown = std::to_array<Known>({
    {"read_repair_chance", true, 3, 0, 4, "gone since Cassandra 4.0"},
    {"dclocal_read_repair_chance", true, 3, 0, 4, "gone since Cassandra 4.0"},
    {"read_repair", false, 4, 0, 99, "of Cassandra 4.0 and later"},
    {"additional_write_policy", false, 4, 0, 99, "of Cassandra 4.0 and later"},
    {"extensions", false, 3, 0, 99, "ScyllaDB keeps its own there and takes none from a statement"},
    {"memtable", false, 4, 1, 99, "of Cassandra 4.1 and later"},
    {"allow_auto_snapshot", false, 5, 0, 99, "of Cassandra 5.0 and later"},
    {"incremental_backups", false, 5, 0, 99, "of Cassandra 5.0 and later"},
    {"fast_path", false, 6, 0, 99, "of Cassandra 6.0 and later"},
    {"transactional_mode", false, 6, 0, 99, "of Cassandra 6.0 and later"},
    {"transactional_migration_from", false, 6, 0, 99, "of Cassandra 6.0 and later"},
    {"pending_drop", false, 6, 0, 99, "of Cassandra 6.0 and later"},
    {"nodesync", false, 99, 0, 99, "of DataStax Enterprise"},
    {"index_interval", true, 99, 0, 99, "gone since Cassandra 2.1"},
    {"replicate_on_write", true, 99, 0, 99, "gone since Cassandra 2.1"},
    {"populate_io_cache_on_flush", true, 99, 0, 99, "gone since Cassandra 2.1"},
    {"tombstone_gc", true, 99, 0, 99, "of ScyllaDB; gc_grace_seconds decides there"},
    {"paxos_grace_seconds", true, 99, 0, 99, "of ScyllaDB"},
    {"per_partition_rate_limit", true, 99, 0, 99, "of ScyllaDB; nothing limits the rate there"},
    {"in_memory", true, 99, 0, 99, "of ScyllaDB"},
    {"synchronous_updates", true, 99, 0, 99, "of ScyllaDB; views are updated asynchronously there"},
    {"tablets", true, 99, 0, 99, "of ScyllaDB"},
    {"storage", true, 99, 0, 99, "of ScyllaDB"},
    {"consistency", true, 99, 0, 99, "of ScyllaDB"},
    {"encryption", true, 99, 0, 99, "of ScyllaDB Enterprise"},
    {"scylla_encryption_options", true, 99, 0, 99, "of ScyllaDB Enterprise"},
});

}  // namespace

std::optional<std::string> translate_property(std::string_view text, const Property& property, PropertyOf of,
                                              const Dialect& to, const Options& options, std::vector<Change>& changes,
                                              std::string& refusal) {
    Translator t(text, property, to, changes);
    // Names are case-insensitive, and the parser has them in lower case unless quoted.
    const auto name = lower(property.name);
    for (const auto& known : kKnown) {
        if (known.name != name) continue;
        const bool taken =
            to.scylla ? known.scylla
                      : to.cassandra_since(known.since_major, known.since_minor) && to.major < known.until_major;
        if (!taken) return t.left_out(std::string(known.why));
    }
    if (of == PropertyOf::keyspace) return name == "replication" ? t.replication(options, refusal) : t.as_is();
    if (name == "compaction") return t.compaction();
    if (name == "compression") return t.compression();
    if (name == "caching") return t.caching();
    if (name == "speculative_retry") return t.speculative_retry();
    if (name == "cdc") return t.cdc();
    if (name == "id") return t.left_out("a table's id belongs to its cluster's files");
    if (name == "memtable" && t.value() != "default")
        return t.left_out("it names a configuration of the other cluster's cassandra.yaml");
    return t.as_is();
}

std::string_view cql_type_of_class(std::string_view class_name) {
    struct Pair {
        std::string_view class_name, type;
    };
    static constexpr auto kTypes = std::to_array<Pair>({
        {"AsciiType", "ascii"},
        {"LongType", "bigint"},
        {"BytesType", "blob"},
        {"BooleanType", "boolean"},
        {"CounterColumnType", "counter"},
        {"SimpleDateType", "date"},
        {"DecimalType", "decimal"},
        {"DoubleType", "double"},
        {"DurationType", "duration"},
        {"FloatType", "float"},
        {"InetAddressType", "inet"},
        {"Int32Type", "int"},
        {"ShortType", "smallint"},
        {"UTF8Type", "text"},
        {"TimeType", "time"},
        {"TimestampType", "timestamp"},
        {"DateType", "timestamp"},
        {"TimeUUIDType", "timeuuid"},
        {"ByteType", "tinyint"},
        {"UUIDType", "uuid"},
        {"LexicalUUIDType", "uuid"},
        {"IntegerType", "varint"},
    });
    constexpr std::string_view package = "org.apache.cassandra.db.marshal.";
    if (class_name.starts_with(package)) class_name.remove_prefix(package.size());
    for (const auto& pair : kTypes) {
        if (pair.class_name == class_name) return pair.type;
    }
    return {};
}

}  // namespace penumbra::cql::ddl
