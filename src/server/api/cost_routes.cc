// GET /v1/costs
#include <algorithm>
#include <string>
#include <utility>

#include "base/units.h"
#include "codec/utc.h"
#include "server/api/api.h"

namespace gyre::server {
namespace {

using observe::Ledger;

constexpr Duration kWindow = seconds(86'400);
constexpr std::array<std::string_view, 3> kBy{"job", "tenant", "queue"};

struct CostsView {
  std::optional<PriceList> prices;
  Time prices_since;
  Money hour;
  Ledger::Window window;
  Ledger::Bill bill;
};

struct CostQuery {
  Ledger::By by = Ledger::By::Job;
  std::optional<Time> since;
  std::optional<Time> until;
  Duration window = kWindow;  // before `until`, without `since`
  std::uint64_t limit = 100;
};

std::optional<http::Problem> read_time(const http::Request& request, std::string_view name,
                                       std::optional<Time>& time) {
  const auto text = request.query_value(name);
  if (!text) return std::nullopt;
  time = codec::parse_utc(std::string(*text));
  if (time) return std::nullopt;
  return bad_parameter(name,
                       fmt::format("'{}' is no time in UTC, as in 2026-03-01T10:00:00Z", *text));
}

std::optional<http::Problem> read_query(const http::Request& request, std::uint64_t limit_max,
                                        CostQuery& query) {
  const std::string_view by = request.query_value("by").value_or(kBy.front());
  const auto found = std::find(kBy.begin(), kBy.end(), by);
  if (found == kBy.end()) {
    return bad_parameter("by", fmt::format("'{}' is none of {}", by, fmt::join(kBy, ", ")));
  }
  query.by = static_cast<Ledger::By>(found - kBy.begin());
  if (auto wrong = read_time(request, "since", query.since)) return wrong;
  if (auto wrong = read_time(request, "until", query.until)) return wrong;
  if (query.since && query.until && *query.until <= *query.since) {
    return bad_parameter("until", "it must be later than 'since'");
  }
  if (const auto text = request.query_value("window")) {
    if (query.since) return bad_parameter("window", "'since' says already when it begins");
    const auto window = parse_duration(*text);
    if (!window) return bad_parameter("window", window.error().message);
    query.window = *window;
  }
  return read_number(request, "limit", limit_max, query.limit);
}

CostsView look(const control::Controller& core, const CostQuery& query, Time clock) {
  const Time now = std::max(clock, core.now());
  const Ledger& ledger = core.ledger();
  CostsView view;
  if (const PriceList* prices = ledger.prices()) {
    view.prices = *prices;
    view.prices_since = ledger.prices_since();
  }
  view.hour = ledger.rate();
  view.window.to = query.until.value_or(now);
  view.window.from =
      query.since.value_or(Time{} + std::max(Duration{}, view.window.to - Time{} - query.window));
  view.bill = ledger.bill(query.by, view.window, core.jobs(), core.cluster(), now);
  return view;
}

void write_prices(JsonText& out, const CostsView& view) {
  out.key("prices");
  if (!view.prices) {
    out.null();
    return;
  }
  out.open('{').member("since", format_utc(view.prices_since));
  out.member("gpu_hour_micro_usd", view.prices->gpu_hour.value).key("models").open('[');
  for (const PriceList::Model& one : view.prices->models) {
    out.open('{').member("model", one.model);
    out.member("gpu_hour_micro_usd", one.gpu_hour.value).close('}');
  }
  out.close(']').member("cpu_hour_micro_usd", view.prices->cpu_hour.value);
  out.member("memory_hour_micro_usd", view.prices->memory_hour.value).close('}');
}

http::Response costs_response(const CostsView& view, const CostQuery& query) {
  JsonText out;
  out.open('{').member("by", kBy[static_cast<std::size_t>(query.by)]);
  out.member("since", format_utc(view.window.from)).member("until", format_utc(view.window.to));
  write_prices(out, view);
  out.key("hour_micro_usd");
  write_money(out, view.prices ? std::optional(view.hour) : std::nullopt);
  out.key("total").open('{');
  write_charge(out, view.bill.total);
  out.close('}').key("lines").open('[');
  const std::size_t shown = std::min<std::size_t>(query.limit, view.bill.lines.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const Ledger::Line& line = view.bill.lines[i];
    out.open('{').key("job");
    if (line.job.value != 0) {
      out.value(line.job.value);
    } else {
      out.null();
    }
    out.member("name", line.name);
    write_charge(out, line.charge);
    out.close('}');
  }
  out.close(']').member("lines_total", view.bill.lines.size());
  write_time(out, "forgotten_before", view.bill.forgotten);
  out.close('}');
  return json_response(std::move(out));
}

}  // namespace

void Api::show_costs(const Call& call) const {
  CostQuery query;
  query.limit = options_.page_default;
  if (auto wrong = read_query(call.request, options_.page_max, query)) return call.fail(*wrong);
  ask<CostsView>(
      call, [this, query](const auto& core) { return look(core, query, options_.clock()); },
      [query](const CostsView& view) { return costs_response(view, query); });
}

}  // namespace gyre::server
