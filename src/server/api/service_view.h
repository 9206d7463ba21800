#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/controller.h"
#include "domain/service.h"
#include "server/api/json_text.h"
#include "server/api/metrics_text.h"
#include "server/proxy/backend.h"

namespace gyre::server {

/// What the API says of a service: plain data, copied from the core on the driver's thread and
/// written as JSON elsewhere.
struct ServiceView {
  Service service;
  std::string trouble;                            // why replicas are missing; empty: none are
  std::vector<std::optional<std::string>> nodes;  // of each replica, while it is placed
  std::vector<JobState> states;                   // of each replica's job
};

/// Errors: NotFound.
Result<const Service*> find_service(const control::Controller& core, const std::string& name);

/// By name; all, or the one of that name. Errors: NotFound.
Result<std::vector<ServiceView>> view_services(const control::Controller& core,
                                               const std::optional<std::string>& name);

/// `stats`: null where nothing has asked for it yet. `url`: empty where it is not reached here.
void write_service(JsonText& out, const ServiceView& view, const proxy::ServiceStats* stats,
                   const std::string& url);

void write_services(MetricsText& out, const std::vector<ServiceView>& views,
                    const std::vector<proxy::ServiceStats>& stats);

}  // namespace gyre::server
