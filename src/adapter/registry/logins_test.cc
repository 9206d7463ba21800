#include "adapter/registry/logins.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "adapter/registry/registry_client.h"

namespace gyre::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kTeam =
    R"({"auths":{"registry.example:5000":{"auth":"dGVhbTpwYTpzcw=="},)"
    R"("https://index.docker.io/v1/":{"username":"hub","password":"word"},)"
    R"("registry.example/part":{"auth":"dGVhbTpwYTpzcw=="}}})";

TEST(Logins, AreReadAsDockerAndPodmanWriteThem) {
  const auto login = read_login(kTeam, "registry.example:5000");
  ASSERT_TRUE(login && *login);
  EXPECT_EQ((*login)->user, "team");
  EXPECT_EQ((*login)->password, "pa:ss");
  EXPECT_EQ(read_login(kTeam, "docker.io").value()->user, "hub");
}

TEST(Logins, AreForTheRegistriesThatTheyNameAlone) {
  for (const char* other : {"evil.example:5000", "registry.example", "registry.example:5000.evil",
                            "", "registry.example/part"}) {
    const auto login = read_login(kTeam, other);
    ASSERT_TRUE(login) << other;
    EXPECT_FALSE(*login) << other;
  }
}

TEST(Logins, WhatIsDamagedIsRefusedWithoutATraceOfIt) {
  for (const char* text :
       {"", "[]", "{\"auths\":3}", "secret", R"({"auths":{"r":{"auth":"secret"}}})",
        R"({"auths":{"r":{"username":"secret"}}})", R"({"auths":{"r":{"auth":"c2VjcmV0"}}})",
        R"({"credsStore":"x","auths":{"r":{}}})"}) {
    const auto login = read_login(text, "r");
    ASSERT_FALSE(login) << text;
    EXPECT_THAT(login.error().message, Not(HasSubstr("secret"))) << text;
  }
}

struct LoginFile : ::testing::Test {
  void put(const std::string& text, mode_t mode = 0600) const {
    std::filesystem::remove(file);
    std::ofstream(file) << text;
    ::chmod(file.c_str(), mode);
  }
  std::string why_not() const {
    const auto login = find_login(file, "docker.io");
    return login ? "found" : login.error().message;
  }
  std::string file = testing::TempDir() + "registry-logins-" + std::to_string(::getpid()) + ".json";
};

TEST_F(LoginFile, NeedNotBeThere) {
  std::filesystem::remove(file);
  EXPECT_FALSE(find_login(file, "docker.io").value());
  EXPECT_FALSE(find_login("", "docker.io").value());
  put(kTeam);
  EXPECT_EQ(find_login(file, "docker.io").value()->user, "hub");
  EXPECT_FALSE(find_login(file, "other.example").value());
}

TEST_F(LoginFile, IsItsOwnersAlone) {
  put(kTeam, 0644);
  EXPECT_THAT(why_not(), HasSubstr("chmod 600"));
  const std::string real = file + ".real";
  put(kTeam);
  std::filesystem::rename(file, real);
  std::filesystem::create_symlink(real, file);
  EXPECT_THAT(why_not(), HasSubstr("it is no file that can be read"));
  put("{");
  EXPECT_THAT(why_not(), HasSubstr("it is not as"));
}

TEST_F(LoginFile, TellsItsRegistriesAndNothingElse) {
  put(R"({"auths": {"https://index.docker.io/v1/": {"auth": "aHViOnNlY3JldA=="},
          "b.example:5000": {}, "docker.io": {}, "a.example/team": {}},
          "credHelpers": {"c.example": "x"}})");
  EXPECT_THAT(login_hosts(file).value(), ElementsAre("b.example:5000", "docker.io"));
  put("{}");
  EXPECT_THAT(login_hosts(file).value(), IsEmpty());
  put(R"({"auths": []})");
  EXPECT_THAT(login_hosts(file).error().message, HasSubstr("it is not as"));
  put(kTeam, 0644);
  EXPECT_THAT(login_hosts(file).error().message, HasSubstr("chmod 600"));
  std::filesystem::remove(file);
  EXPECT_THAT(login_hosts(file).value(), IsEmpty());
}

TEST(Challenges, AreReadWhereverTheyStand) {
  const auto parts = parse_challenge(
      R"(Basic realm="a", Bearer realm="https://auth.example/token",service="s",scope="pull")");
  EXPECT_EQ(parts.at("realm"), "https://auth.example/token");
  EXPECT_EQ(parts.at("service"), "s");
  EXPECT_TRUE(parse_challenge("Basic realm=\"a\"").empty());
}

TEST(Challenges, APasswordGoesToARealmOverTlsOrOnThisMachineAlone) {
  EXPECT_TRUE(is_safe_realm("https://auth.example/token", false));
  EXPECT_FALSE(is_safe_realm("http://auth.example/token", true));
  EXPECT_FALSE(is_safe_realm("http://localhost:5001/token", false));
  EXPECT_TRUE(is_safe_realm("http://localhost:5001/token", true));
  EXPECT_TRUE(is_safe_realm("http://127.0.0.1?x", true));
  EXPECT_FALSE(is_safe_realm("http://localhost:80@evil.example/", true));
  EXPECT_FALSE(is_safe_realm("https://user@evil.example/", false));
  EXPECT_FALSE(is_safe_realm("ftp://localhost/", true));
}

}  // namespace
}  // namespace gyre::registry
