#pragma once

#include <cstdint>
#include <optional>

#include "control/driver.h"
#include "server/proxy/proxy.h"

namespace gyre::server::proxy {

/// Shows the proxy what has become of the services, once it is durable. On the driver's thread.
class ServiceWatch final : public control::Observer {
 public:
  /// From here on `proxy`, which outlives this, is shown what there is.
  void show_to(Proxy& proxy, const control::Controller& core);

  /// Null before.
  Proxy* proxy() const { return proxy_; }

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;
  void committed(EventSeq seq) override;

 private:
  Proxy* proxy_ = nullptr;
  std::uint64_t seen_ = 0;
  std::optional<Routes> pending_;
};

}  // namespace gyre::server::proxy
