#include "agent/images.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace gyre::agent {
namespace {

/// Has what it was asked for when it is let go on.
class Store final : public act::ImageStore {
 public:
  Result<act::PreparedImage> prepare(const act::ImagePull& pull,
                                     const std::function<bool()>& cancelled) override {
    ++begun;
    logins = pull.logins;
    while (!go_on && !cancelled()) std::this_thread::yield();
    if (cancelled()) return fail(ErrorKind::Unavailable, "cancelled");
    if (pull.image.tag == "long") return fail(ErrorKind::NotFound, "{}", umlauts());
    if (pull.image.tag == "none") return fail(ErrorKind::NotFound, "there is no such tag");
    return act::PreparedImage{};
  }
  std::vector<HeldImage> held() const override { return {{"r.example/a", ""}}; }
  std::uint64_t held_version() const override { return 1; }

  /// One byte, and characters of two: longer than what is told.
  static std::string umlauts() {
    std::string text = "x";
    while (text.size() <= act::kFetchErrorMax) text += "\xc3\xa4";
    return text;
  }

  std::atomic<int> begun = 0;
  std::atomic<bool> go_on = false;
  std::optional<std::string> logins;
};

struct ImagesTest : ::testing::Test {
  std::unique_ptr<Images> open(const std::string& why_not = "") {
    auto images = std::make_unique<Images>(
        store,
        Images::Options{why_not, [](const std::string& name) -> Result<std::optional<std::string>> {
                          if (name == "missing") return fail(ErrorKind::Invalid, "no secret");
                          return std::optional<std::string>("logins of " + name);
                        }});
    images->listen([this](act::ImageFetched one) { fetched.set_value(std::move(one)); });
    return images;
  }
  /// What came of it.
  std::string fetch(Images& images, const std::string& image, const std::string& login = "") {
    fetched = {};
    auto outcome = fetched.get_future();
    images.fetch({image, login});
    return outcome.get().error;
  }
  Store store;
  std::promise<act::ImageFetched> fetched;
};

TEST_F(ImagesTest, TellsWhatCameOfIt) {
  const auto images = open();
  store.go_on = true;
  EXPECT_EQ(fetch(*images, "r.example/a"), "");
  EXPECT_FALSE(store.logins);
  EXPECT_EQ(fetch(*images, "r.example/a", "pull"), "");
  EXPECT_EQ(store.logins, "logins of pull");
  EXPECT_EQ(fetch(*images, "r.example/a:none"), "there is no such tag");
  EXPECT_EQ(fetch(*images, "r.example/a", "missing"), "no secret");
  EXPECT_NE(fetch(*images, "a").find("names no image"), std::string::npos);
}

TEST_F(ImagesTest, ALongErrorIsCutAtACharactersEnd) {
  const auto images = open();
  store.go_on = true;
  const std::string told = fetch(*images, "r.example/a:long");
  EXPECT_EQ(told, Store::umlauts().substr(0, (act::kFetchErrorMax - 1) / 2 * 2 + 1));
}

TEST_F(ImagesTest, WhereNoContainerRunsNothingIsFetched) {
  const auto images = open("no runtime");
  EXPECT_EQ(fetch(*images, "r.example/a"), "this node runs no containers: no runtime");
  EXPECT_EQ(store.begun, 0);
}

TEST_F(ImagesTest, WhatIsUnderWayIsGivenUpAtTheEnd) {
  auto images = open();
  images->fetch({"r.example/a", ""});
  while (store.begun == 0) std::this_thread::yield();
  for (std::size_t i = 0; i < 10 * Images::kWaitingMax; ++i) {
    images->fetch({"r.example/a:" + std::to_string(i), ""});
    images->fetch({"r.example/a", ""});
  }
  images.reset();
  EXPECT_EQ(store.begun, 1);
}

}  // namespace
}  // namespace gyre::agent
