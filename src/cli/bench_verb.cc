#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/job_stream.h"
#include "cli/verbs.h"
#include "domain/image_ref.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kStages{"decide", "deliver", "image", "root", "create", "init", "ready"};

struct ColdStartOptions {
  std::string image;
  int count = 50;
};

/// Times in milliseconds, one of each start.
using Series = std::vector<double>;

double percentile(Series series, double share) {
  if (series.empty()) return 0;
  std::sort(series.begin(), series.end());
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(series.size())));
  return series[std::min(series.size(), std::max<std::size_t>(rank, 1)) - 1];
}

Json summary(const Series& series) {
  return {{"p50_ms", percentile(series, 0.5)},
          {"p95_ms", percentile(series, 0.95)},
          {"p99_ms", percentile(series, 0.99)},
          {"starts", series.size()}};
}

/// Runs one job to its end and returns its "start".
Outcome<Json> one_start(HttpClient& client, const std::string& image) {
  HttpCall call;
  call.method = "POST";
  call.target = "/v1/jobs";
  call.body = Json{{"name", "cold-start"}, {"image", image}, {"command", {"/bin/true"}}}.dump();
  const auto body = client.call(call);
  if (!body) return tl::unexpected(body.error());
  const std::string id = Json::parse(*body, nullptr, false).value("id", Json()).dump();
  StreamFollower follower(client.address());
  follower.add("/v1/events?follow=true&job=" + id, "0.0", [&](const StreamEvent& event) {
    const Json data = Json::parse(event.data, nullptr, false);
    const std::string to = data.is_object() ? data.value("to", "") : "";
    if (to == "succeeded" || to == "failed" || to == "cancelled") follower.finish();
  });
  if (const auto end = follower.run(60); !end) return tl::unexpected(end.error());
  const auto job = get_json(client, "/v1/jobs/" + id);
  if (!job) return tl::unexpected(job.error());
  if (job->value("state", "") != "succeeded") {
    return give_up(kError, "job {} did not succeed: {}", id, job->value("reason_detail", ""));
  }
  return job->at("start");
}

struct Measured {
  std::array<Series, kStages.size()> stages;
  Series cold;
  Series warm;
  Series bare;
};

void record(Measured& measured, const Json& start) {
  double total = 0;
  for (std::size_t i = 0; i < kStages.size(); ++i) {
    const double ms = start.value(std::string(kStages[i]) + "_us", 0.0) / 1000;
    measured.stages[i].push_back(ms);
    total += ms;
  }
  (start.value("warm", false) ? measured.warm : measured.cold).push_back(total);
}

Json document_of(const Measured& measured, const std::string& image) {
  Json stages = Json::object();
  for (std::size_t i = 0; i < kStages.size(); ++i) {
    stages[kStages[i]] = summary(measured.stages[i]);
  }
  const auto ratio = [&](const Series& series, double share) {
    const double bare = percentile(measured.bare, share);
    return bare > 0 && !series.empty() ? Json(percentile(series, share) / bare) : Json();
  };
  return {
      {"image", image},
      {"stages", std::move(stages)},
      {"cold", summary(measured.cold)},
      {"warm", summary(measured.warm)},
      {"bare_runtime_and_sync", summary(measured.bare)},
      {"cold_to_bare", {{"p50", ratio(measured.cold, 0.5)}, {"p95", ratio(measured.cold, 0.95)}}}};
}

void print(const Json& document) {
  Table table({"STAGE", "P50 MS", "P95 MS", "P99 MS", "STARTS"});
  const auto add = [&table](const std::string& name, const Json& row) {
    if (row.value("starts", 0) == 0) return;
    table.add({name, fmt::format("{:.2f}", row.value("p50_ms", 0.0)),
               fmt::format("{:.2f}", row.value("p95_ms", 0.0)),
               fmt::format("{:.2f}", row.value("p99_ms", 0.0)),
               std::to_string(row.value("starts", 0))});
  };
  for (const auto& [name, row] : document.at("stages").items()) add(name, row);
  add("in all, cold", document.at("cold"));
  add("in all, warm", document.at("warm"));
  add("bare runtime + one sync", document.at("bare_runtime_and_sync"));
  table.print();
}

Outcome<int> cold_start(const Session& session, ColdStartOptions options) {
  if (is_image_path(options.image)) {
    options.image = std::filesystem::absolute(options.image).lexically_normal().string();
  }
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  // Not counted: it fetches the image.
  if (const auto first = one_start(*client, options.image); !first) {
    return tl::unexpected(first.error());
  }
  auto bare = session.ports.bare_starts(options.image);
  if (!bare) complain("no comparison: " + bare.error().message);
  Measured measured;
  for (int i = 0; i < options.count; ++i) {
    const auto start = one_start(*client, options.image);
    if (!start) return tl::unexpected(start.error());
    record(measured, *start);
    if (bare) {  // in turn, so that both see the same machine
      const auto took = (*bare)->run();
      if (!took) return give_up(kError, "{}", took.error().message);
      measured.bare.push_back(took->seconds() * 1000);
    }
    if (wants_colour(STDERR_FILENO)) fmt::print(stderr, "\r{}/{} starts", i + 1, options.count);
  }
  if (wants_colour(STDERR_FILENO)) fmt::print(stderr, "\r\033[K");
  const Json document = document_of(measured, options.image);
  if (print_as_document(document, session.format())) return kOk;
  print(document);
  return kOk;
}

}  // namespace

void add_bench_verb(CLI::App& app, Session& session) {
  auto* bench = add_verb(app, "bench", "Measure a running server",
                         "  gyre bench cold-start --image ./busybox --count 100");
  bench->require_subcommand(1);
  auto* verb = add_verb(*bench, "cold-start",
                        "From a job's submission to its first instruction, stage by stage, beside "
                        "the bare runtime and one durable sync",
                        "  gyre bench cold-start --image ./busybox -o json");
  auto options = std::make_shared<ColdStartOptions>();
  verb->add_option("--image", options->image, "an image that has /bin/true")->required();
  verb->add_option("--count", options->count, "starts of each kind")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  add_server_flags(*verb, session);
  add_output_flag(*verb, session);
  on_verb(verb, session, [&session, options] { return cold_start(session, *options); });
}

}  // namespace gyre::cli
