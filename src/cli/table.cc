#include "cli/table.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace penumbra::cli {

namespace {

bool begins_code_point(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}

}  // namespace

std::size_t display_width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_code_point));
}

std::string cut(std::string_view text, std::size_t width) {
    if (width == 0 || display_width(text) <= width) return std::string(text);
    std::size_t points = 0;
    std::size_t end = 0;
    while (end < text.size() && !(begins_code_point(text[end]) && points == width - 1))
        points += begins_code_point(text[end++]) ? 1 : 0;
    return std::string(text.substr(0, end)) + ".";
}

std::string Table::str(std::string_view indent) const {
    std::vector<std::size_t> widths;
    for (const auto& column : columns_) widths.push_back(display_width(column.title));
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i)
            widths[i] = std::max(widths[i], display_width(row[i]));
    }
    std::string out;
    const auto print = [&](const std::vector<std::string>& row) {
        std::string line(indent);
        for (std::size_t i = 0; i < row.size() && i < columns_.size(); ++i) {
            const std::string padding(widths[i] - display_width(row[i]), ' ');
            if (i > 0) line += "  ";
            line += columns_[i].align == Align::right ? padding + row[i] : row[i] + padding;
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    };
    if (std::any_of(columns_.begin(), columns_.end(), [](const Column& column) { return !column.title.empty(); })) {
        std::vector<std::string> titles;
        for (const auto& column : columns_) titles.push_back(column.title);
        print(titles);
    }
    for (const auto& row : rows_) print(row);
    return out;
}

std::string grouped(std::uint64_t number) {
    auto digits = fmt::format("{}", number);
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
        digits.insert(static_cast<std::size_t>(at), ",");
    return digits;
}

std::string duration(double seconds) {
    if (!(seconds > 0)) return "0 s";
    const auto whole = static_cast<std::uint64_t>(std::min(std::ceil(seconds), 1e15));
    if (whole < 60) return fmt::format("{} s", whole);
    if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
    if (whole < 86400) return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
    return fmt::format("{} d {} h", whole / 86400, whole % 86400 / 3600);
}

std::string counted(std::uint64_t number, std::string_view noun) {
    return fmt::format("{} {}{}", grouped(number), noun, number == 1 ? "" : "s");
}

}  // namespace penumbra::cli
