#include "adapter/nvml/mig_records.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "live/files.h"

namespace gyre::nvml {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".mig";

bool read_numbers(std::istringstream& line, std::vector<unsigned>& numbers) {
  for (std::string word; line >> word;) {
    const bool digits =
        std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || word.size() > 9) return false;
    numbers.push_back(static_cast<unsigned>(std::stoul(word)));
  }
  return true;
}

bool read_word(std::istringstream& line, std::string& word) {
  std::string more;
  return static_cast<bool>(line >> word) && !(line >> more);
}

bool read_line(const std::string& text, MigRecord& record) {
  std::istringstream line(text);
  std::string name;
  line >> name;
  std::vector<unsigned> numbers;
  if (name == "task") return read_word(line, record.task);
  if (name == "boot") return read_word(line, record.boot);
  if (name == "device") return read_word(line, record.device);
  if (!read_numbers(line, numbers)) return false;
  if (name == "before") {
    record.before = std::move(numbers);
    return true;
  }
  if (name == "profile" && numbers.size() == 1) {
    record.profile = numbers[0];
    return true;
  }
  if (name != "made" || numbers.size() != 3) return false;
  record.made = GpuInstance{numbers[0], record.profile, numbers[1], numbers[2], false};
  return true;
}

}  // namespace

std::string to_text(const MigRecord& record) {
  std::string text = fmt::format("task {}\nboot {}\ndevice {}\nprofile {}\nbefore", record.task,
                                 record.boot, record.device, record.profile);
  for (const unsigned id : record.before) text += fmt::format(" {}", id);
  if (record.made) {
    text += fmt::format("\nmade {} {} {}", record.made->id, record.made->start, record.made->size);
  }
  return text + "\nend\n";
}

Result<MigRecord> parse_mig_record(std::string_view text) {
  MigRecord record;
  std::istringstream lines{std::string(text)};
  int number = 1;
  for (std::string line; std::getline(lines, line); ++number) {
    if (line == "end") {
      const bool whole = !record.task.empty() && !record.boot.empty() && !record.device.empty();
      if (whole) return record;
      return fail(ErrorKind::Invalid, "task, boot or device is missing");
    }
    if (!read_line(line, record)) return fail(ErrorKind::Invalid, "line {} is wrong", number);
  }
  return fail(ErrorKind::Invalid, "its end is missing");
}

bool is_of(const MigRecord& record, const GpuInstance& instance) {
  if (record.profile != instance.profile) return false;
  if (record.made) {
    return record.made->id == instance.id && record.made->start == instance.start &&
           record.made->size == instance.size;
  }
  const auto& before = record.before;
  return !instance.computes && std::find(before.begin(), before.end(), instance.id) == before.end();
}

MigRecords::MigRecords(std::string folder) : folder_(std::move(folder)) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename();
    if (!name.ends_with(kSuffix)) continue;
    const auto text = live::read_private_file(entry.path());
    auto record = text ? parse_mig_record(*text) : Result<MigRecord>(tl::unexpected(text.error()));
    if (record && record->task + std::string(kSuffix) == name) {
      std::string task = record->task;
      all_.emplace(std::move(task), std::move(*record));
    } else {
      damaged_.push_back(entry.path());
    }
  }
  std::sort(damaged_.begin(), damaged_.end());
}

Result<void> MigRecords::put(const MigRecord& record) {
  std::error_code error;
  fs::create_directories(folder_, error);
  auto kept =
      live::write_private_file(folder_ + "/" + record.task + std::string(kSuffix), to_text(record));
  if (kept) all_[record.task] = record;
  return kept;
}

void MigRecords::remove(const std::string& task) {
  std::error_code error;
  fs::remove(folder_ + "/" + task + std::string(kSuffix), error);
  all_.erase(task);
}

bool MigRecords::owns(const std::string& device, const GpuInstance& instance,
                      const std::string& except) const {
  const std::string boot = this_boot();
  return std::any_of(all_.begin(), all_.end(), [&](const auto& entry) {
    const MigRecord& record = entry.second;
    return record.task != except && record.boot == boot && record.device == device &&
           is_of(record, instance);
  });
}

std::string this_boot() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  file >> boot;
  return boot.empty() ? "unknown" : boot;
}

}  // namespace gyre::nvml
