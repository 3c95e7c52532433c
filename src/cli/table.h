#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Words and numbers laid out for people.
namespace penumbra::cli {

enum class Align : std::uint8_t { left, right };
struct Column {
    std::string title;
    Align align = Align::left;
};

/// Aligned columns, two spaces apart, no lines drawn. Without titles it has no head.
class Table {
  public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    bool empty() const { return rows_.empty(); }
    /// Every line begins with `indent` and ends with a line feed.
    std::string str(std::string_view indent = "") const;

  private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

/// How many places a terminal gives to UTF-8 text: one per code point.
std::size_t display_width(std::string_view text);
/// At most `width` places, the last a dot when something was cut.
std::string cut(std::string_view text, std::size_t width);

/// 1234567 is 1,234,567.
std::string grouped(std::uint64_t number);
/// "4 s", "3 min 12 s", "2 h 5 min", "3 d 4 h".
std::string duration(double seconds);
/// "1 row", "2 rows".
std::string counted(std::uint64_t number, std::string_view noun);

}  // namespace penumbra::cli
