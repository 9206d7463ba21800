#include "adapter/process/log_limiter.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "adapter/process/file_logs.h"
#include "adapter/process/folder.h"
#include "adapter/process/test_kit.h"

namespace gyre::process {
namespace {

constexpr std::uint64_t kMib = 1U << 20U;
constexpr std::size_t kLine = 10;

/// The line that a log of lines has at that number: every byte tells where it is.
std::string line(std::uint64_t number) { return fmt::format("{:09}\n", number); }

class LogLimiterTest : public testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGIO, SIG_IGN);  // a supervisor has it blocked
    std::filesystem::create_directories(path());
    folder_ = std::move(*open_folder(path()));
    constexpr int kFlags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    log_ = Fd(::openat(folder_.get(), kStdoutFile, kFlags, 0600));
    const Fd errors(::openat(folder_.get(), kStderrFile, kFlags, 0600));
  }

  std::string path() const { return folder_path_ / "tasks/1.1.0"; }

  void write_lines(std::uint64_t count) {
    std::string text;
    for (std::uint64_t i = 0; i < count; ++i) text += line(lines_++);
    ASSERT_TRUE(write_all(log_, text));
  }

  act::LogChunk read(std::uint64_t offset, std::size_t bytes = 65'536) const {
    act::LogQuery query;
    query.job = JobId{1};
    query.offset = offset;
    query.bytes_max = bytes;
    auto chunk = FileLogs(folder_path_ / "tasks").read(query);
    EXPECT_TRUE(chunk) << chunk.error().message;
    return chunk ? *chunk : act::LogChunk{};
  }

  static void expect_true_bytes(const act::LogChunk& chunk) {
    const std::uint64_t begin = chunk.next_offset - chunk.data.size();
    for (std::size_t i = 0; i < chunk.data.size(); ++i) {
      const std::uint64_t at = begin + i;
      ASSERT_EQ(chunk.data[i], line(at / kLine)[at % kLine]) << "at " << at;
    }
  }

  std::uint64_t bytes_on_disk() const {
    struct stat status {};
    ::stat((path() + "/" + kStdoutFile).c_str(), &status);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  }

  test::TemporaryFolder folder_path_;
  Fd folder_;
  Fd log_;
  std::uint64_t lines_ = 0;
};

TEST_F(LogLimiterTest, ALogWithinItsLimitIsKeptWhole) {
  LogLimiter limiter(folder_, MemoryMib{1});
  write_lines(kMib / kLine);
  limiter.finish();
  EXPECT_EQ(read_cut(folder_, kStdoutCutFile), LogCut{});
  const act::LogChunk chunk = read(1000);
  EXPECT_EQ(chunk.dropped, 0U);
  expect_true_bytes(chunk);
}

TEST_F(LogLimiterTest, TheBeginningAndTheNewestAreKeptInWholeLines) {
  LogLimiter limiter(folder_, MemoryMib{1});
  for (int i = 0; i < 10; ++i) {
    write_lines(kMib / kLine);
    limiter.finish();
    EXPECT_LE(bytes_on_disk(), kMib + 8192);
  }
  const LogCut cut = read_cut(folder_, kStdoutCutFile);
  EXPECT_EQ(cut.begin % kLine, 0U);
  EXPECT_EQ(cut.end % kLine, 0U);
  EXPECT_GE(cut.begin, kMib / 16);
  EXPECT_GE(lines_ * kLine - cut.end, kMib * 3 / 4);
  std::uint64_t dropped = 0;
  std::uint64_t kept = 0;
  for (std::uint64_t offset = 0; offset < lines_ * kLine;) {
    const act::LogChunk chunk = read(offset, 10'007);
    expect_true_bytes(chunk);
    EXPECT_EQ(chunk.next_offset, offset + chunk.dropped + chunk.data.size());
    ASSERT_GT(chunk.next_offset, offset);
    offset = chunk.next_offset;
    dropped += chunk.dropped;
    kept += chunk.data.size();
  }
  EXPECT_EQ(dropped, cut.end - cut.begin);
  EXPECT_EQ(dropped + kept, lines_ * kLine);
  const act::LogChunk inside = read(cut.begin + 123, 40);
  EXPECT_EQ(inside.dropped, cut.end - cut.begin - 123);
  expect_true_bytes(inside);
}

TEST_F(LogLimiterTest, OneLineWithoutAnEndIsCutAllTheSame) {
  LogLimiter limiter(folder_, MemoryMib{1});
  ASSERT_TRUE(write_all(log_, std::string(8 * kMib, 'x')));
  limiter.finish();
  EXPECT_LE(bytes_on_disk(), kMib + 8192);
}

TEST_F(LogLimiterTest, AReaderBesideItNeverTakesZerosForWhatWasWritten) {
  std::atomic<bool> over = false;
  std::thread writer([&] {
    LogLimiter limiter(folder_, MemoryMib{1});
    Time now;
    for (int i = 0; i < 400; ++i) {
      write_lines(20'000);
      now = now + seconds(1);
      limiter.wake(now);
      limiter.look(now + seconds(1));
    }
    over = true;
  });
  std::uint64_t offset = 0;
  for (bool last = false; !last;) {
    last = over;
    const act::LogChunk chunk = read(offset);
    expect_true_bytes(chunk);
    offset = chunk.next_offset;
    last = last && offset == chunk.size;
  }
  writer.join();
  EXPECT_EQ(offset, lines_ * kLine);
  EXPECT_GT(read_cut(folder_, kStdoutCutFile).end, 0U);
}

}  // namespace
}  // namespace gyre::process
