#include <nlohmann/json.hpp>

#include "base/units.h"
#include "cli/job_stream.h"
#include "cli/verbs.h"
#include "codec/utc.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string money(const Json& amount) { return format_money(Money{amount.get<std::int64_t>()}); }

std::string model_prices(const Json& prices) {
  std::string text = fmt::format("{} an hour of a GPU", money(prices.at("gpu_hour_micro_usd")));
  for (const Json& one : prices.at("models")) {
    text += fmt::format(", {} of {}", money(one.at("gpu_hour_micro_usd")),
                        terminal_safe(one.value("model", "")));
  }
  return text;
}

void print_costs(const Json& costs) {
  const std::string by = costs.value("by", "");
  if (!costs.at("lines").empty()) {
    std::vector<std::string> heading{by == "job" ? "JOB" : by == "queue" ? "QUEUE" : "TENANT"};
    if (by == "job") heading.emplace_back("NAME");
    heading.insert(heading.end(), {"GPU HOURS", "COST"});
    Table table(heading);
    for (const Json& line : costs.at("lines")) {
      const std::string name = line.value("name", "");
      const std::string id = by != "job"                ? name
                             : line.at("job").is_null() ? "older"
                                                        : line.at("job").dump();
      std::vector<std::string> row{id.empty() ? "-" : id};
      if (by == "job") row.push_back(name);
      row.push_back(fmt::format("{:.2f}", line.value("gpu_seconds", 0.0) / 3600));
      row.push_back(money(line.at("micro_usd")));
      table.add(std::move(row));
    }
    table.print();
  }
  const std::size_t shown = costs.at("lines").size();
  if (const auto all = costs.value("lines_total", std::size_t{0}); all > shown) {
    fmt::print("and {} more; --limit shows them\n", all - shown);
  }
  const Json& total = costs.at("total");
  fmt::print("{} for {:.2f} GPU-hours from {} to {}\n", money(total.at("micro_usd")),
             total.value("gpu_seconds", 0.0) / 3600, costs.value("since", ""),
             costs.value("until", ""));
  if (costs.at("hour_micro_usd").is_number()) {
    fmt::print("{} an hour just now; {}\n", money(costs.at("hour_micro_usd")),
               model_prices(costs.at("prices")));
  }
  if (costs.at("forgotten_before").is_string()) {
    fmt::print("what was held before {} is not known any more\n",
               costs.value("forgotten_before", ""));
  }
}

struct CostOptions {
  std::string by = "job", since = "24h", until;
  int limit = 100;
};

Outcome<int> cost(const Session& session, const CostOptions& options) {
  std::string target = fmt::format("/v1/costs?by={}&limit={}", options.by, options.limit);
  if (codec::parse_utc(options.since)) {
    target += "&since=" + options.since;
  } else if (parse_duration(options.since)) {
    target += "&window=" + options.since;
  } else {
    return give_up(kUsage,
                   "--since: '{}' is neither a time, as in 2026-03-01T10:00:00Z, nor how long ago, "
                   "as in 7d",
                   options.since);
  }
  if (!options.until.empty()) {
    if (!codec::parse_utc(options.until)) {
      return give_up(kUsage, "--until: '{}' is no time, as in 2026-03-01T10:00:00Z", options.until);
    }
    target += "&until=" + options.until;
  }
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto costs = get_json(*client, target);
  if (!costs) return tl::unexpected(costs.error());
  if (print_as_document(*costs, session.format())) return kOk;
  const bool nothing = costs->at("prices").is_null() && costs->at("lines").empty();
  if (nothing) {
    fmt::print(stderr, "no price is given, so nothing is charged: 'gyre up --prices FILE'\n");
  } else {
    print_costs(*costs);
  }
  return kOk;
}

}  // namespace

void add_cost_verb(CLI::App& app, Session& session) {
  auto* verb = add_verb(app, "cost", "Show what jobs have held, and what that costs",
                        "  gyre cost\n  gyre cost --by tenant --since 30d\n"
                        "  gyre cost --by queue --since 2026-03-01T00:00:00Z -o json");
  auto options = std::make_shared<CostOptions>();
  verb->add_option("--by", options->by, "what is told apart")
      ->check(CLI::IsMember({"job", "tenant", "queue"}))
      ->capture_default_str()
      ->type_name("job|tenant|queue");
  verb->add_option("--since", options->since, "from when on, or how long ago")
      ->capture_default_str()
      ->type_name("TIME|DURATION");
  verb->add_option("--until", options->until, "until when; else now")->type_name("TIME");
  verb->add_option("--limit", options->limit, "so many lines, the dearest first")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  add_server_flags(*verb, session);
  add_output_flag(*verb, session);
  on_verb(verb, session, [&session, options] { return cost(session, *options); });
}

}  // namespace gyre::cli
