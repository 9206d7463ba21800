#include "adapter/openssl/authority.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <filesystem>
#include <map>

#include "live/files.h"

namespace gyre::adapter::openssl {
namespace {

struct AuthorityTest : ::testing::Test {
  AuthorityTest() { std::filesystem::remove_all(folder); }
  ~AuthorityTest() override { std::filesystem::remove_all(folder); }

  std::unique_ptr<Authority> open(Duration lifetime = seconds(86'400)) {
    auto opened = Authority::open({folder, lifetime});
    EXPECT_TRUE(opened);
    return std::move(*opened);
  }
  static live::Gatekeeper::Application application(std::string token, const std::string& node) {
    return {std::move(token), node, make_request(node)->certificate_pem};
  }

  const std::string folder = ::testing::TempDir() + "gyre-authority-" + std::to_string(::getpid());
};

TEST_F(AuthorityTest, ATokenAdmitsOnceAndNeverAgainAcrossRestarts) {
  std::string token = *open()->make_token("", seconds(60));
  auto authority = open();
  const auto certificate = authority->admit(application(token, "a"));
  ASSERT_TRUE(certificate) << certificate.error().message;
  EXPECT_EQ(authority->identify(*certificate), "a");
  EXPECT_EQ(authority->admit(application(token, "b")).error().kind, ErrorKind::Conflict);
  EXPECT_EQ(open()->admit(application(token, "b")).error().kind, ErrorKind::Conflict);
  EXPECT_EQ(open()->identify(*certificate), "a");
  const auto secret = parse_token(token)->secret;
  EXPECT_EQ(live::read_private_file(folder + "/members.json")->find(secret), std::string::npos);
}

TEST_F(AuthorityTest, WhatItIsIsSharedFirstAndWhatCannotBeIsNotKept) {
  std::map<std::string, std::string> shared;
  bool reachable = true;
  AuthorityOptions options{.folder = folder};
  options.share = [&](const std::string& name, const std::string& content) -> Result<void> {
    if (!reachable) return fail(ErrorKind::Unavailable, "out of reach");
    shared[name] = content;
    return {};
  };
  auto authority = Authority::open(options).value();
  const auto token = authority->make_token("", seconds(60));
  ASSERT_TRUE(token);
  const auto certificate = authority->admit(application(*token, "a"));
  ASSERT_TRUE(certificate);
  ASSERT_EQ(shared.size(), 3U);
  for (const auto& [name, content] : shared) {
    EXPECT_EQ(live::read_private_file(folder + "/" + name), content) << name;
  }
  reachable = false;
  EXPECT_EQ(authority->make_token("", seconds(60)).error().kind, ErrorKind::Unavailable);
  EXPECT_EQ(live::read_private_file(folder + "/members.json"), shared["members.json"]);

  // Another server with these files is the same authority to its nodes.
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(live::make_private_folder(folder));
  for (const auto& [name, content] : shared) {
    ASSERT_TRUE(live::write_private_file(folder + "/" + name, content));
  }
  EXPECT_EQ(open()->identify(*certificate), "a");
}

TEST_F(AuthorityTest, ATokenThatIsOverAdmitsNobody) {
  auto authority = open();
  EXPECT_FALSE(authority->admit(application(*authority->make_token("", seconds(0)), "a")));
}

TEST_F(AuthorityTest, ANodeThatJoinsAnewReplacesItsOldSelf) {
  auto authority = open();
  const auto old = authority->admit(application(*authority->make_token("", seconds(60)), "a"));
  ASSERT_TRUE(old);
  EXPECT_FALSE(authority->admit(application(*authority->make_token("", seconds(60)), "a")))
      << "a token for any new node takes no known one's name";
  const auto fresh = authority->admit(application(*authority->make_token("a", seconds(60)), "a"));
  ASSERT_TRUE(fresh);
  EXPECT_EQ(authority->identify(*fresh), "a");
  EXPECT_EQ(authority->identify(*old).error().kind, ErrorKind::Conflict);
}

TEST_F(AuthorityTest, OnlyWhoHasATokenThatFitsLearnsThatANodeIsHeld) {
  auto authority = open();
  ASSERT_TRUE(authority->admit(application(*authority->make_token("", seconds(60)), "a")));
  auto held = application(*authority->make_token("a", seconds(60)), "a");
  held.is_held = true;
  EXPECT_THAT(authority->admit(held).error().message, ::testing::HasSubstr("may still run"));
  auto stranger = held;
  stranger.token.back() = stranger.token.back() == '0' ? '1' : '0';
  const auto refused = authority->admit(stranger);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("not valid"));
  stranger.node = "nobody";
  EXPECT_EQ(authority->admit(stranger).error().message, refused.error().message);
  held.is_held = false;
  EXPECT_TRUE(authority->admit(held)) << "the token was not used up";
}

TEST_F(AuthorityTest, ARenewedCertificateTakesOverWhenItIsFirstShown) {
  auto authority = open();
  const auto old = authority->admit(application(*authority->make_token("", seconds(60)), "a"));
  const auto lost = authority->renew("a", make_request("a")->certificate_pem);
  EXPECT_EQ(authority->identify(*old), "a") << "the answer may have been lost";
  const auto fresh = authority->renew("a", make_request("a")->certificate_pem);
  EXPECT_EQ(authority->identify(*old), "a");
  EXPECT_EQ(authority->identify(*fresh), "a");
  EXPECT_FALSE(authority->identify(*old));
  EXPECT_FALSE(authority->identify(*lost));
  EXPECT_FALSE(open()->identify(*old)) << "a restart does not bring it back";
  EXPECT_LT(*spent_percent(*fresh), 2);
}

TEST_F(AuthorityTest, AnothersCertificateIsNobodysHere) {
  auto authority = open();
  EXPECT_FALSE(authority->identify("garbage"));
  EXPECT_FALSE(authority->identify(authority->certificate_pem()));
  EXPECT_FALSE(authority->identify(authority->server_identity()->certificate_pem));
  const auto token = *authority->make_token("", seconds(60));
  EXPECT_EQ(authority->admit({token, "a", "garbage"}).error().kind, ErrorKind::Invalid);
  EXPECT_EQ(authority->admit({token, "../a", ""}).error().kind, ErrorKind::Invalid);
}

TEST_F(AuthorityTest, TellsWhoIsInAndHowLong) {
  const Time now{seconds(std::time(nullptr)).ns};
  auto authority = open(seconds(3600));
  const std::string spent = *authority->make_token("", seconds(60));
  const std::string waits = *authority->make_token("b", seconds(60));
  const std::string certificate = *authority->admit(application(spent, "a"));
  const auto roster = open()->roster();  // by what is on the disk
  ASSERT_TRUE(roster);
  EXPECT_EQ(roster->tokens_open, 1U);
  EXPECT_GT(roster->expires_at, now + seconds(86'400));
  ASSERT_EQ(roster->members.size(), 1U);
  EXPECT_EQ(roster->members[0].node, "a");
  EXPECT_EQ(roster->members[0].expires_at, *expires_at(certificate));
  EXPECT_GE(*roster->members[0].expires_at, now + seconds(3599));
  EXPECT_LE(*roster->members[0].expires_at, now + seconds(3600 + 60));
}

TEST_F(AuthorityTest, OfAnOlderServersCertificateItLearnsWhenItIsShown) {
  const std::string token = *open()->make_token("", seconds(60));
  const std::string certificate = *open()->admit(application(token, "a"));
  const std::string path = folder + "/members.json";
  std::string text = *live::read_private_file(path);
  const std::size_t begin = text.find(",", text.find("\"previous\""));
  text.erase(begin, text.find("}", begin) - begin);  // as it was written before
  ASSERT_EQ(text.find("expires_s"), std::string::npos) << text;
  ASSERT_TRUE(live::write_private_file(path, text));
  auto authority = open();
  EXPECT_FALSE(authority->roster()->members[0].expires_at);
  EXPECT_EQ(authority->identify(certificate), "a");
  EXPECT_EQ(authority->roster()->members[0].expires_at, *expires_at(certificate));
}

TEST_F(AuthorityTest, ADamagedFileIsSaidAndLeftAlone) {
  open()->make_token("", seconds(60)).value();
  ASSERT_TRUE(live::write_private_file(folder + "/members.json", "{\"tokens\":"));
  const auto opened = Authority::open({folder});
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, ::testing::HasSubstr("is damaged"));
}

}  // namespace
}  // namespace gyre::adapter::openssl
