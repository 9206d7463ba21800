#include "adapter/process/artifacts/collect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>
#include <fstream>

#include "adapter/process/artifacts/file_artifacts.h"
#include "adapter/process/test_kit.h"

namespace gyre::process {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

act::ArtifactQuery of_job(std::string path = "", std::uint64_t offset = 0) {
  act::ArtifactQuery query;
  query.job = JobId{7};
  query.path = std::move(path);
  query.offset = offset;
  query.bytes_max = 4;
  return query;
}

/// A task's folder "7.1.0" and its working directory.
class ArtifactsTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "work");
    fs::create_directories(folder_ / "tasks/7.1.0");
  }
  void put(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(folder_ / ("work/" + path)).parent_path());
    std::ofstream(folder_ / ("work/" + path)) << text;
  }
  act::ArtifactList collect(const std::vector<std::string>& paths,
                            const ArtifactLimits& limits = {}) const {
    const auto to = open_folder(folder_ / "tasks/7.1.0");
    ArtifactSource source;
    source.folder = folder_ / "work";
    const auto done = collect_artifacts(*to, paths, source, limits);
    EXPECT_TRUE(done) << done.error().message;
    const auto list = kept_.list(of_job());
    return list ? *list : act::ArtifactList{};
  }
  std::string why_left(const act::ArtifactList& list, const std::string& path) const {
    for (const act::LeftOut& one : list.left_out) {
      if (one.path == path) return one.why;
    }
    return "it is not";
  }

  test::TemporaryFolder folder_;
  FileArtifacts kept_{folder_ / "tasks"};
};

TEST_F(ArtifactsTest, FilesAndFoldersAreKeptOnce) {
  put("out/a", "one");
  put("out/deep/b", "three");
  put("other", "x");
  const auto list = collect({"out/", "./out/a", "out"});
  EXPECT_THAT(list.files, ElementsAre(act::Artifact{"out/a", 3}, act::Artifact{"out/deep/b", 5}));
  EXPECT_THAT(list.left_out, IsEmpty());
  EXPECT_EQ(list.attempt, 1);
  EXPECT_EQ(kept_.read(of_job("out/deep/b", 2)).value().data, "ree");
  EXPECT_EQ(kept_.read(of_job("out/deep/b")).value().data, "thre") << "as much as is asked for";
  EXPECT_EQ(kept_.read(of_job("out/deep/b")).value().size, 5U);
}

TEST_F(ArtifactsTest, NothingElseIsRead) {
  put("out/a", "one");
  collect({"out"});
  for (const char* path :
       {"other", "../../work/out/a", "out", "out/../out/a", "/etc/passwd", "a/"}) {
    EXPECT_EQ(kept_.read(of_job(path)).error().kind, ErrorKind::NotFound) << path;
  }
  EXPECT_EQ(kept_.read(of_job("out/a", 4)).error().kind, ErrorKind::Invalid);
  act::ArtifactQuery other = of_job();
  other.rank = 1;
  EXPECT_THAT(kept_.list(other).error().message, HasSubstr("job 7 has no artifacts of task 1"));
}

TEST_F(ArtifactsTest, LinksAndDevicesAreLeftOut) {
  put("out/fine", "x");
  fs::create_symlink("/etc/passwd", folder_ / "work/out/link");
  fs::create_directory_symlink("/etc", folder_ / "work/out/folder");
  fs::create_directory_symlink(folder_ / "work/out", folder_ / "work/way");
  ASSERT_EQ(::mkfifo((folder_ / "work/out/pipe").c_str(), 0600), 0);
  const auto list = collect({"out", "way/fine", "none", "out/link"});
  EXPECT_THAT(list.files, ElementsAre(act::Artifact{"out/fine", 1}));
  EXPECT_EQ(why_left(list, "out/link"), "it is a symbolic link");
  EXPECT_EQ(why_left(list, "out/folder"), "it is a symbolic link");
  EXPECT_THAT(why_left(list, "out/pipe"), HasSubstr("a device, a socket or a pipe"));
  EXPECT_EQ(why_left(list, "way/fine"), "a symbolic link is on the way to it");
  EXPECT_EQ(why_left(list, "none"), "there was no such file");
}

TEST_F(ArtifactsTest, LimitsAreKept) {
  for (int i = 0; i < 5; ++i) put("out/" + std::to_string(i), "12345");
  EXPECT_EQ(collect({"out"}, {.files_max = 3}).files.size(), 3U);
}

TEST_F(ArtifactsTest, TheSizeOfAllIsLimited) {
  for (int i = 0; i < 5; ++i) put("out/" + std::to_string(i), "12345");
  const auto list = collect({"out"}, {.bytes_max = 12});
  EXPECT_EQ(list.files.size(), 2U);
  EXPECT_EQ(list.left_out.size(), 3U);
}

TEST_F(ArtifactsTest, FoldersThatAreTooDeepAreLeftOut) {
  put("a/b/c/d", "x");
  put("a/e", "x");
  const auto list = collect({"a"}, {.depth_max = 1});
  EXPECT_THAT(list.files, ElementsAre(act::Artifact{"a/e", 1}));
  EXPECT_EQ(why_left(list, "a/b"), "it lies too deep");
}

TEST_F(ArtifactsTest, NamesThatNoTerminalShouldSeeAreLeftOut) {
  put("out/a\nb", "x");
  put("out/\x1b[31m", "x");
  const auto list = collect({"out"});
  EXPECT_THAT(list.files, IsEmpty());
  EXPECT_THAT(why_left(list, "out/a?b"), HasSubstr("no plain text"));
  EXPECT_THAT(why_left(list, "out/?[31m"), HasSubstr("no plain text"));
}

TEST_F(ArtifactsTest, WhatIsLeftOutIsSaidToALimit) {
  for (int i = 0; i < 300; ++i) fs::create_symlink("x", folder_ / fmt::format("work/{}", i));
  const auto list = collect({"."});
  ASSERT_EQ(list.left_out.size(), act::kArtifactsLeftOutMax + 1);
  EXPECT_EQ(list.left_out.back().why, "and more");
}

TEST_F(ArtifactsTest, ADamagedListIsNoCrash) {
  std::ofstream(folder_ / "tasks/7.1.0/artifacts.list") << std::string("file\0nonsense\0why", 17);
  static_cast<void>(kept_.list(of_job()));
}

RC_GTEST_FIXTURE_PROP(ArtifactsTest, WhatIsKeptIsWhatThereWas, ()) {
  const auto sizes = *rc::gen::resize(
      20, rc::gen::container<std::vector<std::uint16_t>>(rc::gen::arbitrary<std::uint16_t>()));
  std::vector<act::Artifact> wanted;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::string path = fmt::format("out/{}/{:02}", i % 3, i);
    put(path, std::string(sizes[i], 'x'));
    wanted.push_back({path, sizes[i]});
  }
  std::sort(wanted.begin(), wanted.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  fs::create_directories(folder_ / "work/out");
  RC_ASSERT(collect({"out"}).files == wanted);
}

TEST_F(ArtifactsTest, TwoFilesOfOneNameAreNotMixedUp) {
  const std::string name = fs::path(folder_ / "clash").relative_path();
  std::ofstream(folder_ / "clash") << "one";
  put(name, "other");
  const auto list = collect({"/" + name, name, "/" + name});
  ASSERT_EQ(list.files.size(), 1U);
  EXPECT_EQ(list.files[0], (act::Artifact{name, 3}));
  ASSERT_EQ(list.left_out.size(), 1U);
  EXPECT_EQ(why_left(list, name), "another file is kept under that name");
}

}  // namespace
}  // namespace gyre::process
