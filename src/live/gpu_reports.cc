#include "live/gpu_reports.h"

#include <algorithm>
#include <limits>

namespace gyre::live {
namespace {

bool is_text(const std::string& text) {
  const auto plain = [](char c) { return c >= ' ' && c <= '~'; };
  return text.size() <= act::kGpuTextMax && std::all_of(text.begin(), text.end(), plain);
}

bool is_sane(const GpuFacts& facts) {
  const bool named = is_text(facts.uuid) && is_text(facts.product) && is_text(facts.bus_id) &&
                     is_text(facts.driver);
  const auto& links = facts.links;
  return named && facts.index >= 0 && links.size() <= act::kGpuLinksMax &&
         std::all_of(links.begin(), links.end(),
                     [](const NvLink& link) { return is_text(link.remote_bus_id); });
}

bool is_sane(const GpuSample& sample) {
  const auto& xid = sample[GpuMetric::LastXid];
  const auto& processes = sample.processes;
  const bool known = !xid || (*xid >= 0 && *xid <= std::numeric_limits<std::int32_t>::max());
  const bool positive =
      std::all_of(sample.values.begin(), sample.values.end(),
                  [](const auto& value) { return value.value_or(0) >= 0; }) &&
      std::all_of(processes.begin(), processes.end(), [](const GpuProcess& process) {
        return process.pid >= 0 && process.memory.value >= 0;
      });
  return known && positive && sample.xids >= 0 && processes.size() <= act::kGpuProcessesMax;
}

}  // namespace

bool Allowance::take(Duration now) {
  if (now > since_) {
    const Duration passed = std::min(now - since_, most_);
    left_ = std::min(most_, left_ + passed * per_second_);
    since_ = now;
  }
  if (left_ < cost_) return false;
  left_ = left_ - cost_;
  return true;
}

Result<void> GpuReports::check(const act::GpusSeen& seen) const {
  if (seen.gpus.size() < devices_.size() || seen.gpus.size() > act::kGpusSeenMax) {
    return fail(ErrorKind::Invalid,
                "the agent tells of {} GPUs; its node offers {}, and {} are the most there can be",
                seen.gpus.size(), devices_.size(), act::kGpusSeenMax);
  }
  for (std::size_t i = 0; i < seen.gpus.size(); ++i) {
    const act::GpuNews& gpu = seen.gpus[i];
    if ((gpu.facts && !is_sane(*gpu.facts)) || (gpu.sample && !is_sane(*gpu.sample))) {
      return fail(ErrorKind::Invalid, "what the agent tells of GPU {} is true of no GPU", i);
    }
    if (!gpu.facts || gpu.facts->uuid.empty()) continue;
    const bool offered = i < devices_.size();
    const bool own =
        offered ? devices_[i] == gpu.facts->uuid
                : std::find(devices_.begin(), devices_.end(), gpu.facts->uuid) == devices_.end();
    if (own) continue;
    return fail(ErrorKind::Invalid, "the agent tells of GPU '{}' in the place of '{}'",
                gpu.facts->uuid, offered ? devices_[i] : "one that its node does not offer");
  }
  return {};
}

Result<std::vector<GpuReading>> GpuReports::take(act::GpusSeen seen, Duration now) {
  if (!allowance_.take(now)) {
    return fail(ErrorKind::Unavailable, "the agent tells of its GPUs more than {} times a second",
                kReportsPerSecond);
  }
  if (auto sane = check(seen); !sane) return tl::unexpected(sane.error());
  gpus_.resize(seen.gpus.size());
  for (std::size_t i = 0; i < gpus_.size(); ++i) {
    act::GpuNews& news = seen.gpus[i];
    gpus_[i].fresh = news.sample.has_value();
    if (news.facts) gpus_[i].facts = std::move(*news.facts);
    if (news.sample) gpus_[i].sample = std::move(*news.sample);
  }
  return gpus_;
}

std::vector<GpuErrorSeen> GpuErrors::take(NodeId node, const std::vector<GpuReading>& gpus,
                                          Duration now) {
  std::vector<GpuErrorSeen> found;
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    const GpuSample& sample = gpus[i].sample;
    if (i == counted_.size()) counted_.emplace_back();
    if (!gpus[i].fresh) continue;
    if (!counted_[i]) counted_[i] = sample.xids;
    counted_[i] = std::min(*counted_[i], sample.xids);  // its probe may have begun anew
    const auto& last = sample[GpuMetric::LastXid];
    if (sample.xids <= *counted_[i] || !last || !allowance_.take(now)) continue;
    counted_[i] = sample.xids;
    found.push_back({node, static_cast<std::int32_t>(i), static_cast<std::int32_t>(*last)});
  }
  return found;
}

void GpuErrors::forget(std::int32_t device) {
  const auto at = static_cast<std::size_t>(device);
  if (at < counted_.size() && counted_[at].value_or(0) > 0) --*counted_[at];
}

std::vector<GpuHealthSeen> GpuHealths::take(NodeId node, const std::vector<GpuReading>& gpus,
                                            Duration now) {
  std::vector<GpuHealthSeen> changes;
  const std::size_t count = std::min<std::size_t>(gpus.size(), kGpusPerNodeMax);
  if (devices_.size() < count) devices_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (!gpus[i].fresh) continue;
    const GpuHealth health = gpus[i].sample.health;
    Device& device = devices_[i];
    const bool doubtful = health == GpuHealth::Unknown;
    const bool confirmed = !doubtful || device.doubted;
    device.doubted = doubtful;
    if (!confirmed || device.told == health || !allowance_.take(now)) continue;
    device.told = health;
    changes.push_back({node, static_cast<std::int32_t>(i), health});
  }
  return changes;
}

void GpuHealths::forget(std::int32_t device) {
  const auto at = static_cast<std::size_t>(device);
  if (at < devices_.size()) devices_[at].told.reset();
}

}  // namespace gyre::live
