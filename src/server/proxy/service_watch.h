#pragma once

#include <cstdint>

#include "control/driver.h"
#include "server/proxy/proxy.h"

namespace gyre::server::proxy {

/// Shows the proxy what has become of the services, once it is durable. On the driver's thread.
class ServiceWatch final : public control::Observer {
 public:
  /// From here on `proxy` is shown what there is in `core`; both outlive this.
  void show_to(Proxy& proxy, const control::Controller& core);

  /// Null before.
  Proxy* proxy() const { return proxy_; }

  void after(const Event&, const control::Decisions&, const control::Controller&) override {}
  void committed(EventSeq seq) override;

 private:
  Proxy* proxy_ = nullptr;
  const control::Controller* core_ = nullptr;
  std::uint64_t seen_ = 0;
};

}  // namespace gyre::server::proxy
