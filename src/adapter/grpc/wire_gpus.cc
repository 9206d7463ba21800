#include "adapter/grpc/wire_gpus.h"

#include <gyre.pb.h>

#include <utility>

namespace gyre::adapter::rpc {
namespace {

void write_gpu_facts(const GpuFacts& facts, v1::GpuFacts& out) {
  out.set_index(facts.index);
  out.set_uuid(facts.uuid);
  out.set_product(facts.product);
  out.set_bus_id(facts.bus_id);
  out.set_driver(facts.driver);
  for (const NvLink& one : facts.links) {
    v1::NvLink& link = *out.add_links();
    link.set_link(one.link);
    link.set_remote_bus_id(one.remote_bus_id);
  }
}

void write_gpu(const act::GpuNews& gpu, v1::GpuNews& out) {
  if (gpu.facts) write_gpu_facts(*gpu.facts, *out.mutable_facts());
  if (!gpu.sample) return;
  v1::GpuSample& sample = *out.mutable_sample();
  sample.set_at_ns(gpu.sample->at.ns);
  sample.set_health(static_cast<int>(gpu.sample->health));
  for (std::size_t i = 0; i < kGpuMetricCount; ++i) {
    if (!gpu.sample->values[i]) continue;
    v1::GpuValue& value = *sample.add_values();
    value.set_metric(static_cast<std::uint32_t>(i));
    value.set_value(*gpu.sample->values[i]);
  }
  for (const GpuProcess& one : gpu.sample->processes) {
    v1::GpuProcess& process = *sample.add_processes();
    process.set_pid(one.pid);
    process.set_memory_mib(one.memory.value);
  }
  sample.set_xids(gpu.sample->xids);
}

GpuFacts read_gpu_facts(const v1::GpuFacts& in) {
  GpuFacts facts{.index = in.index(),
                 .uuid = in.uuid(),
                 .product = in.product(),
                 .bus_id = in.bus_id(),
                 .driver = in.driver(),
                 .links = {}};
  for (const v1::NvLink& link : in.links()) {
    facts.links.push_back({link.link(), link.remote_bus_id()});
  }
  return facts;
}

/// Fifty years of a GPU's energy in millijoules; sums of minutes of it are no overflow.
constexpr std::int64_t kValueMax = std::int64_t{1} << 50;

Result<GpuSample> read_gpu_sample(const v1::GpuSample& in) {
  if (in.health() < 0 || in.health() > static_cast<int>(GpuHealth::Lost)) {
    return fail(ErrorKind::Invalid, "state {} of a GPU is not known here", in.health());
  }
  GpuSample sample;
  sample.at = {in.at_ns()};
  sample.health = static_cast<GpuHealth>(in.health());
  for (const v1::GpuValue& value : in.values()) {
    if (value.value() > kValueMax || value.value() < -kValueMax) {
      return fail(ErrorKind::Invalid, "a GPU's value is {}, which none can be", value.value());
    }
    if (value.metric() < kGpuMetricCount) sample.values[value.metric()] = value.value();
  }
  for (const v1::GpuProcess& process : in.processes()) {
    sample.processes.push_back({process.pid(), {process.memory_mib()}});
  }
  sample.xids = in.xids();
  return sample;
}

}  // namespace

void write(const act::GpusSeen& seen, v1::GpusSeen& out) {
  out.set_said_at_ns(seen.said_at.ns);
  for (const act::GpuNews& gpu : seen.gpus) write_gpu(gpu, *out.add_gpus());
}

Result<act::GpusSeen> read(const v1::GpusSeen& in) {
  act::GpusSeen seen{{in.said_at_ns()}, {}};
  for (const v1::GpuNews& news : in.gpus()) {
    act::GpuNews& gpu = seen.gpus.emplace_back();
    if (news.has_facts()) gpu.facts = read_gpu_facts(news.facts());
    if (!news.has_sample()) continue;
    auto sample = read_gpu_sample(news.sample());
    if (!sample) return tl::unexpected(sample.error());
    gpu.sample = std::move(*sample);
  }
  return seen;
}

}  // namespace gyre::adapter::rpc
