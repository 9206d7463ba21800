#include "server/proxy/service_watch.h"

namespace gyre::server::proxy {

void ServiceWatch::show_to(Proxy& proxy, const control::Controller& core) {
  proxy_ = &proxy;
  core_ = &core;
  seen_ = core.services().version();
  proxy.update(view_routes(core));
}

void ServiceWatch::committed(EventSeq) {
  if (proxy_ == nullptr || core_->services().version() == seen_) return;
  seen_ = core_->services().version();
  proxy_->update(view_routes(*core_));
}

}  // namespace gyre::server::proxy
