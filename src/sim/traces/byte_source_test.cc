#include "sim/traces/byte_source.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

namespace gyre::sim {
namespace {

using ::testing::HasSubstr;

class ByteSourceTest : public ::testing::Test {
 protected:
  ByteSourceTest()
      : folder_(std::filesystem::path(::testing::TempDir()) /
                fmt::format("gyre-byte-source-{}", ::getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~ByteSourceTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string plain(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  std::string packed(const std::string& name, const std::string& text) const {
    gzFile file = gzopen(path(name).c_str(), "wb");
    gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
    return path(name);
  }
  static Result<std::string> content(const std::string& path) {
    auto source = open_source(path);
    if (!source) return tl::unexpected(source.error());
    return read_all(**source, 1 << 24);
  }

 private:
  std::filesystem::path folder_;
};

std::string long_text() {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += std::to_string(i) + '\n';
  return text;
}

TEST_F(ByteSourceTest, ReadsPlainAndPackedFilesAlike) {
  const std::string text = long_text();
  EXPECT_EQ(content(plain("a.csv", text)), text);
  EXPECT_EQ(content(packed("a.csv.gz", text)), text);
  EXPECT_EQ(content(packed("named-otherwise.csv", text)), text) << "the magic number decides";
  EXPECT_EQ(content(plain("empty", "")), "");
}

TEST_F(ByteSourceTest, SaysWhatIsWrongWithAFile) {
  const auto missing = content(path("missing.csv"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::NotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("missing.csv': No such file"));
  const auto folder = content(path(""));
  ASSERT_FALSE(folder);
  EXPECT_THAT(folder.error().message, HasSubstr("directory"));
}

TEST_F(ByteSourceTest, RefusesDamagedGzipData) {
  const std::string whole = packed("whole.gz", long_text());
  std::ifstream in(whole, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  const auto cut_off = content(plain("cut.gz", bytes.substr(0, bytes.size() / 2)));
  ASSERT_FALSE(cut_off);
  EXPECT_THAT(cut_off.error().message, HasSubstr("damaged or cut off"));
  bytes[bytes.size() / 2] = static_cast<char>(~bytes[bytes.size() / 2]);
  const auto damaged = content(plain("damaged.gz", bytes));
  ASSERT_FALSE(damaged);
  EXPECT_THAT(damaged.error().message, HasSubstr("damaged or cut off"));
}

TEST_F(ByteSourceTest, ReadsNoMoreThanAsked) {
  auto source = text_source(long_text());
  const auto all = read_all(*source, 1 << 16);
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().kind, ErrorKind::Invalid);
}

TEST(DisplayName, IsTheLastPart) {
  EXPECT_EQ(display_name("a/b/c.csv"), "c.csv");
  EXPECT_EQ(display_name("c.csv"), "c.csv");
  EXPECT_EQ(display_name("-"), "standard input");
}

}  // namespace
}  // namespace gyre::sim
