#include "adapter/oci/manifest.h"

#include <gtest/gtest.h>

#include "adapter/oci/digest.h"

namespace gyre::oci {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

std::string blob(const std::string& digest = kDigest, const std::string& size = "3") {
  return R"({"mediaType":"t","digest":")" + digest + R"(","size":)" + size + "}";
}
std::string manifest(const std::string& layers) {
  return R"({"config":)" + blob() + R"(,"layers":)" + layers + "}";
}

TEST(Manifest, IsRead) {
  const auto read = read_manifest(manifest("[" + blob() + "," + blob() + "]"));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->layers.size(), 2U);
  EXPECT_EQ(read->config, (Descriptor{"t", kDigest, 3}));
}

TEST(Manifest, WhatCannotBeIsRefused) {
  std::string many = "[" + blob();
  for (std::size_t i = 0; i < kLayersMax; ++i) many += "," + blob();
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("{}"), manifest("[]"), manifest("{}"),
        manifest("[1]"), manifest(many + "]"), manifest("[" + blob("sha256:../../etc") + "]"),
        manifest("[" + blob(kDigest, "-1") + "]"), manifest("[" + blob(kDigest, "1e30") + "]"),
        std::string(200, '['), std::string(kDocumentBytesMax + 1, ' ')}) {
    EXPECT_FALSE(read_manifest(text)) << text.substr(0, 100);
  }
}

TEST(Manifest, TheOneForThisMachineIsPicked) {
  const std::string other = "sha256:" + std::string(64, 'b');
  const auto entry = [](const std::string& digest, const std::string& arch) {
    return R"({"digest":")" + digest + R"(","size":1,"platform":{"os":"linux","architecture":")" +
           arch + R"("}})";
  };
  const std::string own(architecture());
  const std::string index =
      R"({"manifests":[)" + entry(other, "s390x") + "," + entry(kDigest, own) + "]}";
  EXPECT_TRUE(is_index(index));
  EXPECT_EQ(pick_manifest(index, "")->digest, kDigest);
  EXPECT_EQ(pick_manifest(index, other)->digest, other);
  const std::string foreign =
      R"({"manifests":[)" + entry(other, "s390x") + "," + entry(other, "riscv64") + "]}";
  EXPECT_EQ(pick_manifest(foreign, "").error().kind, ErrorKind::NotFound);
  EXPECT_FALSE(pick_manifest(R"({"manifests":[]})", ""));
  EXPECT_FALSE(pick_manifest(R"({"manifests":[1]})", ""));
}

TEST(Manifest, ConfigurationIsRead) {
  const auto config = read_config(
      R"({"config":{"Env":["A=b"],"Entrypoint":["x"],"Cmd":["y"],"User":"u","WorkingDir":"/w"},
          "rootfs":{"diff_ids":["1","2"]}})");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->command, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(config->env, std::vector<std::string>{"A=b"});
  EXPECT_EQ(config->layers, 2U);
  EXPECT_FALSE(read_config(R"({"config":{"Env":[5]}})"));
  EXPECT_FALSE(read_config(R"({"config":{"Cmd":["a\u0000b"]}})"));
  EXPECT_FALSE(read_config(R"({"architecture":"s390x"})"));
}

TEST(Digest, IsSha256) {  // FIPS 180-4, appendix: "abc"
  EXPECT_EQ(digest_of("abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace gyre::oci
