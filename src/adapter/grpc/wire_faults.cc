#include "adapter/grpc/wire_faults.h"

#include <gyre.pb.h>

#include <algorithm>
#include <array>
#include <utility>

#include "adapter/grpc/wire_parts.h"
#include "base/utf8.h"

namespace gyre::adapter::rpc {
namespace {

using Kind = ChaosFault::Kind;

constexpr std::array<Kind, 5> kKinds{Kind::KillTask, Kind::HangTask, Kind::PauseAgent,
                                     Kind::RestartAgent, Kind::CutNode};
constexpr std::size_t kMessageMax = 1'000;  // bytes of a refusal

}  // namespace

void write(const act::FaultOrder& order, v1::Fault& out) {
  const auto kind = std::find(kKinds.begin(), kKinds.end(), order.kind);
  out.set_id(order.id);
  out.set_mend(order.mend);
  out.set_kind(kind == kKinds.end() ? 0 : static_cast<int>(kind - kKinds.begin()) + 1);
  out.set_way(static_cast<int>(order.way));
  out.set_lasts_ns(order.lasts.ns);
  if (order.task) write_key(*order.task, *out.mutable_task());
}

Result<act::FaultOrder> read(const v1::Fault& in) {
  act::FaultOrder order;
  order.id = in.id();
  order.mend = in.mend();
  if (order.mend) return order;
  if (in.kind() < 1 || in.kind() > static_cast<int>(kKinds.size())) {
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
  return order;
}

void write(const act::FaultBegun& begun, v1::FaultBegun& out) {
  out.set_id(begun.id);
  if (!begun.begun) write_failure(begun.begun.error(), *out.mutable_failure());
}

act::FaultBegun read(const v1::FaultBegun& in) {
  act::FaultBegun begun{in.id(), {}};
  if (!in.has_failure()) return begun;
  Error failure = read_failure(in.failure());
  failure.message.resize(utf8_cut(failure.message, kMessageMax));
  begun.begun = tl::unexpected(std::move(failure));
  return begun;
}

}  // namespace gyre::adapter::rpc
