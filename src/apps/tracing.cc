#include "apps/tracing.h"

#include <utility>

namespace gyre::apps {

cli::Outcome<Tracing::Settings> Tracing::read(const std::string& otlp, const std::string& log) {
  Settings settings;
  settings.otlp = otlp;
  while (settings.otlp.ends_with('/')) settings.otlp.pop_back();
  if (!otlp.empty()) {
    if (const auto ok = otlp::Exporter::check(settings.otlp); !ok) {
      return cli::give_up(cli::kUsage, "--otlp: {}", ok.error().message);
    }
  }
  if (log.empty()) return settings;
  auto opened = server::JsonLog::open(log);
  if (!opened) return cli::give_up(cli::kUsage, "--log: {}", opened.error().message);
  settings.log = std::move(*opened);
  return settings;
}

Tracing::Traces::Traces(otlp::ExporterOptions options, const control::Controller& core)
    : exporter(std::move(options)), first_output(exporter), jobs(core, exporter, first_output) {}

Tracing::Tracing(Settings settings, const std::string& instance, const control::Controller& core)
    : log_(std::move(settings.log)) {
  if (log_) log_->take_up(core);
  if (settings.otlp.empty()) return;
  traces_ = std::make_unique<Traces>(
      otlp::ExporterOptions{
          .endpoint = settings.otlp, .service_instance = instance, .version = GYRE_VERSION},
      core);
}

void Tracing::fill(server::ApiOptions& options) {
  options.log = log_.get();
  if (!traces_) return;
  options.traces = &traces_->jobs;
  options.spans = &traces_->exporter;
}

void Tracing::after(const Event& event, const control::Decisions& decisions,
                    const control::Controller& core) {
  if (log_) log_->after(event, decisions, core);
  if (traces_) traces_->jobs.after(event, decisions, core);
}

void Tracing::committed(EventSeq seq) {
  if (log_) log_->committed(seq);
  if (traces_) traces_->jobs.committed(seq);
}

}  // namespace gyre::apps
