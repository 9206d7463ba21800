#pragma once

#include <memory>
#include <string>

#include "adapter/otlp/exporter.h"
#include "cli/outcome.h"
#include "control/driver.h"
#include "server/api/api.h"
#include "server/trace/job_traces.h"
#include "server/trace/json_log.h"

namespace gyre::apps {

/// The wiring of what the server tells others about its work: traces and the structured log. Each
/// is off until it is asked for.
class Tracing final : public control::Observer {
 public:
  struct Settings {
    std::string otlp;                      // empty: no traces
    std::unique_ptr<server::JsonLog> log;  // null: none
  };
  /// Errors: kUsage, no address or no file that can be written.
  static cli::Outcome<Settings> read(const std::string& otlp, const std::string& log);

  /// `core` outlives it. `instance` tells this server from others.
  Tracing(Settings settings, const std::string& instance, const control::Controller& core);

  void fill(server::ApiOptions& options);
  /// Null where nothing is traced.
  server::FirstOutput* first_output() { return traces_ ? &traces_->first_output : nullptr; }

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;
  void committed(EventSeq seq) override;

 private:
  struct Traces {
    Traces(otlp::ExporterOptions options, const control::Controller& core);
    otlp::Exporter exporter;
    server::FirstOutput first_output;
    server::JobTraces jobs;
  };
  std::unique_ptr<server::JsonLog> log_;
  std::unique_ptr<Traces> traces_;
};

}  // namespace gyre::apps
