#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json.hpp>

/// Reads a server's answer without trusting its shape: what is missing or of another kind is a dash, zero or empty.
/// `at` is a path such as "copy/state"; empty is the value itself.
namespace penumbra::cli {

const boost::json::value* find(const boost::json::value& in, std::string_view at);
/// A string as it is, a number or a truth value written out, a dash for everything else. Safe to print: see
/// printable().
std::string text(const boost::json::value& in, std::string_view at);
double number(const boost::json::value& in, std::string_view at);
std::uint64_t count(const boost::json::value& in, std::string_view at);
bool truth(const boost::json::value& in, std::string_view at);
const boost::json::array& list(const boost::json::value& in, std::string_view at);

/// Control characters become \xNN: values of rows are printed, and a row must not be able to steer a terminal.
std::string printable(std::string_view text);

}  // namespace penumbra::cli
