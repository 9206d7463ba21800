#include "adapter/nvml/mig_records.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <system_error>
#include <utility>

namespace gyre::nvml {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".mig";
constexpr std::size_t kBytesMax = 64UL * 1024;

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

/// Whole and on the disk, or not at all.
bool write_durably(const std::string& folder, const std::string& name, const std::string& text) {
  const std::string fresh = folder + "/" + name + ".new";
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const bool kept = written && ::fsync(file) == 0;
  ::close(file);
  if (!kept || std::rename(fresh.c_str(), (folder + "/" + name).c_str()) != 0) return false;
  const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool settled = directory >= 0 && ::fsync(directory) == 0;
  ::close(directory);
  return settled;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kBytesMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
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
    auto record = parse_mig_record(read_file(entry.path()));
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
  if (error || !write_durably(folder_, record.task + std::string(kSuffix), to_text(record))) {
    return fail(ErrorKind::Internal, "cannot write {}/{}{}: {}", folder_, record.task, kSuffix,
                std::generic_category().message(error ? error.value() : errno));
  }
  all_[record.task] = record;
  return {};
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
