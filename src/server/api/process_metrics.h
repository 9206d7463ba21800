#pragma once

#include "server/api/metrics_text.h"

namespace gyre::server {

/// What this very process uses, under the names that Prometheus' own clients have for it
/// (https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics). What the kernel
/// does not tell is left out. Thread-safe.
void write_process(MetricsText& out);

}  // namespace gyre::server
