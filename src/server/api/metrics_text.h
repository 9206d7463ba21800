#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gyre::server {

/// Writes the Prometheus text format, version 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/). Requires: all samples of a
/// family follow it at once.
class MetricsText {
 public:
  using Labels = std::vector<std::pair<std::string_view, std::string>>;
  static constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

  void family(std::string_view name, std::string_view type, std::string_view help);
  /// `suffix` is what a histogram's samples add to the family's name.
  void sample(const Labels& labels, double value, std::string_view suffix = "");

  /// Labels as sample() writes them, for samples of many families.
  static std::string written(const Labels& labels);
  /// A sample with such labels.
  void sample_of(std::string_view written, double value);
  /// How long a sample is, without its name and labels.
  static std::size_t value_bytes(double value);

  /// One histogram of the family, which is of type "histogram". `buckets` are not cumulative, and
  /// one more than `bounds`. Requires: no label "le".
  void histogram(Labels labels, std::span<const double> bounds,
                 std::span<const std::uint64_t> buckets, double sum);

  std::size_t size() const { return text_.size(); }
  /// What is written so far. The family goes on.
  std::string take() { return std::exchange(text_, {}); }

 private:
  std::string text_;
  std::string name_;
};

/// Its version, and whether it leads; one that shares its journal with none does.
void write_server(MetricsText& out, bool leads);

}  // namespace gyre::server
