#include "server/api/metrics_text.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <iterator>

namespace gyre::server {
namespace {

void add_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

void add_labels(std::string& out, const MetricsText::Labels& labels) {
  char before = '{';
  for (const auto& [name, content] : labels) {
    out += before;
    before = ',';
    out += name;
    out += "=\"";
    add_escaped(out, content, true);
    out += '"';
  }
  if (!labels.empty()) out += '}';
}

/// Calls `put` with the text of `value`. Whole numbers, which most are, are written much faster as
/// such.
template <class Put>
auto with_text(double value, Put put) {
  constexpr double kExactMax = 1e15;
  if (value == std::trunc(value) && std::abs(value) < kExactMax) {
    const fmt::format_int digits(static_cast<std::int64_t>(value));
    return put(std::string_view(digits.data(), digits.size()));
  }
  fmt::basic_memory_buffer<char, 32> digits;
  fmt::format_to(std::back_inserter(digits), "{}", value);
  return put(std::string_view(digits.data(), digits.size()));
}

void add_value(std::string& out, double value) {
  out += ' ';
  with_text(value, [&out](std::string_view digits) { out += digits; });
  out += '\n';
}

}  // namespace

void MetricsText::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_ += fmt::format("# HELP {} ", name);
  add_escaped(text_, help, false);
  text_ += fmt::format("\n# TYPE {} {}\n", name, type);
}

void MetricsText::sample(const Labels& labels, double value, std::string_view suffix) {
  text_ += name_;
  text_ += suffix;
  add_labels(text_, labels);
  add_value(text_, value);
}

std::string MetricsText::written(const Labels& labels) {
  std::string text;
  add_labels(text, labels);
  return text;
}

void MetricsText::sample_of(std::string_view written, double value) {
  text_ += name_;
  text_ += written;
  add_value(text_, value);
}

std::size_t MetricsText::value_bytes(double value) {
  return with_text(value, [](std::string_view digits) { return digits.size() + 2; });
}

void MetricsText::histogram(Labels labels, std::span<const double> bounds,
                            std::span<const std::uint64_t> buckets, double sum) {
  std::uint64_t so_far = 0;
  labels.emplace_back("le", "");
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    so_far += buckets[i];
    labels.back().second = i == bounds.size() ? "+Inf" : fmt::format("{}", bounds[i]);
    sample(labels, static_cast<double>(so_far), "_bucket");
  }
  labels.pop_back();
  sample(labels, sum, "_sum");
  sample(labels, static_cast<double>(so_far), "_count");
}

void write_server(MetricsText& out, bool leads) {
  out.family("gyre_build_info", "gauge", "1, with the version of the server.");
  out.sample({{"version", GYRE_VERSION}}, 1);
  out.family("gyre_leader", "gauge", "Whether this server leads, 1, or is a standby, 0.");
  out.sample({}, leads ? 1 : 0);
}

}  // namespace gyre::server
