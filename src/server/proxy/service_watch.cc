#include "server/proxy/service_watch.h"

#include <utility>

namespace gyre::server::proxy {

void ServiceWatch::show_to(Proxy& proxy, const control::Controller& core) {
  proxy_ = &proxy;
  seen_ = core.services().version();
  proxy.update(view_routes(core));
}

void ServiceWatch::after(const Event&, const control::Decisions&, const control::Controller& core) {
  if (proxy_ == nullptr || core.services().version() == seen_) return;
  seen_ = core.services().version();
  pending_ = view_routes(core);
}

void ServiceWatch::committed(EventSeq) {
  if (pending_) proxy_->update(*std::exchange(pending_, std::nullopt));
}

}  // namespace gyre::server::proxy
