#include <algorithm>
#include <cmath>
#include <utility>

#include "base/units.h"
#include "server/api/api.h"
#include "server/api/watch.h"

namespace gyre::server {
namespace {

/// Kinds as a set of bits. Errors: an unknown name.
std::optional<http::Problem> read_kinds(const http::Request& request, unsigned& kinds) {
  std::vector<std::string> names;
  for (int i = 0; i < kDecisionKindCount; ++i) {
    names.emplace_back(to_string(static_cast<DecisionKind>(i)));
  }
  return read_names(request, "kind", names, kinds);
}

void write_outcome(JsonText& out, const std::optional<Transition>& outcome) {
  out.key("outcome");
  if (!outcome) {
    out.null();
    return;
  }
  out.open('{').member("state", to_string(outcome->to)).member("at", format_utc(outcome->at));
  out.key("reason");
  if (outcome->cause == Termination::None) {
    out.null();
  } else {
    out.value(to_string(outcome->cause));
  }
  out.close('}');
}

void write_decision(JsonText& out, const Decision& decision) {
  out.open('{')
      .member("id", to_string(decision.position))
      .member("at", format_utc(decision.at))
      .member("kind", to_string(decision.kind))
      .member("job", decision.job.value)
      .member("name", decision.name)
      .member("queue", decision.queue)
      .member("priority", decision.priority)
      .member("attempt", decision.attempt);
  out.key("gpus").thousandths(decision.gpu_milli);
  out.key("nodes").open('[');
  for (const std::string& node : decision.nodes) out.value(node);
  out.close(']').member("why", decision.why).member("compared", decision.compared);
  out.key("beneficiary");
  if (decision.beneficiary.value != 0) {
    out.value(decision.beneficiary.value);
  } else {
    out.null();
  }
  write_outcome(out, decision.outcome);
  out.close('}');
}

struct OverviewView {
  std::string policy;
  FleetWatch::Counts counts;
  std::array<std::int64_t, kDecisionKindCount> decisions{};
  std::optional<Money> hour;  // none: there are no prices
  reason::Fragmentation::Sum fragmentation;
  reason::PredictionFallbacks fallbacks;
};

void write_overview(JsonText& out, const OverviewView& view, GpuWatch::Activity activity) {
  const FleetWatch::Counts& counts = view.counts;
  out.open('{').member("policy", view.policy).member("version", GYRE_VERSION);
  out.key("jobs").open('{');
  for (int i = 0; i < kJobStateCount; ++i) {
    const auto state = static_cast<JobState>(i);
    out.member(to_string(state), counts.of(state));
  }
  out.close('}').member("nodes_up", counts.nodes_up).member("nodes_closed", counts.nodes_closed);
  out.member("nodes_down", counts.nodes_down);
  out.member("gpus", counts.gpu_milli_up / kWholeGpu.value)
      .member("gpus_down", counts.gpu_milli_down / kWholeGpu.value);
  out.member("gpus_virtual", counts.virtual_gpus);
  out.key("gpus_used").thousandths(counts.gpu_milli_used);
  out.key("decisions_last_hour").open('{');
  for (int i = 0; i < kDecisionKindCount; ++i) {
    out.member(to_string(static_cast<DecisionKind>(i)),
               view.decisions[static_cast<std::size_t>(i)]);
  }
  out.close('}').key("hour_micro_usd");
  write_money(out, view.hour);
  out.key("gpus_free").thousandths(view.fragmentation.free_milli);
  out.key("gpus_fragmented").thousandths(std::llround(view.fragmentation.lost_milli));
  out.key("fragmentation_ratio");
  if (view.fragmentation.ratio) {
    out.thousandths(std::llround(*view.fragmentation.ratio * 1000));
  } else {
    out.null();
  }
  out.member("gpus_read", activity.read).member("gpus_active", activity.active);
  out.key("prediction_fallbacks").open('{');
  out.member("absurd", view.fallbacks.absurd).member("overrun", view.fallbacks.overrun);
  out.member("unseen", view.fallbacks.unseen).close('}');
  out.close('}');
}

using Series = observe::GaugeHistory::Series;

struct LinesView {
  std::string name;
  Series gpu_milli_used;
  Series jobs_queued;
  Series jobs_placed;
};
struct HistoryView {
  Series gpu_milli_up;
  Series gpu_milli_free;
  Series gpu_milli_fragmented;
  LinesView fleet;
  std::vector<LinesView> queues;
};

HistoryView view_history(const Watch& all, std::size_t window, Time now) {
  const FleetWatch& watch = all.fleet;
  const auto lines = [&](std::string name, const FleetWatch::Lines& from) {
    return LinesView{std::move(name), from.gpu_milli_used.read(window, now),
                     from.jobs_queued.read(window, now), from.jobs_placed.read(window, now)};
  };
  HistoryView view{watch.gpu_milli_up().read(window, now),
                   all.fragmentation.gpu_milli_free().read(window, now),
                   all.fragmentation.gpu_milli_fragmented().read(window, now),
                   lines("", watch.fleet()),
                   {}};
  for (const auto& queue : watch.queues()) view.queues.push_back(lines(queue.name, queue.lines));
  return view;
}

void write_series(JsonText& out, std::string_view name, const Series& series, bool thousandths) {
  out.key(name).open('[');
  for (const auto& mean : series.means) {
    if (mean && thousandths) {
      out.thousandths(*mean);
    } else {
      out.value(mean);
    }
  }
  out.close(']');
}

void write_lines(JsonText& out, const LinesView& lines) {
  write_series(out, "gpus_used", lines.gpu_milli_used, true);
  write_series(out, "jobs_queued", lines.jobs_queued, false);
  write_series(out, "jobs_placed", lines.jobs_placed, false);
}

/// What is known of the step that holds `at`.
std::optional<GpuWatch::Activity> activity_at(const GpuWatch::ActivitySeries& series, Time at) {
  if (series.steps.empty() || at < series.begins_at) return std::nullopt;
  const auto step = static_cast<std::size_t>((at - series.begins_at).ns / series.step.ns);
  return step < series.steps.size() ? series.steps[step] : std::nullopt;
}

/// By the steps of `fleet`.
void write_activity(JsonText& out, const Series& fleet, const GpuWatch::ActivitySeries& series) {
  using Count = std::int64_t GpuWatch::Activity::*;
  const auto write = [&](std::string_view name, Count count) {
    out.key(name).open('[');
    for (std::size_t i = 0; i < fleet.means.size(); ++i) {
      const auto told =
          activity_at(series, fleet.begins_at + fleet.step * static_cast<std::int64_t>(i));
      told ? out.value((*told).*count) : out.null();
    }
    out.close(']');
  };
  write("gpus_read", &GpuWatch::Activity::read);
  write("gpus_active", &GpuWatch::Activity::active);
}

void write_history(JsonText& out, const HistoryView& view,
                   const GpuWatch::ActivitySeries& activity) {
  out.open('{')
      .member("begins_at", format_utc(view.gpu_milli_up.begins_at))
      .member("step_s", view.gpu_milli_up.step.ns / seconds(1).ns);
  write_series(out, "gpus", view.gpu_milli_up, true);
  write_series(out, "gpus_free", view.gpu_milli_free, true);
  write_series(out, "gpus_fragmented", view.gpu_milli_fragmented, true);
  write_activity(out, view.gpu_milli_up, activity);
  out.key("fleet").open('{');
  write_lines(out, view.fleet);
  out.close('}').key("queues").open('[');
  for (const LinesView& queue : view.queues) {
    out.open('{').member("name", queue.name);
    write_lines(out, queue);
    out.close('}');
  }
  out.close(']').close('}');
}

}  // namespace

void Api::add_watch_routes() {
  router_.add("GET", "/v1/decisions", {"kind", "job", "cursor", "limit"},
              [this](const Call& call) { list_decisions(call); });
  router_.add("GET", "/v1/overview", {}, [this](const Call& call) {
    ask<OverviewView>(
        call,
        [this](const auto& core) {
          const observe::Ledger& ledger = core.ledger();
          return OverviewView{
              core.policy().name,
              watch_.fleet.counts(),
              watch_.decisions.count_since(options_.clock() - seconds(3600)),
              ledger.prices() == nullptr ? std::nullopt : std::optional(ledger.rate()),
              watch_.fragmentation.lately(core, options_.clock()),
              core.prediction_fallbacks()};
        },
        [this](const OverviewView& view) {
          const Telemetry* telemetry = options_.telemetry;
          JsonText out;
          write_overview(out, view,
                         telemetry == nullptr ? GpuWatch::Activity{}
                                              : telemetry->gpus.activity(machine_time()));
          return json_response(std::move(out));
        });
  });
  router_.add("GET", "/v1/history", {"window"}, [this](const Call& call) { show_history(call); });
}

void Api::list_decisions(const Call& call) const {
  DecisionLog::Query query;
  std::uint64_t limit = options_.page_default;
  if (auto wrong = read_kinds(call.request, query.kinds)) return call.fail(*wrong);
  if (auto wrong = read_number(call.request, "limit", options_.page_max, limit)) {
    return call.fail(*wrong);
  }
  if (limit == 0) return call.fail(bad_parameter("limit", "a page has at least 1 entry"));
  query.count_max = limit;
  if (const auto text = call.request.query_value("job")) {
    const auto id = read_job_id(std::string(*text));
    if (!id) return call.fail(bad_parameter("job", id.error().message));
    query.job = *id;
  }
  if (const auto text = call.request.query_value("cursor")) {
    query.before = parse_feed_position(*text);
    if (!query.before) {
      return call.fail(bad_parameter("cursor", "it must be a page's 'next_cursor'"));
    }
  }
  ask<DecisionLog::Page>(
      call, [this, query](const auto&) { return watch_.decisions.read(query); },
      [](const DecisionLog::Page& page) {
        JsonText out;
        out.open('{').key("decisions").open('[');
        for (const Decision& decision : page.decisions) write_decision(out, decision);
        out.close(']').key("next_cursor");
        if (page.more) {
          out.value(to_string(page.decisions.back().position));
        } else {
          out.null();
        }
        out.close('}');
        return json_response(std::move(out));
      });
}

void Api::show_history(const Call& call) const {
  static constexpr auto& kWindows = GpuWatch::kWindows;
  const std::string_view wish = call.request.query_value("window").value_or(kWindows.front());
  const auto found = std::find(kWindows.begin(), kWindows.end(), wish);
  if (found == kWindows.end()) {
    return call.fail(bad_parameter(
        "window", fmt::format("'{}' is none of {}", wish, fmt::join(kWindows, ", "))));
  }
  const auto window = static_cast<std::size_t>(found - kWindows.begin());
  ask<HistoryView>(
      call,
      [this, window](const auto& core) {
        const Time now = options_.clock();
        watch_.fragmentation.lately(core, now);
        return view_history(watch_, window, now);
      },
      [this, window](const HistoryView& view) {
        const Series& fleet = view.gpu_milli_up;
        GpuWatch::ActivitySeries activity;
        if (options_.telemetry != nullptr) {
          const auto newest = static_cast<std::int64_t>(fleet.means.size()) - 1;
          activity =
              options_.telemetry->gpus.activity(window, fleet.begins_at + fleet.step * newest);
        }
        JsonText out;
        write_history(out, view, activity);
        return json_response(std::move(out));
      });
}

}  // namespace gyre::server
