#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "observe/span.h"

namespace gyre::otlp {

struct ExporterOptions {
  std::string endpoint;          // "http://127.0.0.1:4318"; "/v1/traces" is put behind it
  std::string service_instance;  // tells this server from others
  std::string version;
  std::size_t waiting_max = 20'000;  // spans; more are dropped
  std::size_t batch_max = 512;       // spans of one request
  Duration gather = milliseconds(500);
  Duration retry_max = seconds(30);  // the longest pause; the first is `gather`, each next doubled
  long request_seconds = 10;
};

/// Sends spans by OTLP/HTTP in JSON, on a thread of its own. A receiver that is away, or answers
/// 429, 502, 503 or 504, is asked again later with the same spans; any other refusal drops them. On
/// its end it tries once more to send what waits, for `request_seconds` at most. Thread-safe.
class Exporter final : public observe::SpanSink {
 public:
  /// Errors: Invalid, the endpoint is no http or https URL.
  static Result<void> check(const std::string& endpoint);

  /// Requires: the endpoint is valid.
  explicit Exporter(ExporterOptions options);
  ~Exporter() override;
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  void take(std::vector<observe::Span> spans) override;
  Counts counts() const override;

 private:
  enum class Outcome : unsigned char { Sent, Refused, Later };

  void work();
  Outcome send(const std::vector<observe::Span>& batch) const;
  void settle(Outcome outcome, std::vector<observe::Span> batch);

  const ExporterOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<observe::Span> waiting_;
  Counts counts_;
  bool ending_ = false;
  std::thread worker_;
};

}  // namespace gyre::otlp
