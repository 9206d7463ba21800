#include "server/api/metrics_text.h"

#include <fmt/format.h>

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
  char before = '{';
  for (const auto& [name, content] : labels) {
    text_ += before;
    before = ',';
    text_ += name;
    text_ += "=\"";
    add_escaped(text_, content, true);
    text_ += '"';
  }
  if (!labels.empty()) text_ += '}';
  fmt::format_to(std::back_inserter(text_), " {}\n", value);
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

}  // namespace gyre::server
