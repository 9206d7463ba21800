#include "adapter/process/log_limiter.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "adapter/process/folder.h"

namespace gyre::process {
namespace {

constexpr Duration kLook = milliseconds(100);
constexpr Duration kLookUntold = seconds(1);  // where the kernel does not tell of writes
constexpr std::uint64_t kHeadPart = 16;
constexpr std::uint64_t kSlackPart = 8;  // is cut beyond need, so that it is not cut at each look
constexpr std::size_t kLineMax = 4096;   // a longer one is cut through
constexpr std::uint64_t kBeyond = std::uint64_t{1} << 40U;

std::uint64_t number_of(const Records& records, std::string_view name) {
  const std::string_view text = value_of(records, name);
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

bool punch(const Fd& file, std::uint64_t begin, std::uint64_t size) {
  return ::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     static_cast<off_t>(begin), static_cast<off_t>(size)) == 0;
}

/// Where the first line begins that begins after `at`, if that is near.
std::uint64_t next_line(const Fd& file, std::uint64_t at) {
  std::array<char, kLineMax> bytes{};
  const ssize_t n = ::pread(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
  const std::string_view text(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(0, n)));
  const std::size_t end = text.find('\n');
  return end == std::string_view::npos ? at : at + end + 1;
}

}  // namespace

LogCut read_cut(const Fd& folder, const char* name) {
  const auto text = read_file(folder, name);
  const auto records = text && *text ? decode(**text) : Result<Records>(Records{});
  if (!records) return {};
  return {number_of(*records, "begin"), number_of(*records, "end")};
}

LogLimiter::LogLimiter(const Fd& folder, MemoryMib max)
    : folder_(folder),
      max_(static_cast<std::uint64_t>(max.value) << 20U),
      logs_{{{Fd(::openat(folder.get(), kStdoutFile, O_RDWR | O_CLOEXEC | O_NOFOLLOW)),
              kStdoutCutFile,
              {}},
             {Fd(::openat(folder.get(), kStderrFile, O_RDWR | O_CLOEXEC | O_NOFOLLOW)),
              kStderrCutFile,
              {}}}} {
  // Beyond its end nothing is cut out of it; it is only asked whether that can be.
  can_cut_ = max_ > 0 && logs_[0].file && logs_[1].file && punch(logs_[0].file, kBeyond, 1);
  if (can_cut_) wake({});
}

/// Whether one of them has been written to since the last time.
bool LogLimiter::measure() {
  bool changed = false;
  for (Log& log : logs_) {
    struct stat status {};
    if (::fstat(log.file.get(), &status) != 0) continue;
    const auto size = static_cast<std::uint64_t>(status.st_size);
    changed = changed || size != log.size;
    log.size = size;
  }
  return changed;
}

void LogLimiter::trim(Log& log) const {
  if (log.size - (log.cut.end - log.cut.begin) <= max_ || log.size < log.cut.end) return;
  LogCut cut = log.cut;
  if (cut.end == 0) cut.begin = next_line(log.file, max_ / kHeadPart);
  cut.end = next_line(log.file, log.size - (max_ - max_ / kHeadPart - max_ / kSlackPart));
  // First it is said: nobody may take zeros for what was written.
  const std::string text =
      encode(Records{{"begin", std::to_string(cut.begin)}, {"end", std::to_string(cut.end)}});
  if (!replace_file(folder_, log.cut_file, text, Sync::No)) return;
  log.cut = cut;
  static_cast<void>(punch(log.file, cut.begin, cut.end - cut.begin));
}

void LogLimiter::wake(Time now) {
  if (can_cut_ && !next_) next_ = now + kLook;
}

void LogLimiter::look(Time now) {
  if (!next_ || now < *next_) return;
  if (measure()) {
    for (Log& log : logs_) trim(log);
    next_ = now + kLook;
    return;
  }
  next_.reset();
  if (::fcntl(folder_.get(), F_NOTIFY, DN_MODIFY) != 0) {
    next_ = now + kLookUntold;
  } else if (measure()) {  // since the last look
    wake(now);
  }
}

void LogLimiter::finish() {
  if (!can_cut_) return;
  measure();
  for (Log& log : logs_) trim(log);
}

}  // namespace gyre::process
