#include "load/report.h"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace penumbra::bench {

namespace {

constexpr std::pair<const char*, double> kPercentiles[] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}};

double micros(Nanos time) {
    return std::chrono::duration<double, std::micro>(time).count();
}

double per_request(Nanos time, const Measured& measured) {
    return measured.requests() == 0 ? 0 : micros(time) / static_cast<double>(measured.requests());
}

double per_second(const Measured& measured) {
    return measured.seconds == 0 ? 0 : static_cast<double>(measured.requests()) / measured.seconds;
}

boost::json::object latencies(const Histogram& histogram) {
    boost::json::object latency;
    for (const auto& [name, part] : kPercentiles) latency[name] = micros(histogram.percentile(part));
    latency["max"] = micros(histogram.max());
    latency["mean"] = histogram.mean_micros();
    return latency;
}

}  // namespace

std::string to_text(const LoadOptions& options, const Measured& measured) {
    auto text = fmt::format("{}x{}: {:.0f} requests/s;", options.connections, options.in_flight, per_second(measured));
    for (const auto& [name, part] : kPercentiles)
        text += fmt::format(" {} {:.0f}", name, micros(measured.latency.percentile(part)));
    text += fmt::format(" max {:.0f} us", micros(measured.latency.max()));
    if (measured.cpu) {
        text += fmt::format("; cpu {:.2f} us a request ({:.2f} user, {:.2f} system)",
                            per_request(measured.cpu->user + measured.cpu->system, measured),
                            per_request(measured.cpu->user, measured), per_request(measured.cpu->system, measured));
    }
    text += "\n";
    for (const auto& [what, count] : measured.errors) text += fmt::format("{} errors: {}\n", count, what);
    if (measured.unanswered > 0) text += fmt::format("{} requests were never answered\n", measured.unanswered);
    if (measured.not_sent > 0) text += fmt::format("{} requests were due and not sent\n", measured.not_sent);
    return text;
}

std::string to_json(const LoadOptions& options, const Measured& measured) {
    boost::json::object errors;
    for (const auto& [what, count] : measured.errors) errors[what] = count;
    boost::json::object report{{"connections", options.connections},
                               {"in_flight", options.in_flight},
                               {"reads", measured.reads},
                               {"writes", measured.writes},
                               {"seconds", measured.seconds},
                               {"requests_per_second", per_second(measured)},
                               {"latency_us", latencies(measured.latency)},
                               {"errors", std::move(errors)},
                               {"unanswered", measured.unanswered},
                               {"not_sent", measured.not_sent}};
    if (const auto& undisturbed = measured.undisturbed) {
        report["undisturbed_latency_us"] = latencies(undisturbed->latency);
        report["disturbed_share"] = undisturbed->left_out;
    }
    if (measured.cpu) {
        report["cpu_us_per_request"] = {{"user", per_request(measured.cpu->user, measured)},
                                        {"system", per_request(measured.cpu->system, measured)},
                                        {"all", per_request(measured.cpu->user + measured.cpu->system, measured)}};
        report["cpu_share"] = micros(measured.cpu->user + measured.cpu->system) / 1e6 / measured.seconds;
    }
    return boost::json::serialize(report) + "\n";
}

}  // namespace penumbra::bench
