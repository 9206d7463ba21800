#include "adapter/grpc/wire_faults.h"

#include <gyre.pb.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "adapter/grpc/wire_parts.h"
#include "base/utf8.h"
#include "domain/live_chaos.h"

namespace gyre::adapter::rpc {
namespace {

using Kind = ChaosFault::Kind;

constexpr std::array<Kind, 9> kKinds{Kind::KillTask,     Kind::HangTask,    Kind::PauseAgent,
                                     Kind::RestartAgent, Kind::CutNode,     Kind::KillNode,
                                     Kind::BreakGpu,     Kind::SlowNetwork, Kind::FillDisk};
constexpr std::size_t kMessageMax = 1'000;  // bytes of a refusal
constexpr int kTasksMax = 1'000;            // of one device

/// From 1; 0: it has none.
int number_of(Kind kind) {
  const auto found = std::find(kKinds.begin(), kKinds.end(), kind);
  return found == kKinds.end() ? 0 : static_cast<int>(found - kKinds.begin()) + 1;
}

bool is_known(int number) { return number >= 1 && number <= static_cast<int>(kKinds.size()); }

void write_network(const ChaosNetwork& network, v1::SlowNetwork& out) {
  out.set_delay_min_ns(network.delay.min.ns);
  out.set_delay_max_ns(network.delay.max.ns);
  out.set_late_percent(static_cast<std::int32_t>(network.late_percent.min));
  out.set_late_by_min_ns(network.late_by.min.ns);
  out.set_late_by_max_ns(network.late_by.max.ns);
  out.set_lost_percent(static_cast<std::int32_t>(network.lost_percent.min));
}

Result<ChaosNetwork> read_network(const v1::SlowNetwork& in) {
  ChaosNetwork network;
  network.delay = {Duration{in.delay_min_ns()}, Duration{in.delay_max_ns()}};
  network.late_percent = {in.late_percent(), in.late_percent()};
  network.late_by = {Duration{in.late_by_min_ns()}, Duration{in.late_by_max_ns()}};
  network.lost_percent = {in.lost_percent(), in.lost_percent()};
  for (const SpanRange& span : {network.delay, network.late_by}) {
    if (span.min.ns < 0 || span.max < span.min || span.max > kLiveFaultMax) {
      return fail(ErrorKind::Invalid, "a slow network's time is out of range");
    }
  }
  for (const CountRange& share : {network.late_percent, network.lost_percent}) {
    if (share.min < 0 || share.min > 100) {
      return fail(ErrorKind::Invalid, "a slow network's share is out of range");
    }
  }
  return network;
}

std::string cut_text(std::string text) {
  text.resize(utf8_cut(text, kMessageMax));
  return text;
}

}  // namespace

void write(const act::FaultOrder& order, v1::Fault& out) {
  out.set_id(order.id);
  out.set_mend(order.mend);
  out.set_kind(number_of(order.kind));
  out.set_way(static_cast<int>(order.way));
  out.set_lasts_ns(order.lasts.ns);
  if (order.task) write_key(*order.task, *out.mutable_task());
  for (const act::TaskKey& task : order.tasks) write_key(task, *out.add_tasks());
  if (order.network != ChaosNetwork{}) write_network(order.network, *out.mutable_network());
}

Result<act::FaultOrder> read(const v1::Fault& in) {
  act::FaultOrder order;
  order.id = in.id();
  order.mend = in.mend();
  if (order.mend) return order;
  if (!is_known(in.kind())) {
    return fail(ErrorKind::Invalid, "fault {} is none that is known here", in.kind());
  }
  if (in.way() < 0 || in.way() > static_cast<int>(ChaosFault::Way::ToNode) || in.lasts_ns() < 0) {
    return fail(ErrorKind::Invalid, "a fault's way or time is out of range");
  }
  order.kind = kKinds.at(static_cast<std::size_t>(in.kind()) - 1);
  order.way = static_cast<ChaosFault::Way>(in.way());
  order.lasts = Duration{in.lasts_ns()};
  if (in.has_task()) {
    const auto key = checked_key(in.task());
    if (!key) return tl::unexpected(key.error());
    order.task = *key;
  }
  if (in.tasks_size() > kTasksMax) return fail(ErrorKind::Invalid, "a device has too many tasks");
  for (const auto& task : in.tasks()) {
    const auto key = checked_key(task);
    if (!key) return tl::unexpected(key.error());
    order.tasks.push_back(*key);
  }
  if (in.has_network()) {
    const auto network = read_network(in.network());
    if (!network) return tl::unexpected(network.error());
    order.network = *network;
  }
  return order;
}

void write(const act::FaultBegun& begun, v1::FaultBegun& out) {
  out.set_id(begun.id);
  if (!begun.begun) write_failure(begun.begun.error(), *out.mutable_failure());
  for (const act::FaultAbility& able : begun.able) {
    auto& one = *out.add_able();
    one.set_kind(number_of(able.kind));
    one.set_obstacle(cut_text(able.obstacle));
  }
}

act::FaultBegun read(const v1::FaultBegun& in) {
  act::FaultBegun begun{in.id(), {}};
  for (const auto& one : in.able()) {
    // Those of a later release mean nothing here.
    if (!is_known(one.kind()) || begun.able.size() >= act::kFaultAbilitiesMax) continue;
    begun.able.push_back(
        {kKinds.at(static_cast<std::size_t>(one.kind()) - 1), cut_text(one.obstacle())});
  }
  if (!in.has_failure()) return begun;
  Error failure = read_failure(in.failure());
  failure.message = cut_text(std::move(failure.message));
  begun.begun = tl::unexpected(std::move(failure));
  return begun;
}

}  // namespace gyre::adapter::rpc
