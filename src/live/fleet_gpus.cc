#include <mutex>
#include <utility>
#include <vector>

#include "live/fleet.h"

namespace gyre::live {

/// A device is its node's alone, by the session that speaks for the node.
void Fleet::on_gpus(Session& session, act::GpusSeen seen) {
  const Time said_at = seen.said_at;
  std::vector<GpuErrorSeen> errors;
  std::vector<GpuHealthSeen> healths;
  Result<std::vector<GpuReading>> gpus;
  {
    const std::lock_guard guard(mutex_);
    gpus = session.gpus_.take(std::move(seen), now_());
    if (!gpus) return session.sink_.end(gpus.error());
    const std::int64_t node = session.node_.load();
    if (node < 0) return;
    const NodeId from{static_cast<std::uint32_t>(node)};
    Peer& peer = peers_.at(from);
    if (std::exchange(peer.life, session.life_) != session.life_) {
      peer.gpu_errors = GpuErrors();
      peer.gpu_healths = GpuHealths();
    }
    session.told_ = true;
    errors = peer.gpu_errors.take(from, *gpus, now_());
    healths = peer.gpu_healths.take(from, *gpus, now_());
  }
  const auto or_again = [this](const auto& one, auto watch) {
    inbox_.post(one, [this, watch, node = one.node, device = one.device](const auto& told) {
      if (told || told.error().kind != ErrorKind::Unavailable) return;
      const std::lock_guard guard(mutex_);
      if (const auto peer = peers_.find(node); peer != peers_.end()) {
        (peer->second.*watch).forget(device);
      }
    });
  };
  for (const GpuErrorSeen& error : errors) or_again(error, &Peer::gpu_errors);
  for (const GpuHealthSeen& health : healths) or_again(health, &Peer::gpu_healths);
  if (listener_ != nullptr) listener_->seen(session.name_, said_at, *gpus);
}

}  // namespace gyre::live
