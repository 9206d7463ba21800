#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "control/driver.h"
#include "server/http/message.h"
#include "server/trace/fleet_lines.h"
#include "server/trace/json_lines.h"

namespace gyre::server {

/// The server's log as one JSON object a line: every change of a job, of a node's service and of an
/// incident, once it is durable, and every request that changes something or fails. What belongs to
/// a trace has its `trace_id`, under which the job's spans are. Thread-safe, but for after() and
/// committed().
class JsonLog final : public control::Observer {
 public:
  /// Appends to the file, which is made where there is none; "-" is stdout. Errors: Invalid, it
  /// cannot be written.
  static Result<std::unique_ptr<JsonLog>> open(const std::string& path);

  /// Goes on with `core`; before the first event.
  void take_up(const control::Controller& core) { fleet_.take_up(core); }

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;
  void committed(EventSeq seq) override;

  /// A reply that logs the request with its status and time once it is answered.
  http::Reply logged(const http::Request& request, http::Reply reply);

 private:
  explicit JsonLog(std::unique_ptr<JsonLines> lines) : lines_(std::move(lines)) {}

  std::unique_ptr<JsonLines> lines_;
  FleetLines fleet_;
  std::string pending_;  // lines that are not durable yet; the driver's thread only
};

}  // namespace gyre::server
