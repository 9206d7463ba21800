#include "live/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace gyre::live {
namespace {

struct FilesTest : ::testing::Test {
  FilesTest() { std::filesystem::create_directory(folder); }
  ~FilesTest() override { std::filesystem::remove_all(folder); }

  const std::string folder = ::testing::TempDir() + "gyre-files-" + std::to_string(::getpid());
  const std::string path = folder + "/file";
};

TEST_F(FilesTest, AreForTheirOwnerAlone) {
  std::ofstream(path) << "a longer one";
  std::filesystem::permissions(path, std::filesystem::perms::all);
  ASSERT_TRUE(write_private_file(path, "short"));
  EXPECT_EQ(read_private_file(path), "short");
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(FilesTest, AreForOthersTooWhereTheUmaskLets) {
  const mode_t before = ::umask(022);
  const auto written = write_file(path, "text");
  ::umask(before);
  ASSERT_TRUE(written);
  EXPECT_EQ(read_private_file(path), "text");
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0644U);
}

TEST_F(FilesTest, StayAsTheyAreWhereWritingFails) {
  std::filesystem::create_directory(path);
  const auto written = write_private_file(path, "text");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::Internal);
  EXPECT_TRUE(std::filesystem::is_directory(path));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);  // no draft
}

TEST_F(FilesTest, ThatCannotBeReadAreTold) {
  EXPECT_EQ(read_private_file(path).error().kind, ErrorKind::NotFound);
  std::ofstream(path).seekp(16 << 20).write("xx", 2);
  EXPECT_EQ(read_private_file(path).error().kind, ErrorKind::Invalid);
}

}  // namespace
}  // namespace gyre::live
