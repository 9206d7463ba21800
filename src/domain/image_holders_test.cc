#include "domain/image_holders.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "base/rng.h"

namespace gyre {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

TEST(ImageId, IsTheSameForWhatMeansTheSame) {
  EXPECT_EQ(image_id("r.example/t"), image_id("r.example/t:latest"));
  EXPECT_EQ(image_id("r.example/t:1@" + kDigest), image_id("r.example/t@" + kDigest));
  EXPECT_EQ(image_id("r.example:5000/t"), image_id("r.example:5000/t:latest"));
  EXPECT_NE(image_id("r.example/t:1"), image_id("r.example/t:2"));
  EXPECT_NE(image_id("r.example/t@" + kDigest), image_id("r.example/t"));
  EXPECT_NE(image_id("/images/t:latest"), image_id("/images/t")) << "a path has no tag";
  EXPECT_EQ(image_id(""), ImageId{});
}

TEST(ImageHolders, AnImageIsFoundByItsNameAndByWhatThatLedTo) {
  ImageHolders holders;
  holders.add({3}, {"r.example/t:1", kDigest});
  EXPECT_TRUE(holders.holds({3}, image_id("r.example/t:1")));
  EXPECT_TRUE(holders.holds({3}, image_id("r.example/t@" + kDigest)));
  EXPECT_TRUE(holders.holds({3}, image_id("r.example/t:9@" + kDigest)));
  EXPECT_FALSE(holders.holds({3}, image_id("r.example/u@" + kDigest)));
  holders.add({3}, {"r.example/t:2", kDigest});
  holders.remove({3}, {"r.example/t:1", kDigest});
  EXPECT_TRUE(holders.holds({3}, image_id("r.example/t@" + kDigest))) << "by its other name";
  holders.forget({3});
  EXPECT_TRUE(holders.empty());
  EXPECT_FALSE(holders.holds({3}, image_id("r.example/t@" + kDigest)));
}

TEST(ImageHolders, WhatANodeTellsIsBounded) {
  ImageHolders holders;
  for (std::size_t i = 0; i < 2 * kImagesPerNodeMax; ++i) {
    holders.add({0}, {"r.example/t:" + std::to_string(i), ""});
  }
  EXPECT_EQ(holders.images({0}).size(), kImagesPerNodeMax);
  EXPECT_FALSE(is_sane({"r.example/" + std::string(kHeldReferenceMax, 'a'), ""}));
  EXPECT_FALSE(is_sane({"r.example/t", "sha256:short"}));
  EXPECT_FALSE(is_sane({"no image", ""}));
  EXPECT_TRUE(is_sane({"r.example/t", kDigest}));
}

RC_GTEST_PROP(ImageHolders, AreAsASetOfPairsWouldBe, (std::uint64_t seed)) {
  Rng rng(seed);
  ImageHolders holders;
  std::map<NodeId, std::set<HeldImage>> model;
  for (int i = 0; i < 60; ++i) {
    const NodeId node{static_cast<std::uint32_t>(rng.below(4))};
    const HeldImage image{"r.example/t:" + std::to_string(rng.below(3)),
                          rng.below(2) == 0 ? kDigest : ""};
    const std::uint64_t die = rng.below(8);
    if (die == 0) {
      holders.forget(node);
      model.erase(node);
    } else if (die < 4) {
      holders.remove(node, image);
      model[node].erase(image);
    } else {
      holders.add(node, image);
      model[node].insert(image);
    }
  }
  for (std::uint32_t n = 0; n < 4; ++n) {
    const auto images = holders.images({n});
    RC_ASSERT(std::set<HeldImage>(images.begin(), images.end()) == model[{n}]);
    for (int t = 0; t < 3; ++t) {
      const std::string name = "r.example/t:" + std::to_string(t);
      const bool held = model[{n}].contains({name, ""}) || model[{n}].contains({name, kDigest});
      RC_ASSERT(holders.holds({n}, image_id(name)) == held);
    }
  }
  std::map<HeldImage, std::vector<NodeId>> by_image;
  for (const auto& [node, images] : model) {
    for (const HeldImage& image : images) by_image[image].push_back(node);
  }
  std::vector<ImageHolding> expected;
  for (const auto& [image, nodes] : by_image) expected.push_back({image, nodes});
  RC_ASSERT(holders.state() == expected);
  RC_ASSERT(holders.empty() == expected.empty());
  ImageHolders again;
  for (const ImageHolding& one : holders.state()) {
    for (const NodeId node : one.nodes) again.add(node, one.image);
  }
  RC_ASSERT(again.state() == holders.state());
}

}  // namespace
}  // namespace gyre
