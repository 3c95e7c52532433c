// What a miss of the statement cache costs: parsing of statements as applications prepare and send them. The aim is 2
// us for a typical one.

#include <benchmark/benchmark.h>

#include "cql/language/lexer.h"
#include "cql/language/parser.h"
#include "cql/language/rewrite.h"

namespace penumbra::cql {

namespace {

constexpr std::string_view kInsert =
    "INSERT INTO media.tracks (system_domain_id, album_id, track_no, title, artist, duration_ms, tags, created_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TTL ?";
constexpr std::string_view kInsertMixedCase =
    "INSERT INTO media.Tracks (systemDomainId, albumId, trackNo, title, artist, durationMs, tags, createdAt) VALUES "
    "(?, ?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view kInsertLiterals =
    "INSERT INTO media.tracks (system_domain_id, album_id, track_no, title, tags, created_at) VALUES "
    "(123e4567-e89b-12d3-a456-426614174000, 123e4567-e89b-12d3-a456-426614174001, 7, 'It''s a title', {'rock', "
    "'live'}, toTimestamp(now()))";
constexpr std::string_view kSelect =
    "SELECT album_id, track_no, title, artist, duration_ms FROM media.tracks WHERE system_domain_id = ? AND album_id = "
    "? AND track_no > ? LIMIT 100";
constexpr std::string_view kSelectStar = "SELECT * FROM media.tracks WHERE system_domain_id = ? AND album_id = ?";
constexpr std::string_view kUpdate =
    "UPDATE media.tracks USING TIMESTAMP ? SET title = ?, artist = ?, plays = ? WHERE system_domain_id = ? AND "
    "album_id = ? AND track_no = ?";
constexpr std::string_view kCounter =
    "UPDATE media.plays SET plays = plays + ? WHERE system_domain_id = ? AND album_id = ?";
constexpr std::string_view kDelete =
    "DELETE FROM media.tracks WHERE system_domain_id = ? AND album_id = ? AND track_no = ?";
constexpr std::string_view kConditional =
    "UPDATE media.tracks SET title = ? WHERE system_domain_id = ? AND album_id = ? AND track_no = ? IF title = ?";
constexpr std::string_view kBatch =
    "BEGIN BATCH INSERT INTO media.tracks (system_domain_id, album_id, track_no, title) VALUES (?, ?, ?, ?); "
    "UPDATE media.albums SET tracks = ? WHERE system_domain_id = ? AND album_id = ?; APPLY BATCH";

void parsing(benchmark::State& state, std::string_view text) {
    for (auto _ : state) {
        auto s = parse(text);
        benchmark::DoNotOptimize(s);
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}

BENCHMARK_CAPTURE(parsing, insert_prepared, kInsert);
BENCHMARK_CAPTURE(parsing, insert_mixed_case, kInsertMixedCase);
BENCHMARK_CAPTURE(parsing, insert_literals, kInsertLiterals);
BENCHMARK_CAPTURE(parsing, select, kSelect);
BENCHMARK_CAPTURE(parsing, select_star, kSelectStar);
BENCHMARK_CAPTURE(parsing, update, kUpdate);
BENCHMARK_CAPTURE(parsing, counter, kCounter);
BENCHMARK_CAPTURE(parsing, delete_row, kDelete);
BENCHMARK_CAPTURE(parsing, conditional, kConditional);
BENCHMARK_CAPTURE(parsing, batch_of_two, kBatch);

void lexing(benchmark::State& state) {
    for (auto _ : state) {
        Lexer lexer(kInsert);
        while (lexer.next().kind != TokenKind::end) {
        }
        benchmark::DoNotOptimize(lexer.marker_count());
    }
}
BENCHMARK(lexing);

void shaping(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(shape(kInsert));
}
BENCHMARK(shaping);

}  // namespace

}  // namespace penumbra::cql
