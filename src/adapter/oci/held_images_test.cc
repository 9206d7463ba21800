#include "adapter/oci/held_images.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "adapter/oci/digest.h"
#include "adapter/oci/layer_cache.h"

namespace gyre::oci {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string kDigest = "sha256:" + std::string(64, 'a');

/// A layer with one empty folder in it, as `tar` writes it.
std::string empty_layer() {
  std::string header(512, '\0');
  header.replace(0, 2, "d/");
  header.replace(100, 8, std::string("0000755\0", 8));
  header.replace(108, 8, std::string("0000000\0", 8));
  header.replace(116, 8, std::string("0000000\0", 8));
  header.replace(124, 12, std::string("00000000000\0", 12));
  header.replace(136, 12, std::string("00000000000\0", 12));
  header[156] = '5';
  header.replace(257, 8, std::string("ustar\00000", 8));
  header.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  header.replace(148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return header + std::string(1024, '\0');
}

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    base_ = fs::path(::testing::TempDir()) /
            ("held-" + std::to_string(::getpid()) + "-" +
             ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(base_);
    fs::create_directories(base_);
  }
  void TearDown() override { fs::remove_all(base_); }

  std::string layer(const std::string& name) {
    const std::string folder = (base_ / name).string();
    fs::create_directories(folder);
    std::ofstream(folder + ".lock") << "";
    return folder;
  }

  fs::path base_;
};

TEST_F(StoreTest, WhatIsHeldOutlivesTheProgramAsLongAsItsLayersDo) {
  const std::string file = (base_ / "held.json").string();
  const HeldImage one{"r.example/a:1", kDigest};
  const HeldImage two{"/images/b", ""};
  {
    HeldImages held(file);
    const auto before = held.version();
    held.used(one, {layer("x"), layer("y")});
    held.used(two, {layer("y")});
    EXPECT_NE(held.version(), before);
    const auto known = held.version();
    held.used(one, {layer("x"), layer("y")});
    EXPECT_EQ(held.version(), known) << "nothing new";
    EXPECT_THAT(held.list(), ElementsAre(one, two)) << "the one used last in front";
  }
  HeldImages again(file);
  EXPECT_EQ(again.list().size(), 2U);
  const auto known = again.version();
  fs::remove(base_ / "x.lock");
  again.layers_went();
  EXPECT_THAT(again.list(), ElementsAre(two));
  EXPECT_NE(again.version(), known);
  std::ofstream(file) << "[{\"reference\":7},{\"layers\":[]},";
  EXPECT_THAT(HeldImages(file).list(), IsEmpty());
}

TEST_F(StoreTest, AnImageThatIsSomethingElseNowIsHeldOnce) {
  HeldImages held((base_ / "held.json").string());
  held.used({"r.example/a:1", kDigest}, {layer("x")});
  const HeldImage other{"r.example/a:1", "sha256:" + std::string(64, 'b')};
  held.used(other, {layer("y")});
  EXPECT_THAT(held.list(), ElementsAre(other));
}

class LayerTest : public StoreTest {
 protected:
  Result<std::string> get(const std::string& origin, const std::string& content) {
    return cache().get(
        digest_of(blob_), origin,
        [&](const std::string& file) -> Result<void> {
          ++fetched_;
          if (content.empty()) return fail(ErrorKind::Unavailable, "no");
          std::ofstream(file, std::ios::binary) << content;
          return {};
        },
        [] { return false; });
  }
  LayerCache cache() { return LayerCache((base_ / "layers").string(), 1U << 20U, {}); }

  const std::string blob_ = empty_layer();
  int fetched_ = 0;
};

TEST_F(LayerTest, WhatALoginOpenedIsItsRepositorysAndNobodyElses) {
  ASSERT_TRUE(get("r.example/secret", blob_));
  ASSERT_TRUE(get("r.example/secret", ""));
  EXPECT_EQ(fetched_, 1);
  EXPECT_FALSE(get("evil.example/x", "")) << "a digest alone opens nothing";
  EXPECT_FALSE(get("evil.example/x", "something else"));
  EXPECT_FALSE(get("", "")) << "nor for the node's own jobs";
  EXPECT_EQ(fetched_, 4);
  EXPECT_TRUE(get("other.example/same", blob_)) << "who has it may have it";
  EXPECT_TRUE(get("other.example/same", ""));
  EXPECT_TRUE(get("r.example/secret", ""));
  EXPECT_EQ(fetched_, 5);
}

TEST_F(LayerTest, WhoseItIsMustBeKeptOrElseTheLayerIsNot) {
  const std::string digest = digest_of(blob_);
  const auto got = cache().get(
      digest, "r.example/secret",
      [&](const std::string& file) -> Result<void> {
        fs::create_directories(base_ / "layers" / (digest.substr(7) + ".origins.tmp"));
        std::ofstream(file, std::ios::binary) << blob_;
        return {};
      },
      [] { return false; });
  EXPECT_FALSE(got) << "that file cannot be written";
  EXPECT_FALSE(get("evil.example/x", ""));
}

TEST_F(LayerTest, WhatTheNodeFetchesByItselfIsForAll) {
  ASSERT_TRUE(get("r.example/secret", blob_));
  ASSERT_TRUE(get("", blob_));
  EXPECT_TRUE(get("", ""));
  EXPECT_TRUE(get("any.example/x", ""));
  EXPECT_EQ(fetched_, 2);
}

}  // namespace
}  // namespace gyre::oci
