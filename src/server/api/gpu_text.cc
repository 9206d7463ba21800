#include "server/api/gpu_text.h"

#include <fmt/format.h>

#include <utility>

namespace gyre::server {

GpuText::GpuText(std::vector<Gpu> gpus) {
  rows_.reserve(gpus.size());
  for (Gpu& gpu : gpus) {
    Row row{std::move(gpu.latest), {}};
    std::string& labels = row.latest.labels;
    if (!gpu.jobs.empty()) labels += fmt::format(",hpc_job=\"{}\"", gpu.jobs);
    row.with_health = fmt::format("{},state=\"{}\"}}", labels, to_string(row.latest.health));
    labels += '}';
    rows_.push_back(std::move(row));
  }
}

GpuText::Family GpuText::family(std::size_t index) {
  if (index == kHealth) {
    return {"gyre_gpu_health", "gauge", "1 for the state that a GPU is in: ok, unknown or lost."};
  }
  if (index == kXids) {
    return {"gyre_gpu_xid_errors_total", "counter", "Xid events since the probe began."};
  }
  const GpuMetricFacts& facts = gpu_metric_facts(static_cast<GpuMetric>(index));
  return {facts.dcgm_name, facts.counter ? "counter" : "gauge", facts.help};
}

std::optional<double> GpuText::value(std::size_t family, const Row& row) {
  if (family == kHealth) return 1;
  if (family == kXids) return static_cast<double>(row.latest.xids);
  const auto& value = row.latest.values[family];
  if (!value || row.latest.health != GpuHealth::Ok) return std::nullopt;
  const auto divisor = gpu_metric_facts(static_cast<GpuMetric>(family)).dcgm_divisor;
  return static_cast<double>(*value) / static_cast<double>(divisor);
}

std::string_view GpuText::labels(std::size_t family, const Row& row) {
  return family == kHealth ? row.with_health : row.latest.labels;
}

std::uint64_t GpuText::bytes() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kFamilies; ++i) {
    const Family about = family(i);
    bool begun = false;
    for (const Row& row : rows_) {
      const auto number = value(i, row);
      if (!number) continue;
      if (!std::exchange(begun, true)) {
        MetricsText head;
        head.family(about.name, about.type, about.help);
        sum += head.size();
      }
      sum += about.name.size() + labels(i, row).size() + MetricsText::value_bytes(*number);
    }
  }
  return sum;
}

bool GpuText::write(MetricsText& out) {
  for (; family_ < kFamilies; ++family_, row_ = 0, begun_ = false) {
    for (; row_ < rows_.size(); ++row_) {
      if (out.size() >= kPieceBytes) return true;
      const auto number = value(family_, rows_[row_]);
      if (!number) continue;
      const Family about = family(family_);
      if (!std::exchange(begun_, true)) out.family(about.name, about.type, about.help);
      out.sample_of(labels(family_, rows_[row_]), *number);
    }
  }
  return false;
}

http::Stream::State MetricsStream::read(std::string& out) {
  if (!text_.empty()) {
    out += std::exchange(text_, {});
    return State::More;
  }
  const bool more = gpus_.write(piece_);
  out += piece_.take();
  return more ? State::More : State::End;
}

}  // namespace gyre::server
