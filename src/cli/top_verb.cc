#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "cli/job_stream.h"
#include "cli/verbs.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string share(const Json& value) {
  return value.is_number() ? fmt::format("{:.1f} %", value.get<double>() * 100) : "-";
}

std::string time_text(const Json& value) {
  if (!value.is_number()) return "-";
  return format_duration(seconds(static_cast<std::int64_t>(value.get<double>())));
}

std::string of_asked(const Json& used, const Json& asked, std::string (*text)(std::int64_t)) {
  const std::string left = used.is_number() ? text(used.get<std::int64_t>()) : "-";
  const auto wanted = asked.get<std::int64_t>();
  return wanted == 0 ? left : fmt::format("{} of {}", left, text(wanted));
}

std::string cores(std::int64_t milli) {
  return fmt::format("{:.3g}", static_cast<double>(milli) / 1000);
}
std::string mib(std::int64_t amount) { return format_memory(MemoryMib{amount}); }

std::string advice(const Json& job) {
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  const std::string verdict = job.value("verdict", "");
  if (verdict == "idle") add("does nothing with its GPUs");
  if (verdict == "low") add("a smaller share would do");
  if (job.at("cpu_milli_better").is_number()) {
    add(fmt::format("cpu: {} would do", cores(job.at("cpu_milli_better").get<std::int64_t>())));
  }
  if (job.at("memory_mib_better").is_number()) {
    add(fmt::format("memory: {} would do", mib(job.at("memory_mib_better").get<std::int64_t>())));
  }
  return text.empty() ? "-" : text;
}

void print_usage(const Json& report) {
  if (report.at("jobs").empty()) {
    fmt::print(stderr, "no job runs\n");
    return;
  }
  Table table(
      {"ID", "NAME", "GPUS", "ACTIVE", "IDLE FOR", "HELD", "CPU", "MEMORY", "VERDICT", "ADVICE"});
  for (const Json& job : report.at("jobs")) {
    const std::string by =
        job.at("gpu_activity_by").is_string() && job.value("gpu_activity_by", "") == "utilisation"
            ? " (util)"
            : "";
    table.add({job.at("job").dump(), job.value("name", ""), job.at("gpus").dump(),
               share(job.at("gpu_activity")) + by, time_text(job.at("gpu_idle_s")),
               time_text(job.at("held_s")),
               of_asked(job.at("cpu_milli_used"), job.at("cpu_milli_asked"), cores),
               of_asked(job.at("memory_mib_peak"), job.at("memory_mib_asked"), mib),
               job.value("verdict", ""), advice(job)});
  }
  table.print();
  fmt::print("{} GPUs held, {} of them by idle jobs; {:.2f} GPU-hours held and not used\n",
             report.at("gpus_held").dump(), report.at("gpus_idle").dump(),
             report.value("gpu_seconds_wasted", 0.0) / 3600);
}

Outcome<int> top(const Session& session, const std::string& settle) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  if (const auto time = parse_duration(settle); !time) {
    return give_up(kUsage, "--settle: {}", time.error().message);
  }
  auto report = get_json(*client, "/v1/usage?settle=" + settle);
  if (!report) return tl::unexpected(report.error());
  // What wastes most comes first; among equals the oldest.
  Json& jobs = report->at("jobs");
  std::stable_sort(jobs.begin(), jobs.end(), [](const Json& a, const Json& b) {
    return a.value("gpu_seconds_wasted", 0.0) > b.value("gpu_seconds_wasted", 0.0);
  });
  if (print_as_document(*report, session.format())) return kOk;
  print_usage(*report);
  return kOk;
}

}  // namespace

void add_top_verb(CLI::App& app, Session& session) {
  auto* verb = add_verb(app, "top", "Show what running jobs make of what they hold",
                        "  gyre top\n  gyre top --settle 1h\n"
                        "  gyre top -o json | jq '.jobs[] | select(.verdict == \"idle\")'");
  auto settle = std::make_shared<std::string>("10m");
  verb->add_option("--settle", *settle, "jobs are judged after this time, and silences from it on")
      ->capture_default_str()
      ->type_name("DURATION");
  add_server_flags(*verb, session);
  add_output_flag(*verb, session);
  on_verb(verb, session, [&session, settle] { return top(session, *settle); });
}

}  // namespace gyre::cli
