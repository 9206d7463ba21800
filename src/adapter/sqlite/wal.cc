#include "adapter/sqlite/wal.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <vector>

namespace gyre::adapter::sqlite {
namespace {

constexpr std::size_t kHeadSize = 32;
constexpr std::size_t kFrameHeadSize = 24;
constexpr std::uint32_t kMagic = 0x377f0682;  // the last bit: checksums read words big-endian
constexpr std::uint32_t kPageMin = 512;
constexpr std::uint32_t kPageMax = 65'536;

using Bytes = std::span<const unsigned char>;

std::uint32_t big_endian(Bytes bytes, std::size_t at) {
  return std::uint32_t{bytes[at]} << 24U | std::uint32_t{bytes[at + 1]} << 16U |
         std::uint32_t{bytes[at + 2]} << 8U | std::uint32_t{bytes[at + 3]};
}

std::uint32_t little_endian(Bytes bytes, std::size_t at) {
  return std::uint32_t{bytes[at + 3]} << 24U | std::uint32_t{bytes[at + 2]} << 16U |
         std::uint32_t{bytes[at + 1]} << 8U | std::uint32_t{bytes[at]};
}

struct Sum {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  bool operator==(const Sum&) const = default;
};

Sum sum_at(Bytes bytes, std::size_t at) {
  return {big_endian(bytes, at), big_endian(bytes, at + 4)};
}

/// Requires: a multiple of 8 bytes.
Sum add(Sum sum, Bytes bytes, bool big) {
  const auto word = [&](std::size_t at) {
    return big ? big_endian(bytes, at) : little_endian(bytes, at);
  };
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    sum.first += word(at) + sum.second;
    sum.second += word(at + 4) + sum.first;
  }
  return sum;
}

struct Head {
  std::uint32_t page_size = 0;
  std::uint64_t salt = 0;
  Sum sum;       // as it says
  Sum computed;  // as it should be
  bool big = false;

  bool whole() const { return sum == computed; }
};

/// None where it cannot be one.
std::optional<Head> read_head(Bytes bytes) {
  Head head;
  head.big = (bytes[3] & 1U) != 0;
  head.page_size = big_endian(bytes, 8);
  head.salt = std::uint64_t{big_endian(bytes, 16)} << 32U | big_endian(bytes, 20);
  head.sum = sum_at(bytes, 24);
  head.computed = add({}, bytes.first(24), head.big);
  const bool sized = head.page_size >= kPageMin && head.page_size <= kPageMax &&
                     (head.page_size & (head.page_size - 1)) == 0;
  if (!sized || (big_endian(bytes, 0) & ~1U) != kMagic) return std::nullopt;
  return head;
}

struct Frame {
  bool commits = false;  // the last of a commit
  std::uint64_t salt = 0;
  Sum sum;
};

/// Walks the frames of one log.
class Walk {
 public:
  Walk(std::ifstream& file, const Head& head)
      : file_(file), head_(head), bytes_(kFrameHeadSize + head.page_size) {}

  /// False at the end; part of a frame is no frame.
  bool next() {
    file_.read(reinterpret_cast<char*>(bytes_.data()), static_cast<std::streamsize>(bytes_.size()));
    if (!file_) return false;
    frame_.commits = big_endian(bytes_, 4) != 0;
    frame_.salt = std::uint64_t{big_endian(bytes_, 8)} << 32U | big_endian(bytes_, 12);
    frame_.sum = sum_at(bytes_, 16);
    return true;
  }
  /// Whether its checksum goes on from `seed`.
  bool follows(Sum seed) const {
    const Bytes all(bytes_);
    seed = add(seed, all.first(8), head_.big);
    return add(seed, all.subspan(kFrameHeadSize), head_.big) == frame_.sum;
  }
  bool is_current() const { return frame_.salt == head_.salt; }
  bool commits() const { return frame_.commits; }
  Sum sum() const { return frame_.sum; }

 private:
  std::ifstream& file_;
  const Head& head_;
  std::vector<unsigned char> bytes_;
  Frame frame_;
};

tl::unexpected<Error> damaged(const std::string& path, std::string_view how) {
  return fail(ErrorKind::Invalid, "journal's write-ahead log '{}': {}", path, how);
}

/// A log that a power cut left with half a head has frames of the round before alone, which are in
/// the database already.
Result<WalReport> behind_a_damaged_head(Walk& walk, const Head& head, const std::string& path) {
  for (bool first = true; walk.next(); first = false) {
    const bool begins = first && (walk.follows(head.sum) || walk.follows(head.computed));
    if (begins || walk.is_current()) {
      return damaged(path, "its head is damaged, and there are commits behind it");
    }
  }
  return WalReport{};
}

}  // namespace

Result<WalReport> examine_wal(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error || size < kHeadSize) return WalReport{};
  std::ifstream file(path, std::ios::binary);
  std::array<unsigned char, kHeadSize> start{};
  file.read(reinterpret_cast<char*>(start.data()), start.size());
  if (!file) {
    return fail(ErrorKind::Internal, "cannot read '{}': {}", path, std::strerror(errno));
  }
  const auto head = read_head(start);
  if (!head) {
    // Never written, or one of those fields is damaged; what it was cannot be told.
    const bool empty = std::all_of(start.begin(), start.end(), [](auto byte) { return byte == 0; });
    if (empty) return WalReport{};
    return damaged(path, "its head is damaged");
  }
  Walk walk(file, *head);
  if (!head->whole()) return behind_a_damaged_head(walk, *head, path);
  WalReport report;
  Sum sum = head->sum;
  std::uint32_t read = 0;
  std::uint32_t current = 0;
  bool good = true;
  while (walk.next()) {
    ++read;
    const bool follows = good && walk.follows(sum);
    if (walk.is_current() || follows) current = read;
    good = follows && walk.is_current();
    if (good) {
      sum = walk.sum();
      if (!walk.commits()) continue;
      ++report.commits;
      report.frames = read;
    } else if (walk.commits() && (walk.is_current() || follows)) {
      ++report.commits_torn;
    }
  }
  report.torn = current - report.frames;
  return report;
}

}  // namespace gyre::adapter::sqlite
