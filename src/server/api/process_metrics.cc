#include "server/api/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace gyre::server {
namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::optional<double> resident_bytes() {
  std::ifstream in("/proc/self/statm");
  double all_pages = 0;
  double resident_pages = 0;
  if (!(in >> all_pages >> resident_pages)) return std::nullopt;
  return resident_pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

std::optional<double> open_files() {
  std::error_code error;
  double count = -1;  // the listing's own
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       entry != end && !error; entry.increment(error)) {
    ++count;
  }
  return error ? std::nullopt : std::optional(count);
}

/// proc(5): field 22, in ticks since the boot; the name before it may hold anything.
std::optional<double> began_at() {
  std::ifstream in("/proc/self/stat");
  std::string line;
  std::getline(in, line);
  std::size_t at = line.rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = line.find(' ', at + 1);
  timespec real{};
  timespec boot{};
  if (at == std::string::npos || ::clock_gettime(CLOCK_REALTIME, &real) != 0 ||
      ::clock_gettime(CLOCK_BOOTTIME, &boot) != 0) {
    return std::nullopt;
  }
  const double ticks = std::strtod(line.c_str() + at, nullptr);
  const double since = static_cast<double>(real.tv_sec - boot.tv_sec) +
                       static_cast<double>(real.tv_nsec - boot.tv_nsec) / 1e9;
  return since + ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

void write(MetricsText& out, std::string_view name, std::string_view type, std::string_view help,
           std::optional<double> value) {
  if (!value) return;
  out.family(name, type, help);
  out.sample({}, *value);
}

}  // namespace

void write_process(MetricsText& out) {
  rusage used{};
  const bool known = ::getrusage(RUSAGE_SELF, &used) == 0;
  write(
      out, "process_cpu_seconds_total", "counter", "CPU time of this process.",
      known ? std::optional(seconds_of(used.ru_utime) + seconds_of(used.ru_stime)) : std::nullopt);
  write(out, "process_resident_memory_bytes", "gauge", "Memory of this process that is in RAM.",
        resident_bytes());
  write(out, "process_open_fds", "gauge", "Files that this process has open.", open_files());
  write(out, "process_start_time_seconds", "gauge",
        "When this process began, since the Unix epoch.", began_at());
}

}  // namespace gyre::server
