#include "adapter/oci/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace gyre::oci {
namespace {

namespace fs = std::filesystem;

/// One entry of an archive that a test makes up.
struct Member {
  std::string name;
  mode_t type = AE_IFREG;
  std::string content;  // of a file; else where a link leads
  bool hard = false;
};

class Unpack : public testing::Test {
 protected:
  Unpack() {
    std::string name = (fs::temp_directory_path() / "gyre-unpack-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    base_ = name;
    fs::create_directory(base_ / "layer");
    std::ofstream(base_ / "outside") << "untouched";
  }
  ~Unpack() override { fs::remove_all(base_); }

  void write(const std::vector<Member>& members, bool packed = false) {
    ::archive* out = ::archive_write_new();
    if (packed) ::archive_write_add_filter_gzip(out);
    ::archive_write_set_format_pax_restricted(out);
    ::archive_write_open_filename(out, (base_ / "blob").c_str());
    for (const Member& member : members) {
      archive_entry* entry = ::archive_entry_new();
      ::archive_entry_set_pathname(entry, member.name.c_str());
      ::archive_entry_set_filetype(entry, member.type);
      ::archive_entry_set_perm(entry, 0755);
      ::archive_entry_set_uid(entry, ::getuid());
      ::archive_entry_set_gid(entry, ::getgid());
      const bool has_data = member.type == AE_IFREG && !member.hard;
      ::archive_entry_set_size(entry,
                               has_data ? static_cast<la_int64_t>(member.content.size()) : 0);
      if (member.hard) ::archive_entry_set_hardlink(entry, member.content.c_str());
      if (member.type == AE_IFLNK) ::archive_entry_set_symlink(entry, member.content.c_str());
      ::archive_write_header(out, entry);
      if (has_data) ::archive_write_data(out, member.content.data(), member.content.size());
      ::archive_entry_free(entry);
    }
    ::archive_write_close(out);
    ::archive_write_free(out);
  }

  Result<void> unpack(const UnpackLimits& limits = {}) {
    return unpack_layer((base_ / "blob").string(), (base_ / "layer").string(), limits,
                        [] { return false; });
  }
  std::string refusal(const std::vector<Member>& members, const UnpackLimits& limits = {}) {
    fs::remove_all(base_ / "layer");
    fs::create_directory(base_ / "layer");
    write(members);
    const auto done = unpack(limits);
    return done ? "taken" : done.error().message;
  }
  std::string content(const std::string& name) const {
    std::ifstream file(base_ / name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  fs::path base_;
};

using testing::Test;

TEST_F(Unpack, FilesFoldersAndLinks) {
  write({{"./a", AE_IFDIR, "", false},
         {"a/b/c", AE_IFREG, "deep", false},
         {"a/d", AE_IFLNK, "/etc/passwd", false},
         {"e", AE_IFREG, "a/b/c", true}},
        true);
  ASSERT_TRUE(unpack());
  EXPECT_EQ(content("layer/a/b/c"), "deep");
  EXPECT_EQ(content("layer/e"), "deep");
  EXPECT_EQ(fs::read_symlink(base_ / "layer/a/d"), "/etc/passwd");
}

TEST_F(Unpack, NamesThatLeadOutAreRefused) {
  EXPECT_NE(refusal({{"../x", AE_IFREG, "", false}}).find("leads out"), std::string::npos);
  EXPECT_NE(refusal({{"a/../../x", AE_IFREG, "", false}}).find("leads out"), std::string::npos);
  EXPECT_NE(refusal({{"/x", AE_IFREG, "", false}}).find("absolute name"), std::string::npos);
  EXPECT_NE(refusal({{"x", AE_IFREG, "../outside", true}}).find("hard link"), std::string::npos);
  EXPECT_NE(refusal({{"x", AE_IFREG, "/etc/passwd", true}}).find("hard link"), std::string::npos);
  EXPECT_NE(refusal({{"x", AE_IFREG, "none", true}}).find("no file of its layer"),
            std::string::npos);
}

TEST_F(Unpack, LinksAreNotFollowedOut) {
  // "l" leads, for a container, to its own root; the file goes there, and not to the node's.
  EXPECT_EQ(refusal({{"l", AE_IFLNK, "../..", false}, {"l/outside", AE_IFREG, "evil", false}}),
            "taken");
  EXPECT_EQ(content("outside"), "untouched");
  EXPECT_EQ(content("layer/outside"), "evil");
  EXPECT_EQ(refusal({{"l", AE_IFLNK, "../outside", false}, {"l", AE_IFREG, "evil", false}}),
            "taken");
  EXPECT_EQ(content("outside"), "untouched");
  EXPECT_NE(refusal({{"l", AE_IFLNK, (base_ / "outside").string(), false},
                     {"h", AE_IFREG, "l", true},
                     {"h/x", AE_IFREG, "evil", false}}),
            "taken");
  EXPECT_EQ(content("outside"), "untouched");
}

TEST_F(Unpack, DeviceNodesAreRefused) {
  EXPECT_NE(refusal({{"d", AE_IFCHR, "", false}}).find("device node"), std::string::npos);
  EXPECT_NE(refusal({{"d", AE_IFBLK, "", false}}).find("device node"), std::string::npos);
}

TEST_F(Unpack, LimitsHold) {
  EXPECT_NE(refusal({{"a", AE_IFREG, std::string(2000, 'x'), false}}, {.bytes_max = 1000})
                .find("beyond 1000 bytes"),
            std::string::npos);
  EXPECT_NE(refusal({{"a", AE_IFREG, "", false}, {"b", AE_IFREG, "", false}}, {.entries_max = 1})
                .find("more than 1 entries"),
            std::string::npos);
  EXPECT_NE(refusal({{std::string(300, 'n'), AE_IFREG, "", false}}, {.path_bytes_max = 255})
                .find("too long"),
            std::string::npos);
}

TEST_F(Unpack, ABombIsDefused) {
  write({{"zeros", AE_IFREG, std::string(300U << 20U, '\0'), false}}, true);
  const auto done = unpack();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("bomb"), std::string::npos) << done.error().message;
}

TEST_F(Unpack, WhatIsNoArchiveSaysSo) {
  std::ofstream(base_ / "blob") << "not a tar archive at all";
  EXPECT_FALSE(unpack());
  write({{"a", AE_IFREG, std::string(100'000, 'x'), false}}, true);
  fs::resize_file(base_ / "blob", fs::file_size(base_ / "blob") / 2);
  EXPECT_FALSE(unpack());
}

TEST_F(Unpack, Whiteouts) {
  if (::geteuid() != 0) GTEST_SKIP() << "overlayfs's marks need root";
  write({{"a/.wh.gone", AE_IFREG, "", false}, {"b/.wh..wh..opq", AE_IFREG, "", false}});
  ASSERT_TRUE(unpack());
  struct stat status {};
  ASSERT_EQ(::lstat((base_ / "layer/a/gone").c_str(), &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode) && status.st_rdev == 0);
  EXPECT_NE(refusal({{".wh..", AE_IFREG, "", false}}).find("hides nothing"), std::string::npos);
}

}  // namespace
}  // namespace gyre::oci
