#pragma once

#include <mutex>
#include <string>

#include "server/http/message.h"

namespace gyre::server {

/// What a server answers that does not lead: who does. Readiness and all but metrics are refused
/// with 503 and /problems/standby, so that whoever asks goes on to the next server. Thread-safe.
class StandbyApi {
 public:
  /// One line each, for a person.
  struct View {
    std::string leader;   // empty: none is known
    std::string trouble;  // why that is not known, or may not be so; empty: there is none
  };
  void show(View view);

  void handle(const http::Request& request, const http::Reply& reply) const;

 private:
  View view() const;

  mutable std::mutex mutex_;
  View view_;
};

/// What Prometheus is told: that this server does not lead.
http::Response standby_metrics();

/// `view` as a refusal.
http::Response refuse_as_standby(const StandbyApi::View& view);

}  // namespace gyre::server
