#include "cli/simulation.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "codec/policy_text.h"
#include "live/files.h"

namespace gyre::cli {
namespace {

double wall_clock_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Not getrusage()'s figure: that one is never below what the parent had when it forked.
double peak_rss_mib() {
  std::ifstream status("/proc/self/status");
  const std::string name = "VmHWM:";
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name)) return std::strtod(line.c_str() + name.size(), nullptr) / 1024;
  }
  return 0;
}

template <class Report>
Outcome<int> show_any(const Session& session, const Report& report, const std::string& folder) {
  if (!folder.empty()) {
    if (auto written = write_files(folder, sim::output_files(report)); !written) {
      return tl::unexpected(written.error());
    }
  }
  return show_json_or(session, sim::to_json(report), sim::to_table(report));
}

}  // namespace

Outcome<void> write_files(const std::string& folder, const std::vector<sim::OutputFile>& files) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  std::string shown = folder + "/" + files.front().name;
  for (const sim::OutputFile& file : files) {
    const std::string path = folder + "/" + file.name;
    if (const auto written = live::write_file(path, file.content); !written) {
      return give_up(kError, "{}", written.error().message);
    }
    if (file.name.ends_with(".html")) shown = path;
  }
  fmt::print(stderr, "written: {} and the files beside it\n", shown);
  return {};
}

Outcome<int> show_json_or(const Session& session, const std::string& json,
                          const std::string& table) {
  switch (session.format()) {
    case Format::Json:
      write_all(STDOUT_FILENO, json);
      break;
    case Format::Yaml:
      print_document(nlohmann::ordered_json::parse(json), Format::Yaml);
      break;
    default:
      write_all(STDOUT_FILENO, table);
  }
  return kOk;
}

Outcome<std::vector<PolicySpec>> read_policies(const std::string& names,
                                               std::string_view given_by) {
  if (names.empty()) return std::vector<PolicySpec>{named_policies().back()};
  std::vector<PolicySpec> policies;
  std::size_t begin = 0;
  while (begin <= names.size()) {
    const std::size_t end = std::min(names.find(',', begin), names.size());
    const std::string name = names.substr(begin, end - begin);
    const bool is_file = name.ends_with(".yaml") || name.ends_with(".yml") || name == "-" ||
                         name.find('/') != std::string::npos;
    std::string text;
    if (is_file) {
      auto read = read_input(name);
      if (!read) return tl::unexpected(read.error());
      text = std::move(*read);
    }
    const auto policy = is_file ? codec::read_policy(text) : policy_by_name(name);
    if (!policy) {
      return give_up(kUsage, "{}: {}", is_file ? name : given_by, policy.error().message);
    }
    policies.push_back(*policy);
    begin = end + 1;
  }
  return policies;
}

Outcome<PolicySpec> read_policy(const std::string& name, std::string_view given_by) {
  auto policies = read_policies(name, given_by);
  if (!policies) return tl::unexpected(policies.error());
  if (policies->size() == 1) return std::move(policies->front());
  return give_up(kUsage, "{}: one policy decides; give one, found {}", given_by, policies->size());
}

void watch(sim::Surroundings& surroundings, ProgressBar& bar) {
  surroundings.wall_clock_s = wall_clock_s;
  surroundings.peak_rss_mib = peak_rss_mib;
  surroundings.progress = [&bar](const sim::Progress& progress) {
    const auto jobs = static_cast<double>(std::max<std::uint64_t>(progress.jobs, 1));
    bar.show(static_cast<double>(progress.jobs_done) / jobs,
             fmt::format("{} ({}/{})  {} of {} jobs{}", progress.policy, progress.policy_index + 1,
                         progress.policy_count, progress.jobs_done, progress.jobs,
                         progress.node_failures == 0
                             ? ""
                             : fmt::format(", {} failures of nodes", progress.node_failures)));
  };
}

Outcome<int> show(const Session& session, const sim::SimulationReport& report,
                  const std::string& folder) {
  return show_any(session, report, folder);
}

Outcome<int> show(const Session& session, const sim::Comparison& comparison,
                  const std::string& folder) {
  return show_any(session, comparison, folder);
}

}  // namespace gyre::cli
