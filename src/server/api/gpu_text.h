#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/gpu_watch.h"
#include "server/api/metrics_text.h"
#include "server/http/message.h"

namespace gyre::server {

/// The samples of all GPUs, under the names and labels of NVIDIA's DCGM exporter so that boards
/// made for it work; written piece by piece, since those of 10,000 GPUs are 50 MB. Not thread-safe.
class GpuText {
 public:
  static constexpr std::size_t kPieceBytes = 65'536;

  struct Gpu {
    GpuWatch::Latest latest;
    std::string jobs;  // that hold it: "12,13"
  };
  explicit GpuText(std::vector<Gpu> gpus);

  /// What write() will have written in the end.
  std::uint64_t bytes() const;

  /// Goes on where it stopped until `out` has kPieceBytes. False: that was all.
  bool write(MetricsText& out);

 private:
  struct Row {
    GpuWatch::Latest latest;  // its labels closed
    std::string with_health;  // the same labels, and the health
  };
  struct Family {
    std::string_view name;
    std::string_view type;
    std::string_view help;
  };
  static constexpr std::size_t kHealth = kGpuMetricCount;
  static constexpr std::size_t kXids = kGpuMetricCount + 1;
  static constexpr std::size_t kFamilies = kGpuMetricCount + 2;

  static Family family(std::size_t index);
  static std::optional<double> value(std::size_t family, const Row& row);
  static std::string_view labels(std::size_t family, const Row& row);

  std::vector<Row> rows_;
  std::size_t family_ = 0;
  std::size_t row_ = 0;
  bool begun_ = false;  // the family's head is written
};

/// A text, and then the samples of all GPUs.
class MetricsStream final : public http::Stream {
 public:
  MetricsStream(std::string text, GpuText gpus) : text_(std::move(text)), gpus_(std::move(gpus)) {}

  std::uint64_t bytes() const { return text_.size() + gpus_.bytes(); }

  void open(std::function<void()>) override {}
  State read(std::string& out) override;

 private:
  std::string text_;
  GpuText gpus_;
  MetricsText piece_;
};

}  // namespace gyre::server
